// Valid and broken UTF-8, byte by byte.
#include "base/utf8.h"

#include <gtest/gtest.h>

namespace mortise::base {
namespace {

TEST(Utf8, AcceptsEveryCodePoint) {
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    std::string text;
    utf8_append(text, code_point);
    ASSERT_EQ(utf8_error_offset(text), SIZE_MAX) << static_cast<uint32_t>(code_point);
    size_t at = 0;
    ASSERT_EQ(utf8_next(text, at), code_point);
    ASSERT_EQ(at, text.size());
  }
}

TEST(Utf8, NamesTheFirstByteThatIsWrong) {
  const std::string ascii = "0123456789";  // longer than the words it is read by
  for (const char* bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE4\xB8", "\xE4",
        "\xF0\x9F\x98", "\xE4\x41\x41"}) {
    EXPECT_EQ(utf8_error_offset(bad), 0u);
    EXPECT_EQ(utf8_error_offset(ascii + bad + ascii), ascii.size());
    EXPECT_EQ(utf8_error_offset(ascii + "中" + bad), ascii.size() + 3);
  }
}

TEST(Utf8, CountsCodePoints) {
  EXPECT_EQ(utf8_length(""), 0u);
  EXPECT_EQ(utf8_length("aé中😀"), 4u);
}

TEST(Utf8, CutsBetweenCodePoints) {
  EXPECT_EQ(utf8_prefix("a中b", 4), "a中");
  EXPECT_EQ(utf8_prefix("a中b", 3), "a");
  EXPECT_EQ(utf8_prefix("a中b", 2), "a");
  EXPECT_EQ(utf8_prefix("a中b", 99), "a中b");
  EXPECT_EQ(utf8_prefix("中", 0), "");
}

TEST(Utf8, StepsOverBadBytesOneByOne) {
  const std::string text = "\xE4\xB8z";
  size_t at = 0;
  EXPECT_EQ(utf8_next(text, at), U'\uFFFD');
  EXPECT_EQ(utf8_next(text, at), U'\uFFFD');
  EXPECT_EQ(utf8_next(text, at), U'z');
  EXPECT_EQ(at, 3u);
}

TEST(EscapeControl, ShowsWhatSteersTerminals) {
  EXPECT_EQ(escape_control("a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f");
  EXPECT_EQ(escape_control("\xC2\x9B"), "\\xc2\\x9b");  // CSI of the C1 set
  EXPECT_EQ(escape_control(std::string("\0", 1)), "\\x00");
}

TEST(EscapeControl, LeavesTextAndShowsStrayBytes) {
  EXPECT_EQ(escape_control("中文 é 😀 ~"), "中文 é 😀 ~");
  EXPECT_EQ(escape_control("a\xFFz"), "a\\xffz");
}

}  // namespace
}  // namespace mortise::base
