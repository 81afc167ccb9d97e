// The published cases for JSON Schema, read in place. They are of draft 7; what 2020-12 only spells
// another way is rewritten (array "items" and "additionalItems", "dependencies", "$id" as an
// anchor), what it means otherwise is listed below with the reason.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/file_ops.h"
#include "base/schema.h"

namespace mortise::base {
namespace {

struct NotClaimed {
  std::string file, group;  // group "*": all of the file
  const char* reason;
};

constexpr const char* kRemote = "the remote documents are not in the fixtures";
constexpr const char* kSiblings = "in 2020-12 the keywords beside $ref count";
constexpr const char* kMeta = "the metaschema of draft 7 is another dialect";

const NotClaimed kNotClaimed[] = {
    {"refRemote.json", "*", kRemote},
    {"definitions.json", "validate definition against metaschema", kMeta},
    {"ref.json", "remote ref, containing refs itself", kMeta},
    {"ref.json", "ref overrides any sibling keywords", kSiblings},
    {"ref.json", "$ref prevents a sibling $id from changing the base uri", kSiblings},
    {"ref.json", "relative pointer ref to array", "points into the array form of items"},
};

Json rewritten(const Json& schema);

Json rewritten_each(const Json& group) {
  Json out = group;
  for (Json& item : out.items()) item = rewritten(item);
  for (auto& [name, member] : out.members()) member = rewritten(member);
  return out;
}

void add_dependencies(const Json& dependencies, Json& out) {
  for (const auto& [name, wanted] : dependencies.members()) {
    if (wanted.is_array()) {
      out["dependentRequired"][name] = wanted;
    } else {
      out["dependentSchemas"][name] = rewritten(wanted);
    }
  }
}

Json rewritten(const Json& schema) {
  static const std::set<std::string> kGroups = {
      "properties", "patternProperties", "definitions", "allOf", "anyOf", "oneOf"};
  static const std::set<std::string> kSingle = {
      "not", "if", "then", "else", "contains", "propertyNames", "additionalProperties"};
  if (!schema.is_object()) return schema;
  Json out = Json::object();
  for (const auto& [name, value] : schema.members()) {
    if (name == "items" && value.is_array()) {
      if (value.size() > 0) out["prefixItems"] = rewritten_each(value);
      if (const Json* rest = schema.find("additionalItems")) out["items"] = rewritten(*rest);
    } else if (name == "items") {
      out[name] = rewritten(value);
    } else if (name == "additionalItems") {
      continue;  // without an array of items it says nothing
    } else if (name == "dependencies") {
      add_dependencies(value, out);
    } else if (name == "$id" && value.as_string().starts_with('#')) {
      out["$anchor"] = value.as_string().substr(1);
    } else if (name == "$schema") {
      continue;
    } else if (kGroups.contains(name)) {
      out[name] = rewritten_each(value);
    } else {
      out[name] = kSingle.contains(name) ? rewritten(value) : value;
    }
  }
  return out;
}

const NotClaimed* exclusion_of(const std::string& file, const std::string& group) {
  for (const NotClaimed& each : kNotClaimed) {
    if (each.file == file && (each.group == "*" || each.group == group)) return &each;
  }
  return nullptr;
}

TEST(JsonSchemaTestSuite, EveryClaimedCaseIsJudgedAsItSays) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: the cases are absent";
  FileOps& files = posix_file_ops();
  const std::string folder = std::string(fixtures) + "/json/JSON-Schema-Test-Suite/tests/draft7";
  size_t cases = 0;
  std::set<const NotClaimed*> met;

  const std::vector<FileInfo> entries = files.list(folder).value();
  for (const FileInfo& entry : entries) {
    const Json groups = parse_json(read_file(files, join_path(folder, entry.name)).value()).value();
    for (const Json& group : groups.items()) {
      const std::string& description = group["description"].as_string();
      SCOPED_TRACE(entry.name + ": " + description);
      if (const NotClaimed* reason = exclusion_of(entry.name, description)) {
        met.insert(reason);
        continue;
      }
      // "format" is an annotation in the required part of the suite.
      const auto schema = Schema::load(rewritten(group["schema"]), {}, {.checks_formats = false});
      ASSERT_TRUE(schema.ok()) << schema.error().text();
      for (const Json& test : group["tests"].items()) {
        ++cases;
        const auto findings = schema->check(test["data"]);
        EXPECT_EQ(findings.empty(), test["valid"].as_bool())
            << test["description"].as_string() << ": "
            << (findings.empty() ? "no finding" : findings[0].message);
      }
    }
  }
  RecordProperty("cases", static_cast<int>(cases));
  EXPECT_GE(cases, 700u);
  EXPECT_EQ(met.size(), std::size(kNotClaimed)) << "an exclusion names a group that does not exist";
}

}  // namespace
}  // namespace mortise::base
