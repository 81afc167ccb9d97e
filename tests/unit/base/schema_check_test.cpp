// Each keyword of draft 2020-12: what fits, what does not. Formats, loading and defaults have files
// of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/schema.h"

namespace mortise::base {
namespace {

using ::testing::HasSubstr;

Schema schema_of(std::string_view text) {
  return Schema::load(parse_json(text).value()).value();
}
bool fits(const Schema& schema, std::string_view value) {
  return schema.check(parse_json(value).value()).empty();
}

struct Case {
  const char* schema;
  std::vector<const char*> fit;
  std::vector<const char*> fail;
};

class SchemaCheck : public ::testing::TestWithParam<Case> {};

TEST_P(SchemaCheck, AcceptsWhatFitsAndFindsWhatDoesNot) {
  const Schema schema = schema_of(GetParam().schema);
  for (const char* value : GetParam().fit) EXPECT_TRUE(fits(schema, value)) << value;
  for (const char* value : GetParam().fail) EXPECT_FALSE(fits(schema, value)) << value;
}

const Case kValues[] = {
    {R"({"type":"integer"})", {"1", "1.0", "-3"}, {"1.5", "\"1\"", "true", "null"}},
    {R"({"type":["string","null"]})", {"\"\"", "null"}, {"0", "[]"}},
    {R"({"enum":[1,"a",{"x":[1]}]})", {"1.0", "\"a\"", "{\"x\":[1]}"}, {"2", "{\"x\":1}"}},
    {R"({"const":{"a":1,"b":2}})", {"{\"b\":2,\"a\":1}"}, {"{\"a\":1}", "null"}},
    {R"({"minimum":1,"exclusiveMaximum":3})", {"1", "2.999", "\"x\""}, {"0.999", "3"}},
    {R"({"exclusiveMinimum":1,"maximum":3})", {"3", "1.001"}, {"1", "3.001"}},
    {R"({"maximum":9007199254740992})", {"9007199254740992"}, {"9007199254740993"}},
    {R"({"minimum":18446744073709551615})", {"18446744073709551615"}, {"18446744073709551614"}},
    {R"({"multipleOf":0.01})", {"0.07", "4.35", "1e9", "-0.3"}, {"0.075", "4.351"}},
    {R"({"multipleOf":1})", {"1e300", "4"}, {"1000000000.5", "0.1"}},
    {R"({"multipleOf":9007199254740993})", {"9007199254740993", "0"}, {"9007199254740992"}},
    {R"({"multipleOf":0.123456789})", {"0.246913578"}, {"1e308"}},
    {R"({"minLength":2,"maxLength":3})", {"\"ab\"", "\"😀中é\"", "5"}, {"\"a\"", "\"中中中中\""}},
    {R"({"pattern":"^a+$"})", {"\"aa\"", "1"}, {"\"ab\"", "\"aa\\n\""}},
    {"true", {"1"}, {}},
    {"false", {}, {"1", "null"}},
    {"{}", {"null", "[]"}, {}},
};
INSTANTIATE_TEST_SUITE_P(Values, SchemaCheck, ::testing::ValuesIn(kValues));

const Case kArrays[] = {
    {R"({"prefixItems":[{"type":"integer"}],"items":{"type":"string"}})",
     {"[]", "[1]", "[1,\"a\",\"b\"]", "{}"},
     {"[\"a\"]", "[1,2]"}},
    {R"({"prefixItems":[true],"items":false})", {"[1]", "[]"}, {"[1,2]"}},
    {R"({"minItems":1,"maxItems":2})", {"[1]", "[1,2]"}, {"[]", "[1,2,3]"}},
    {R"({"uniqueItems":true})",
     {"[1,2]", "[1,true]", "[[1],[2]]", "[\"1\",1]"},
     {"[1,1.0]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]"}},
    {R"({"contains":{"type":"integer"}})", {"[\"a\",1]", "{}"}, {"[]", "[\"a\"]"}},
    {R"({"contains":{"const":1},"minContains":2,"maxContains":3})",
     {"[1,1]", "[1,0,1,1]"},
     {"[1]", "[1,1,1,1]"}},
    {R"({"contains":{"const":1},"minContains":0})", {"[]", "[2]"}, {}},
    {R"({"prefixItems":[{"const":1}],"unevaluatedItems":false})", {"[1]"}, {"[1,2]"}},
    {R"({"contains":{"const":1},"unevaluatedItems":{"const":2}})", {"[1,2,1]"}, {"[1,3]"}},
    {R"({"anyOf":[{"prefixItems":[{"const":1}]},{"prefixItems":[true,{"const":2}]}],
         "unevaluatedItems":false})",
     {"[1]", "[1,2]", "[0,2]"},
     {"[1,3]", "[0,2,0]"}},
    {R"({"allOf":[{"items":{"type":"integer"}}],"unevaluatedItems":false})", {"[1,2]"}, {"[\"\"]"}},
};
INSTANTIATE_TEST_SUITE_P(Arrays, SchemaCheck, ::testing::ValuesIn(kArrays));

