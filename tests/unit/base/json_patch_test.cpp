#include "base/json_patch.h"

#include <gtest/gtest.h>

namespace mortise::base {
namespace {

std::string patched(const char* value, const char* patch) {
  Json changed = parse_json(value).value();
  const Status status = apply_json_patch(changed, parse_json(patch).value());
  return status.ok() ? changed.dump() : "refused " + status.error().field;
}

// Examples of RFC 6902, appendix A, by their numbers there.
TEST(JsonPatch, DoesWhatTheExamplesOfTheStandardSay) {
  EXPECT_EQ(patched(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])"),
            R"({"foo":"bar","baz":"qux"})");  // A.1
  EXPECT_EQ(patched(R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])"),
            R"({"foo":["bar","qux","baz"]})");  // A.2
  EXPECT_EQ(patched(R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])"),
            R"({"foo":"bar"})");  // A.3
  EXPECT_EQ(patched(R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])"),
            R"({"foo":["bar","baz"]})");  // A.4
  EXPECT_EQ(patched(R"({"baz":"qux"})", R"([{"op":"replace","path":"/baz","value":"boo"}])"),
            R"({"baz":"boo"})");  // A.5
  EXPECT_EQ(patched(R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
                    R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])"),
            R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})");  // A.6
  EXPECT_EQ(patched(R"({"foo":["all","grass","cows","eat"]})",
                    R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])"),
            R"({"foo":["all","cows","eat","grass"]})");  // A.7
  EXPECT_EQ(patched(R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])"),
            R"({"/":9,"~1":10})");  // A.14
  EXPECT_EQ(patched(R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["a"]}])"),
            R"({"foo":["bar",["a"]]})");  // A.16
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"copy","from":"/a","path":"/b"}])"),
            R"({"a":1,"b":1})");
}

TEST(JsonPatch, RefusesWhatHasNoPlaceAndNamesIt) {
  EXPECT_EQ(patched(R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])"),
            "refused /baz");  // A.9
  EXPECT_EQ(patched(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])"),
            "refused /baz/bat");  // A.12
  EXPECT_EQ(patched(R"({"a":[1]})", R"([{"op":"add","path":"/a/2","value":0}])"), "refused /a/2");
  EXPECT_EQ(patched(R"({"a":[1]})", R"([{"op":"replace","path":"/a/01","value":0}])"),
            "refused /a/01");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"remove","path":"/b"}])"), "refused /b");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"remove","path":""}])"), "refused ");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"grow","path":"/a"}])"), "refused /a");
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"add","path":"/b"}])"), "refused /b");
  EXPECT_EQ(patched(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a","path":"/a/b"}])"),
            "refused /a/b");
  EXPECT_EQ(patched(R"({"a":1})", R"({"op":"remove","path":"/a"})"), "refused ");
}

TEST(JsonPatch, ChangesNothingWhenOneOperationFails) {
  Json value = parse_json(R"({"a":1})").value();
  const Json patch =
      parse_json(R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])").value();
  EXPECT_FALSE(apply_json_patch(value, patch).ok());
  EXPECT_EQ(value.dump(), R"({"a":1})");
}

TEST(JsonDifferences, NameTheInnermostMembers) {
  const auto differences = [](const char* from, const char* to) {
    std::string joined;
    for (const auto& one : json_differences(parse_json(from).value(), parse_json(to).value())) {
      joined += one + " ";
    }
    return joined;
  };
  EXPECT_EQ(differences(R"({"a":1,"b":{"c":[1,2]}})", R"({"a":1,"b":{"c":[1,3]},"d/e":0})"),
            "/b/c/1 /d~1e ");
  EXPECT_EQ(differences(R"({"a":[1,2],"b":0})", R"({"a":[1]})"), "/a /b ");
  EXPECT_EQ(differences(R"({"a":1})", R"({"a":1.0})"), "");
}

}  // namespace
}  // namespace mortise::base
