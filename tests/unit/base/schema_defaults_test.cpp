// with_defaults: what is filled in, and what is left alone.
#include <gtest/gtest.h>

#include "base/schema.h"
#include "tests/unit/base/parsed.h"

namespace mortise::base {
namespace {

Json filled(std::string_view schema, std::string_view value) {
  return Schema::load(parse_json(schema).value()).value().with_defaults(parse_json(value).value());
}
TEST(WithDefaults, FillsAbsentPropertiesAndKeepsGivenOnes) {
  const char* schema = R"({"properties":{"a":{"default":1},"b":{"default":null},"c":{}}})";
  EXPECT_EQ(filled(schema, R"({"a":5})"), parsed(R"({"a":5,"b":null})"));
  EXPECT_EQ(filled(schema, R"({"a":null})"), parsed(R"({"a":null,"b":null})"));
}

TEST(WithDefaults, FillsInsideDefaultsReferencesAndAllOf) {
  const char* schema = R"({"allOf":[{"$ref":"#/$defs/common"}],
      "properties":{"lora":{"$ref":"#/$defs/lora","default":{}}},
      "$defs":{"common":{"properties":{"seed":{"default":42}}},
               "lora":{"properties":{"r":{"default":8},"alpha":{"default":16}}}}})";
  EXPECT_EQ(filled(schema, "{}"), parsed(R"({"lora":{"r":8,"alpha":16},"seed":42})"));
  EXPECT_EQ(filled(schema, R"({"lora":{"r":64}})"),
            parsed(R"({"lora":{"r":64,"alpha":16},"seed":42})"));
}

TEST(WithDefaults, TakesTheDefaultOfTheSchemaReferredTo) {
  EXPECT_EQ(
      filled(R"({"properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"default":3}}})", "{}"),
      parsed(R"({"a":3})"));
}

TEST(WithDefaults, FillsItemsAndMapEntries) {
  const char* schema = R"({"properties":{
      "list":{"prefixItems":[true],"items":{"properties":{"n":{"default":1}}}},
      "map":{"additionalProperties":{"properties":{"n":{"default":2}}}}}})";
  EXPECT_EQ(filled(schema, R"({"list":[{},{}],"map":{"x":{}}})"),
            parsed(R"({"list":[{},{"n":1}],"map":{"x":{"n":2}}})"));
}

TEST(WithDefaults, LeavesOtherKindsAndUndecidedFormsAlone) {
  EXPECT_EQ(filled(R"({"properties":{"a":{"default":1}}})", "[1]"), parsed("[1]"));
  EXPECT_EQ(filled(R"({"anyOf":[{"properties":{"a":{"default":1}}}]})", "{}"), parsed("{}"));
  EXPECT_EQ(filled(R"({"default":{"a":1}})", "null"), parsed("null"));
}

TEST(WithDefaults, EndsOnSchemasThatReferToThemselves) {
  EXPECT_EQ(
      filled(R"({"allOf":[{"$ref":"#"},{"$ref":"#"}],"properties":{"a":{"default":1}}})", "{}"),
      parsed(R"({"a":1})"));
  EXPECT_EQ(filled(R"({"properties":{"a":{"$ref":"#/properties/a"}}})", "{}"), parsed("{}"));
}

TEST(WithDefaults, EndsOnADefaultThatContainsItself) {
  const Json value = filled(R"({"properties":{"a":{"$ref":"#","default":{}}}})", "{}");
  EXPECT_TRUE(value.contains("a"));
}

}  // namespace
}  // namespace mortise::base
