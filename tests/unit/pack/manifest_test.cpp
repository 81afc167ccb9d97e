#include "pack/manifest.h"

#include <gtest/gtest.h>

#include "pack_text.h"

namespace mortise::pack {
namespace {

using base::Code;
using base::Json;
using test::manifest_json;

base::Error refusal_of(const std::string& text) {
  auto manifest = parse_manifest(text, "pack.json");
  EXPECT_FALSE(manifest.ok());
  return manifest.ok() ? base::Error() : manifest.error();
}

TEST(Manifest, ReadsRequiredKeysAndKeepsTheRest) {
  Json json = manifest_json();
  json["x-note"] = "free";
  json["plugins"].items()[0]["isolation_min"] = "L2";
  json["plugins"].items()[0]["thread_class"] = "parallel";

  const auto manifest = parse_manifest(json.dump(), "pack.json");

  ASSERT_TRUE(manifest.ok()) << manifest.error().text();
  EXPECT_EQ(manifest->id, "com.example.f1");
  EXPECT_EQ(manifest->plugins[0].isolation_min, 2);
  EXPECT_EQ(manifest->plugins[0].thread_class, "parallel");
  EXPECT_EQ(manifest->libraries[0].name, "lib/f1.so");
  EXPECT_EQ(manifest->document["x-note"].as_string(), "free");
  EXPECT_EQ(manifest->sha256, test::hash_of(json.dump()));
  EXPECT_NE(manifest->find_plugin("com.example.f1"), nullptr);
  EXPECT_EQ(manifest->find_plugin("com.example.f2"), nullptr);
}

TEST(Manifest, RefusesAnUnknownTopLevelKeyByName) {
  Json json = manifest_json();
  json["author"] = "me";

  const auto error = refusal_of(json.dump());

  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_NE(error.text().find("author"), std::string::npos) << error.text();
  EXPECT_EQ(error.file, "pack.json");
}

TEST(Manifest, RefusesADuplicateKey) {
  std::string text = manifest_json().dump();
  text.insert(1, R"("id":"com.example.other",)");

  const auto error = refusal_of(text);

  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_NE(error.text().find("id"), std::string::npos) << error.text();
}

TEST(Manifest, RefusesAMissingRequiredKey) {
  Json json = manifest_json();
  json.erase("abi");

  EXPECT_NE(refusal_of(json.dump()).text().find("abi"), std::string::npos);
}

TEST(Manifest, RefusesANewerManifestVersionWithTheRemedy) {
  Json json = manifest_json();
  json["manifest_version"] = 2;
  json["something_new"] = true;

  const auto error = refusal_of(json.dump());

  EXPECT_EQ(error.code, Code::kUnimplemented);
  EXPECT_NE(error.text().find("manifest_version 2"), std::string::npos);
  EXPECT_NE(error.text().find("newer Mortise"), std::string::npos);
}

TEST(Manifest, RefusesALibraryPathThatLeavesThePack) {
  for (const char* path : {"../f1.so", "/lib/f1.so", "lib/../../f1.so", "lib\\f1.so"}) {
    Json json = manifest_json();
    json["libraries"].items()[0]["path"] = path;

    const auto error = refusal_of(json.dump());

    EXPECT_EQ(error.code, Code::kInvalidArgument);
    EXPECT_EQ(error.field, "/libraries/0/path") << path;
  }
}

TEST(Manifest, RefusesAFileThatListsTheManifestItself) {
  Json json = manifest_json();
  json["files"] = Json::object({{"pack.json", test::kHash}});

  EXPECT_EQ(refusal_of(json.dump()).field, "/files/pack.json");
}

TEST(Manifest, RefusesAPluginThatNamesNoListedLibrary) {
  Json json = manifest_json();
  json["plugins"].items()[0]["library"] = "lib/other.so";

  const auto error = refusal_of(json.dump());

  EXPECT_EQ(error.field, "/plugins/0/library");
  EXPECT_NE(error.message.find("lib/other.so"), std::string::npos);
}

TEST(Manifest, RefusesThePluginIdGivenTwice) {
  Json json = manifest_json();
  json["plugins"].push_back(json["plugins"].at(0));

  EXPECT_EQ(refusal_of(json.dump()).field, "/plugins/1/id");
}

TEST(Manifest, RefusesTwoHashesForOneFile) {
  Json json = manifest_json();
  json["files"] = Json::object({{"lib/f1.so", std::string(64, 'b')}});

  EXPECT_NE(refusal_of(json.dump()).message.find("two hashes"), std::string::npos);
}

TEST(Manifest, RefusesAHashThatIsNotHex) {
  Json json = manifest_json();
  json["libraries"].items()[0]["sha256"] = "short";

  EXPECT_NE(refusal_of(json.dump()).text().find("sha256"), std::string::npos);
}

TEST(CompareVersions, OrdersAsSemverDoes) {
  const std::vector<std::string> rising = {"1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                           "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                                           "1.0.0",        "1.2.0",         "1.10.0"};
  for (size_t i = 0; i < rising.size(); ++i) {
    for (size_t k = 0; k < rising.size(); ++k) {
      const int order = compare_versions(rising[i], rising[k]);
      EXPECT_EQ(order < 0, i < k) << rising[i] << " " << rising[k];
      EXPECT_EQ(order > 0, i > k) << rising[i] << " " << rising[k];
    }
  }
}

TEST(CompareVersions, IgnoresBuildData) {
  EXPECT_EQ(compare_versions("1.0.0+a", "1.0.0+b"), 0);
}

}  // namespace
}  // namespace mortise::pack