const Case kObjects[] = {
    {R"({"properties":{"a":{"type":"integer"}},"required":["a"]})",
     {"{\"a\":1}", "{\"a\":1,\"b\":2}", "[]"},
     {"{}", "{\"a\":\"1\"}"}},
    {R"({"properties":{"a":true},"patternProperties":{"^x":{"type":"integer"}},
         "additionalProperties":false})",
     {"{\"a\":0}", "{\"x1\":1}"},
     {"{\"b\":0}", "{\"x1\":\"\"}"}},
    {R"({"additionalProperties":{"type":"string"}})", {"{\"a\":\"\"}"}, {"{\"a\":1}"}},
    {R"({"propertyNames":{"maxLength":2}})", {"{\"ab\":1}"}, {"{\"abc\":1}"}},
    {R"({"minProperties":1,"maxProperties":2})",
     {"{\"a\":1}"},
     {"{}", "{\"a\":1,\"b\":1,\"c\":1}"}},
    {R"({"dependentRequired":{"a":["b"]}})", {"{\"b\":1}", "{\"a\":1,\"b\":1}"}, {"{\"a\":1}"}},
    {R"({"dependentSchemas":{"a":{"required":["b"]}}})", {"{}"}, {"{\"a\":1}"}},
    {R"({"properties":{"a":true},"unevaluatedProperties":false})", {"{\"a\":1}"}, {"{\"b\":1}"}},
    {R"({"allOf":[{"properties":{"a":true}}],"properties":{"b":true},
         "unevaluatedProperties":false})",
     {"{\"a\":1,\"b\":1}"},
     {"{\"c\":1}"}},
    {R"({"if":{"properties":{"kind":{"const":"x"}},"required":["kind"]},
         "then":{"properties":{"x":true}},"else":{"properties":{"y":true}},
         "unevaluatedProperties":false})",
     {"{\"kind\":\"x\",\"x\":1}", "{\"y\":1}"},
     {"{\"kind\":\"x\",\"y\":1}", "{\"kind\":\"z\",\"y\":1}", "{\"x\":1}"}},
    {R"({"not":{"properties":{"a":true},"required":["a"]},"unevaluatedProperties":false})",
     {"{}"},
     {"{\"b\":1}", "{\"a\":1}"}},
    {R"({"$ref":"#/$defs/a","unevaluatedProperties":false,
         "$defs":{"a":{"properties":{"a":{"type":"integer"}}}}})",
     {"{\"a\":1}"},
     {"{\"a\":\"\"}", "{\"b\":1}"}},
    {R"({"dependentSchemas":{"a":{"properties":{"b":true}}},"properties":{"a":true},
         "unevaluatedProperties":{"type":"null"}})",
     {"{\"a\":1,\"b\":2}", "{\"b\":null}"},
     {"{\"b\":2}"}},
};
INSTANTIATE_TEST_SUITE_P(Objects, SchemaCheck, ::testing::ValuesIn(kObjects));

const Case kCombined[] = {
    {R"({"allOf":[{"minimum":1},{"maximum":2}]})", {"1", "2"}, {"0", "3"}},
    {R"({"anyOf":[{"type":"string"},{"minimum":2}]})", {"\"\"", "2"}, {"1"}},
    {R"({"oneOf":[{"multipleOf":2},{"multipleOf":3}]})", {"2", "3"}, {"6", "5"}},
    {R"({"not":{"type":"string"}})", {"1"}, {"\"\""}},
    {R"({"if":{"type":"integer"},"then":{"minimum":0},"else":{"type":"string"}})",
     {"1", "\"\""},
     {"-1", "null"}},
    {R"({"then":false,"else":false})", {"1"}, {}},
    {R"({"$defs":{"tree":{"type":"object","properties":{"kids":{"type":"array",
         "items":{"$ref":"#/$defs/tree"}}},"required":["id"]}},"$ref":"#/$defs/tree"})",
     {R"({"id":1,"kids":[{"id":2,"kids":[]}]})"},
     {R"({"id":1,"kids":[{"kids":[]}]})"}},
    {R"({"$id":"https://example.org/list","$dynamicAnchor":"node","type":"array",
         "items":{"$dynamicRef":"#node"}})",
     {"[[],[[]]]"},
     {"[1]"}},
};
INSTANTIATE_TEST_SUITE_P(Combined, SchemaCheck, ::testing::ValuesIn(kCombined));

