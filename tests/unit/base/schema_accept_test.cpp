// The fast way of a schema against the slow one: what it accepts is valid, and good rows are
// accepted.
#include <gtest/gtest.h>

#include "base/json_tape.h"
#include "base/schema.h"

namespace mortise::base {
namespace {

Json json(const std::string& text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : Json();
}

bool accepts(const std::string& schema, const std::string& value) {
  auto loaded = Schema::load(json(schema));
  EXPECT_TRUE(loaded.ok()) << loaded.error().text();
  const Json given = json(value);
  Tape tape;
  tape.set(given);
  EXPECT_EQ(tape.root().to_json(), given);
  const bool is_sure = loaded->surely_accepts(tape.root());
  EXPECT_TRUE(!is_sure || loaded->check(given).empty()) << schema << " " << value;
  return is_sure;
}

TEST(SchemaAcceptor, AcceptsWhatEachKeywordAllows) {
  EXPECT_TRUE(accepts(R"({"type":"string","minLength":1,"maxLength":2})", R"("肺部")"));
  EXPECT_TRUE(accepts(R"({"type":"string","pattern":"\\S"})", R"("  x")"));
  EXPECT_TRUE(accepts(R"({"type":"string","pattern":"^a+$"})", R"("aaa")"));
  EXPECT_TRUE(accepts(R"({"type":["integer","null"],"minimum":0})", "3"));
  EXPECT_TRUE(accepts(R"({"type":"number"})", "1.5"));
  EXPECT_TRUE(accepts(R"({"enum":["a",1]})", "1"));
  EXPECT_TRUE(accepts(R"({"type":"array","minItems":1,"items":{"type":"string"}})", R"(["a"])"));
  EXPECT_TRUE(accepts(R"({"contains":{"const":"x"}})", R"(["a","x"])"));
  EXPECT_TRUE(accepts(R"({"required":["a"],"properties":{"a":{"type":"boolean"}}})",
                      R"({"b":null,"a":true})"));
  EXPECT_TRUE(accepts(R"({"anyOf":[{"required":["a"]},{"required":["b"]}]})", R"({"b":1})"));
}

TEST(SchemaAcceptor, IsNeverSureOfWhatTheSchemaRefuses) {
  EXPECT_FALSE(accepts(R"({"type":"string","minLength":2})", R"("肺")"));
  EXPECT_FALSE(accepts(R"({"type":"string","maxLength":1})", R"("ab")"));
  EXPECT_FALSE(accepts(R"({"pattern":"\\S"})", R"(" \t")"));
  EXPECT_FALSE(accepts(R"({"type":"integer"})", "true"));
  EXPECT_FALSE(accepts(R"({"minimum":0})", "-1"));
  EXPECT_FALSE(accepts(R"({"enum":["a"]})", R"("b")"));
  EXPECT_FALSE(accepts(R"({"contains":{"const":"x"}})", "[]"));
  EXPECT_FALSE(accepts(R"({"contains":true})", "[]"));
  EXPECT_FALSE(accepts(R"({"maxItems":1})", "[1,2]"));
  EXPECT_FALSE(accepts(R"({"required":["a"]})", R"({"b":1})"));
  EXPECT_FALSE(accepts(R"({"additionalProperties":false,"properties":{"a":true}})", R"({"b":1})"));
  EXPECT_FALSE(accepts(R"({"anyOf":[{"required":["a"]},{"type":"null"}]})", "{}"));
}

TEST(SchemaAcceptor, KeywordsThatItDoesNotKnowLeaveTheWordToTheSlowWay) {
  EXPECT_FALSE(accepts(R"({"not":{"type":"null"}})", "1"));
  EXPECT_FALSE(accepts(R"({"uniqueItems":true})", "[1]"));
  EXPECT_FALSE(accepts(R"({"type":"integer"})", "1.0"));  // whole, but a double
}

}  // namespace
}  // namespace mortise::base
