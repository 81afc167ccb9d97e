#include "base/markup.h"

#include <gtest/gtest.h>

namespace mortise::base {
namespace {

TEST(Markup, WhatWouldBeReadAsMarkupIsEscaped) {
  EXPECT_EQ(escape_markup("a < \"b\" & c > d"), "a &lt; &#34;b&#34; &amp; c &gt; d");
  EXPECT_EQ(escape_markup("肺\n\tx"), "肺\n\tx");
}

TEST(Markup, EntitiesAreThoseOfMarkupsafeAndNothingElseChanges) {
  EXPECT_EQ(escape_entities("it's \"1\" < 2 & 3\x01"), "it&#39;s &#34;1&#34; &lt; 2 &amp; 3\x01");
}

TEST(Markup, ControlCharactersBecomeBlanks) {
  EXPECT_EQ(escape_markup(std::string_view("a\0b\x1b[31m\r", 8)), "a b [31m");
}

}  // namespace
}  // namespace mortise::base