TEST(Schema, LetsAnExtensionTakeOverADynamicAnchor) {
  const Json tree = parse_json(R"({"$id":"https://example.org/tree","$dynamicAnchor":"node",
      "type":"object","properties":{"kids":{"type":"array","items":{"$dynamicRef":"#node"}}}})")
                        .value();
  const Json strict = parse_json(R"({"$id":"https://example.org/strict","$dynamicAnchor":"node",
      "$ref":"tree","unevaluatedProperties":false})")
                          .value();
  const Schema open = Schema::load(tree).value();
  const Schema closed = Schema::load(strict, {tree}).value();

  EXPECT_TRUE(fits(open, R"({"kids":[{"typo":1}]})"));
  EXPECT_FALSE(fits(closed, R"({"kids":[{"typo":1}]})"));
  EXPECT_TRUE(fits(closed, R"({"kids":[{"kids":[]}]})"));
}

TEST(Schema, NamesPlaceKeywordAndReasonOfEachFinding) {
  const Schema schema = schema_of(R"({"properties":{"a/b":{"items":{"type":"integer"}},
      "n":{"minimum":1}},"required":["id"],"additionalProperties":false})");

  const auto findings = schema.check(parse_json(R"({"a/b":[1,"x"],"n":0,"m":1})").value());

  ASSERT_EQ(findings.size(), 4u);
  EXPECT_EQ(findings[0].pointer, "");
  EXPECT_EQ(findings[0].keyword, "required");
  EXPECT_EQ(findings[0].message, "The field \"id\" is missing.");
  EXPECT_EQ(findings[1].pointer, "/a~1b/1");
  EXPECT_EQ(findings[1].message, "This is of type string, it must be integer.");
  EXPECT_EQ(findings[2].pointer, "/n");
  EXPECT_EQ(findings[2].message, "0 must be at least 1.");
  EXPECT_EQ(findings[3].pointer, "/m");
  EXPECT_EQ(findings[3].message, "The field \"m\" is unknown.");
}

TEST(Schema, SaysOfTheNearestFormWhatIsWrong) {
  const Schema schema = schema_of(R"({"anyOf":[{"type":"string"},
      {"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}]})");

  const auto findings = schema.check(parse_json(R"({"id":"x"})").value());

  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].keyword, "anyOf");
  EXPECT_THAT(findings[0].message, HasSubstr("at /id: This is of type string"));
}

TEST(Schema, StopsAtTheNumberOfFindingsAskedFor) {
  const Schema schema = schema_of(R"({"items":{"type":"string"}})");
  Json value = Json::array();
  for (int i = 0; i < 100; ++i) value.push_back(i);

  EXPECT_EQ(schema.check(value).size(), 64u);
  EXPECT_EQ(schema.check(value, 3).size(), 3u);
}

TEST(Schema, RequireNamesTheDocumentAndTheField) {
  const Schema schema = schema_of(R"({"properties":{"rank":{"minimum":1}}})");

  const Status status = schema.require(parse_json(R"({"rank":0})").value(), "job.json");

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().text(), "job.json, field /rank: 0 must be at least 1.");
  EXPECT_TRUE(schema.require(parse_json("{}").value(), "job.json").ok());
}

TEST(Schema, GivesUpOnASchemaThatNeverComesToAnEnd) {
  for (const char* text : {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"},{"$ref":"#"}]})",
                           R"({"not":{"$ref":"#"}})", R"({"anyOf":[true,{"$ref":"#"}],
                              "unevaluatedItems":false})"}) {
    const auto findings = schema_of(text).check(Json(1));
    ASSERT_EQ(findings.size(), 1u) << text;
    EXPECT_THAT(findings[0].message, HasSubstr("without end"));
  }
}

TEST(Schema, GivesUpWhenAPatternCannotBeTriedEvenInsideNot) {
  const Schema schema = schema_of(R"({"not":{"pattern":"^(a+)+$"}})");

  const auto findings = schema.check(Json(std::string(40, 'a') + "!"));

  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].keyword, "pattern");
  EXPECT_THAT(findings[0].message, HasSubstr("too many steps"));
}

TEST(Schema, GivesUpOnValuesBuiltTooDeep) {
  const Schema schema = schema_of(R"({"items":{"$ref":"#"}})");
  Json value = Json::array();
  for (int i = 0; i < 2000; ++i) {
    Json outer = Json::array();
    outer.push_back(std::move(value));
    value = std::move(outer);
  }
  const auto findings = schema.check(value);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].message, HasSubstr("too deeply"));
}

TEST(Schema, GivesUpOnWorkThatDoublesWithEachLevel) {
  Json document = Json::object({{"$ref", "#/$defs/l0"}});
  for (int i = 0; i < 40; ++i) {
    const Json next = Json::object({{"$ref", "#/$defs/l" + std::to_string(i + 1)}});
    document["$defs"]["l" + std::to_string(i)] =
        Json::object({{"allOf", Json::array({next, next})}});
  }
  document["$defs"]["l40"] = true;

  const auto findings = Schema::load(document, {}, {.steps_max = 10'000}).value().check(Json(1));

  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].message, HasSubstr("too many steps"));
}

}  // namespace
}  // namespace mortise::base
