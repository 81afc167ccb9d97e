// Patterns: what they match, and that no pair of pattern and text hangs or crashes.
#include "base/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mortise::base {
namespace {

using ::testing::HasSubstr;

bool finds(std::string_view expression, std::string_view text) {
  return Pattern::compile(expression).value().search(text).value();
}

TEST(Pattern, SearchesAnywhereUnlessAnchored) {
  EXPECT_TRUE(finds("b+", "abbbc"));
  EXPECT_FALSE(finds("^b+", "abbbc"));
  EXPECT_TRUE(Pattern::compile("b+").value().full_match("bbb").value());
  EXPECT_FALSE(Pattern::compile("b+").value().full_match("abbb").value());
  EXPECT_TRUE(Pattern::compile("a|ab").value().full_match("ab").value());
}

TEST(Pattern, TakesDollarForTheEndOnly) {
  EXPECT_TRUE(finds("^abc$", "abc"));
  EXPECT_FALSE(finds("^abc$", "abc\n"));
}

TEST(Pattern, KnowsUnicode) {
  EXPECT_TRUE(finds("^\\p{L}+$", "中文é"));
  EXPECT_FALSE(finds("^\\p{L}+$", "中文1"));
  EXPECT_TRUE(finds("^.$", "😀"));
  EXPECT_TRUE(finds("^\\u4e2d$", "中"));
  EXPECT_TRUE(finds("^\\w+$", "é"));
}

TEST(Pattern, GivesPlacesInBytes) {
  const Pattern pattern = Pattern::compile("(\\d)(x)?").value();

  const auto match = pattern.find("中 7", 0).value();

  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->begin, 4u);
  EXPECT_EQ(match->end, 5u);
  ASSERT_EQ(match->groups.size(), 3u);
  EXPECT_EQ(match->groups[1], std::make_pair(size_t{4}, size_t{5}));
  EXPECT_EQ(match->groups[2].first, SIZE_MAX);
  EXPECT_FALSE(pattern.find("中 7", 5).value().has_value());
}

TEST(Pattern, MatchesTheEmptyText) {
  EXPECT_TRUE(finds("^$", ""));
  EXPECT_TRUE(finds("^$", std::string_view()));
  EXPECT_FALSE(finds("a", std::string_view()));
}

TEST(Pattern, NamesThePlaceOfAMistake) {
  const auto broken = Pattern::compile("ab(c");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, Code::kInvalidArgument);
  EXPECT_EQ(broken.error().byte_offset, 4);
  EXPECT_THAT(broken.error().message, HasSubstr("ab(c"));
  EXPECT_FALSE(Pattern::compile("*a").ok());
  EXPECT_FALSE(Pattern::compile("[z-a]").ok());
  EXPECT_FALSE(Pattern::compile("\xFF").ok());
}

TEST(Pattern, RefusesTextThatIsNotUtf8) {
  const auto found = Pattern::compile("a").value().search("b\xFF");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kInvalidArgument);
}

TEST(Pattern, RefusesToStartBehindTheEnd) {
  EXPECT_FALSE(Pattern::compile("a").value().find("aaa", 4).ok());
}

TEST(Pattern, StopsAtTheStepLimitInsteadOfHanging) {
  const auto found = Pattern::compile("^(a+)+$").value().search(std::string(40, 'a') + "!");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kResourceExhausted);
  EXPECT_THAT(found.error().message, HasSubstr("^(a+)+$"));
}

TEST(Pattern, AnswersOrRefusesAlternationsOnHalfAMegabyte) {
  const Pattern pattern = Pattern::compile("^(a|b)*$").value();
  std::string text;
  for (int i = 0; i < 250'000; ++i) text += "ab";
  for (const bool is_broken : {false, true}) {
    if (is_broken) text.back() = 'c';
    for (const auto& result : {pattern.search(text), pattern.full_match(text)}) {
      if (result.ok()) {
        EXPECT_EQ(*result, !is_broken);
      } else {
        EXPECT_EQ(result.error().code, Code::kResourceExhausted);
      }
    }
  }
}

TEST(Pattern, AnswersAlternationsOnTextsThatRowsHave) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "ab";
  EXPECT_TRUE(finds("^(a|b)*$", text));
  EXPECT_FALSE(finds("^(a|b)*$", text + "c"));
}

}  // namespace
}  // namespace mortise::base
