// Formats as their RFCs write them, and "multipleOf".
#include <gtest/gtest.h>

#include "base/schema_state.h"

namespace mortise::base {
namespace {

struct FormatCase {
  const char* format;
  std::vector<std::string_view> fit;
  std::vector<std::string_view> fail;
};

class SchemaFormat : public ::testing::TestWithParam<FormatCase> {};

TEST_P(SchemaFormat, TellsRightFromWrong) {
  EXPECT_EQ(format_kind(GetParam().format), FormatKind::kChecked);
  for (const auto text : GetParam().fit) EXPECT_TRUE(has_format(GetParam().format, text)) << text;
  for (const auto text : GetParam().fail) EXPECT_FALSE(has_format(GetParam().format, text)) << text;
}

const FormatCase kTimes[] = {
    {"date",
     {"2026-11-24", "2000-02-29", "2024-02-29", "0001-01-01"},
     {"2026-13-01", "2026-02-29", "1900-02-29", "2026-1-01", "2026-11-31", "26-11-24",
      "2026-11-24Z", "", "2026/11/24", "2026-00-10", "2026-10-00"}},
    {"time",
     {"08:30:06Z", "23:59:60Z", "08:30:06.283185+00:20", "01:29:60+01:30", "23:29:60-00:30",
      "00:00:00z"},
     {"08:30:06", "24:00:00Z", "08:60:00Z", "22:59:60Z", "08:30:06.Z", "08:30:06+24:00", "8:30:06Z",
      "08:30:06 Z", "08:30Z", "08:30:06+0100"}},
    {"date-time",
     {"2026-11-24T05:10:00Z", "1985-04-12T23:20:50.52Z", "1990-12-31T15:59:60-08:00",
      "1963-06-19t08:30:06.283185z"},
     {"2026-11-24 05:10:00Z", "2026-11-24", "2026-02-30T05:10:00Z", "2026-11-24T05:10:00",
      "2026-11-24T05:10:00ZZ", "1998-12-31T23:58:60Z"}}};
INSTANTIATE_TEST_SUITE_P(Times, SchemaFormat, ::testing::ValuesIn(kTimes));

const FormatCase kAddresses[] = {
    {"ipv4",
     {"192.168.0.1", "0.0.0.0", "255.255.255.255"},
     {"256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1.2.3.a", "0x7f.0.0.1", ""}},
    {"ipv6",
     {"::1", "::", "2001:db8::ff00:42:8329", "1:2:3:4:5:6:7:8", "::ffff:192.168.0.1",
      "1:2:3:4:5:6:1.2.3.4", "1::", "::42:ff:1", "1:2:3:4:5:6:7::"},
     {"12345::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", ":1:2:3:4:5:6:7", "1::2::3", "::1%eth0",
      "1:2:3:4:5:6:7:8::", "::192.168.0.256", "1:2:3:4:5:6:7:1.2.3.4", "", ":", "1:", "::g",
      "1:2:3:4:5:6:7:"}},
    {"uuid",
     {"2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"},
     {"2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380",
      "2eb8aa08-aa98-11ea-b4ga-73b441d16380", ""}},
    {"uri",
     {"http://foo.bar/?baz=qux#quux", "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
      "mailto:a@b.example", "ldap://[2001:db8::7]/c=GB?objectClass?one", "file:///a/b",
      "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com", "tel:+1-816-555-1212", "a:"},
     {"//foo.bar/", "/abc", "abc", "http:// shouldfail.com", ":// should fail", "bar,baz:x y",
      "http://a/%", "http://a/%4", "http://[1::2::3]/", "http://a/[b]", "1http://a", "http://a/中",
      "http://a:b1/", "http://a#b#c", "", "http://[::1]x/", "https://[@example.org/test.txt"}}};
INSTANTIATE_TEST_SUITE_P(Addresses, SchemaFormat, ::testing::ValuesIn(kAddresses));

const FormatCase kTexts[] = {
    {"email",
     {"joe.bloggs@example.com", "te~st@example.com", "\"joe bloggs\"@example.com",
      "joe@[127.0.0.1]", "joe@[IPv6:::1]", "a+b@x.y"},
     {"2962", "@example.com", "a@", ".test@example.com", "te..st@example.com", "a b@example.com",
      "a@-b.example", "a@b_c.example", "joe@[300.0.0.1]", "a@b..c", "a@b@c d"}},
    {"regex", {"([abc])+\\s+$", "^\\p{L}$", ""}, {"^(abc]", "*", "[z-a]"}},
    {"json-pointer",
     {"", "/foo/bar~0/baz~1/%a", "/", "/a b", "//"},
     {"/foo/bar~", "foo", "#/a", "/~2", "/~0~", "~0"}}};
INSTANTIATE_TEST_SUITE_P(Texts, SchemaFormat, ::testing::ValuesIn(kTexts));

TEST(Formats, AreCheckedOnTextsOnlyAndOnlyWhenAsked) {
  const Json document = parse_json(R"({"format":"date"})").value();
  const Schema checked = Schema::load(document).value();
  const Schema noted = Schema::load(document, {}, {.checks_formats = false}).value();

  EXPECT_FALSE(checked.check(Json("tomorrow")).empty());
  EXPECT_TRUE(checked.check(Json(7)).empty());
  EXPECT_TRUE(noted.check(Json("tomorrow")).empty());
}

TEST(Formats, OfTheDraftThatAreNotCheckedStayAnnotations) {
  for (const char* name : {"duration", "hostname", "idn-hostname", "idn-email", "uri-reference",
                           "iri", "iri-reference", "uri-template", "relative-json-pointer"}) {
    EXPECT_EQ(format_kind(name), FormatKind::kAnnotation) << name;
    EXPECT_TRUE(has_format(name, "\x01 anything"));
  }
  EXPECT_EQ(format_kind("datetime"), FormatKind::kUnknown);
}

TEST(IsMultiple, CountsInDecimalDigits) {
  const auto multiple = [](const char* value, const char* step) {
    return is_multiple(parse_json(value).value(), parse_json(step).value());
  };
  EXPECT_TRUE(multiple("0.3", "0.1"));
  EXPECT_TRUE(multiple("1.1", "0.01"));
  EXPECT_TRUE(multiple("0.0075", "0.0001"));
  EXPECT_TRUE(multiple("1e308", "0.5"));
  EXPECT_TRUE(multiple("-9223372036854775808", "2"));
  EXPECT_TRUE(multiple("18446744073709551615", "5"));
  EXPECT_TRUE(multiple("0", "1e-300"));
  EXPECT_FALSE(multiple("0.00751", "0.0001"));
  EXPECT_FALSE(multiple("1000000000.5", "1"));
  EXPECT_FALSE(multiple("18446744073709551615", "2"));
  EXPECT_FALSE(multiple("1", "1e300"));
  EXPECT_FALSE(multiple("1e-300", "1"));
}

}  // namespace
}  // namespace mortise::base
