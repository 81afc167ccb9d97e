// Values, reading and its refusals. Writing is in json_write_test.cpp.
#include "base/json.h"
#include "tests/unit/base/parsed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mortise::base {
namespace {

using ::testing::HasSubstr;

Error refused(std::string_view text, const JsonLimits& limits = {}) {
  auto value = parse_json(text, limits);
  EXPECT_FALSE(value.ok()) << text;
  return value.ok() ? Error() : value.error();
}

TEST(Json, KeepsIntegersOf64BitsExact) {
  EXPECT_EQ(parsed("-9223372036854775808").as_int(), INT64_MIN);
  EXPECT_EQ(parsed("9223372036854775807").as_int(), INT64_MAX);
  EXPECT_EQ(parsed("18446744073709551615").as_uint(), UINT64_MAX);
  EXPECT_EQ(parsed("18446744073709551615").kind(), Json::Kind::kUint);
  EXPECT_EQ(parsed("9223372036854775807").kind(), Json::Kind::kInt);
  EXPECT_EQ(parsed("18446744073709551616").kind(), Json::Kind::kDouble);
  EXPECT_EQ(Json(UINT64_C(5)).kind(), Json::Kind::kInt);
}

TEST(Json, ReadsNumbersAsTheNearestDouble) {
  EXPECT_EQ(parsed("0.1").as_double(), 0.1);
  EXPECT_EQ(parsed("2.2250738585072011e-308").as_double(), 2.2250738585072011e-308);
  EXPECT_EQ(parsed("1e308").as_double(), 1e308);
  EXPECT_EQ(parsed("-0.0").as_double(), 0.0);
  EXPECT_TRUE(std::signbit(parsed("-0.0").as_double()));
}

TEST(Json, CountsDoublesWithoutFractionAsIntegers) {
  EXPECT_TRUE(Json(3.0).is_integer());
  EXPECT_FALSE(Json(3.5).is_integer());
  EXPECT_EQ(Json(3.0).as_int(), 3);
  EXPECT_EQ(Json(3.5).as_int(-1), -1);
  EXPECT_EQ(Json(1e300).as_int(-1), -1);
  EXPECT_FALSE(Json(std::numeric_limits<double>::infinity()).is_integer());
}

TEST(Json, GivesTheFallbackForAnotherKind) {
  const Json text("12");
  EXPECT_EQ(text.as_int(7), 7);
  EXPECT_EQ(text.as_double(7.5), 7.5);
  EXPECT_TRUE(text.as_bool(true));
  EXPECT_EQ(Json(12).as_string(), "");
  EXPECT_EQ(Json(-1).as_uint(9), 9u);
  EXPECT_TRUE(text.items().empty());
  EXPECT_TRUE(text.members().empty());
  EXPECT_TRUE(text["x"].is_null());
  EXPECT_TRUE(text.at(0).is_null());
}

TEST(Json, BuildsObjectsInTheOrderOfTheirKeys) {
  Json value;
  value["b"] = 1;
  value["a"].push_back("x");
  value["a"].push_back(nullptr);
  value["b"] = 2;

  EXPECT_EQ(value.dump(), R"({"b":2,"a":["x",null]})");
  EXPECT_TRUE(value.erase("b"));
  EXPECT_FALSE(value.erase("b"));
  EXPECT_EQ(value.size(), 1u);
}

TEST(Json, FindsByPointerAsRfc6901Says) {
  const Json value = parsed(R"({"foo":["bar","baz"],"":0,"a/b":1,"m~n":8,"x":{"~1":9}})");
  EXPECT_EQ(value.pointer(""), &value);
  EXPECT_EQ(value.pointer("/foo/0")->as_string(), "bar");
  EXPECT_EQ(value.pointer("/")->as_int(), 0);
  EXPECT_EQ(value.pointer("/a~1b")->as_int(), 1);
  EXPECT_EQ(value.pointer("/m~0n")->as_int(), 8);
  EXPECT_EQ(value.pointer("/x/~01")->as_int(), 9);
  for (const char* absent :
       {"foo", "/foo/2", "/foo/-", "/foo/00", "/foo/+1", "/foo/", "/foo/0/x", "/nope"}) {
    EXPECT_EQ(value.pointer(absent), nullptr) << absent;
  }
}

TEST(Json, ComparesByValueAndNotByOrder) {
  EXPECT_EQ(parsed(R"({"a":1,"b":[1.0,2]})"), parsed(R"({"b":[1,2.0],"a":1})"));
  EXPECT_FALSE(parsed("[1,2]") == parsed("[2,1]"));
  EXPECT_FALSE(parsed(R"({"a":1})") == parsed(R"({"a":1,"b":1})"));
  EXPECT_FALSE(Json(false) == Json(0));
  EXPECT_FALSE(Json("") == Json());
}

TEST(CompareNumbers, IsExactBetweenIntegersAndDoubles) {
  const Json above(INT64_C(9007199254740993)), near(9007199254740992.0);
  EXPECT_TRUE(compare_numbers(above, near) > 0);
  EXPECT_TRUE(compare_numbers(near, above) < 0);
  EXPECT_FALSE(above == near);
  EXPECT_TRUE(compare_numbers(Json(UINT64_MAX), Json(18446744073709551616.0)) < 0);
  EXPECT_TRUE(compare_numbers(Json(INT64_MIN), Json(-9223372036854775808.0)) == 0);
  EXPECT_TRUE(compare_numbers(Json(-3), Json(-3.5)) > 0);
  EXPECT_TRUE(compare_numbers(Json(3), Json(3.5)) < 0);
  EXPECT_TRUE(compare_numbers(Json(1), Json(std::numeric_limits<double>::infinity())) < 0);
  EXPECT_TRUE(compare_numbers(Json(UINT64_MAX), Json(INT64_MIN)) > 0);
}

TEST(CompareNumbers, IsUnorderedForWhatIsNoNumber) {
  EXPECT_EQ(compare_numbers(Json("1"), Json(1)), std::partial_ordering::unordered);
  EXPECT_EQ(compare_numbers(Json(std::nan("")), Json(1)), std::partial_ordering::unordered);
}

TEST(ParseJson, ReadsEscapesAndSurrogates) {
  EXPECT_EQ(parsed(R"("\u4e2d\n\ud83d\ude00\u0000\/")").as_string(), std::string("中\n😀\0/", 10));
}

TEST(ParseJson, NamesTheByteWhereTheSyntaxBreaks) {
  EXPECT_EQ(refused("[1,2").byte_offset, 4);
  EXPECT_EQ(refused("[1 2]").byte_offset, 3);
  EXPECT_EQ(refused("").code, Code::kInvalidArgument);
  EXPECT_EQ(refused("{\"a\":tru}").code, Code::kInvalidArgument);
  EXPECT_GE(refused("[01]").byte_offset, 1);
}

TEST(ParseJson, RefusesTextAfterTheValue) {
  EXPECT_EQ(refused("{} x").byte_offset, 3);
  EXPECT_EQ(refused("1 2").code, Code::kInvalidArgument);
  EXPECT_EQ(parsed(" 1 \n").as_int(), 1);
}

TEST(ParseJson, RefusesADuplicateKeyAtAnyDepth) {
  const Error error = refused(R"({"a":1,"b":{"x":1,"y":2,"x":3}})");
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("\"x\" stands twice"));
  EXPECT_EQ(error.byte_offset, 27);
  EXPECT_THAT(refused(R"({"a":1,"\u0061":2})").message, HasSubstr("twice"));
}

