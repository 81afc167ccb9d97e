#include "base/json_patch.h"

#include <gtest/gtest.h>

namespace mortise::base {
namespace {

// The value after the patch, or the code and the step of the error.
std::string patched(const std::string& value, const std::string& patch) {
  Json json = parse_json(value).value();
  const Json before = json;
  const Status done = apply_patch(json, parse_json(patch).value());
  if (done.ok()) return json.dump();
  EXPECT_EQ(json, before) << "a patch that fails changes nothing";
  return std::string(code_name(done.error().code)) + " " + done.error().field;
}

TEST(JsonPatch, DoesEachStepOfRfc6902) {
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])"), R"({"a":1,"b":2})");
  EXPECT_EQ(patched("[1,3]", R"([{"op":"add","path":"/1","value":2}])"), "[1,2,3]");
  EXPECT_EQ(patched("[1]", R"([{"op":"add","path":"/-","value":2}])"), "[1,2]");
  EXPECT_EQ(patched(R"({"a":{"b/c":1}})", R"([{"op":"remove","path":"/a/b~1c"}])"), R"({"a":{}})");
  EXPECT_EQ(patched(R"({"a":[1,2]})", R"([{"op":"replace","path":"/a/1","value":9}])"),
            R"({"a":[1,9]})");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"move","from":"/a","path":"/b"}])"), R"({"b":1})");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"copy","from":"/a","path":"/b"}])"),
            R"({"a":1,"b":1})");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"test","path":"/a","value":1}])"), R"({"a":1})");
  EXPECT_EQ(patched("1", R"([{"op":"replace","path":"","value":2}])"), "2");
}

TEST(JsonPatch, AStepThatCannotBeDoneIsNamedAndNothingIsChanged) {
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])"),
            "NOT_FOUND /1");
  EXPECT_EQ(patched("[1]", R"([{"op":"add","path":"/2","value":2}])"), "NOT_FOUND /0");
  EXPECT_EQ(patched("[1]", R"([{"op":"remove","path":"/01"}])"), "NOT_FOUND /0");
  EXPECT_EQ(patched("{}", R"([{"op":"replace","path":"/a","value":1}])"), "NOT_FOUND /0");
  EXPECT_EQ(patched("{}", R"([{"op":"test","path":"/a","value":1}])"), "FAILED_PRECONDITION /0");
  EXPECT_EQ(patched("{}", R"([{"op":"swap","path":"/a","value":1}])"), "INVALID_ARGUMENT /0");
  EXPECT_EQ(patched("{}", R"([{"op":"add","path":"a","value":1}])"), "INVALID_ARGUMENT /0");
  EXPECT_EQ(patched("{}", R"([{"op":"add","path":"/a"}])"), "NOT_FOUND /0");
  EXPECT_EQ(patched(R"({"a":{}})", R"([{"op":"move","from":"/a","path":"/a/b"}])"),
            "INVALID_ARGUMENT /0");
}

}  // namespace
}  // namespace mortise::base