TEST(ParseJson, FindsADuplicateAmongManyKeysInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"key" + std::to_string(i) + "\":" + "0,";
  const Json value = parsed(text + "\"last\":1}");
  EXPECT_EQ(value.size(), 200'001u);
  EXPECT_THAT(refused(text + "\"key0\":1}").message, HasSubstr("\"key0\""));
}

TEST(ParseJson, RefusesBadUtf8WithItsByte) {
  EXPECT_EQ(refused("[\"ab\xFF\"]").byte_offset, 4);
  EXPECT_EQ(refused("\"\xED\xA0\x80\"").byte_offset, 1);
  EXPECT_EQ(refused(R"("\ud800")").code, Code::kInvalidArgument);
  EXPECT_EQ(refused(R"("\udc00")").code, Code::kInvalidArgument);
}

TEST(ParseJson, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(refused("1e400").code, Code::kInvalidArgument);
  EXPECT_EQ(refused("[NaN]").code, Code::kInvalidArgument);
  EXPECT_EQ(refused("-").code, Code::kInvalidArgument);
}

TEST(ParseJson, RefusesMoreThanItsLimits) {
  const JsonLimits limits{.size_bytes_max = 8, .depth_max = 2};
  EXPECT_EQ(parse_json("[[1]]", limits).value().size(), 1u);
  EXPECT_EQ(refused("[[[1]]]", limits).code, Code::kResourceExhausted);
  EXPECT_EQ(refused("[[[1]]]", limits).byte_offset, 3);
  EXPECT_EQ(refused("\"1234567\"", limits).code, Code::kResourceExhausted);
}

TEST(ParseJson, SurvivesAMillionOpenBrackets) {
  EXPECT_EQ(refused(std::string(1'000'000, '[')).code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace mortise::base
