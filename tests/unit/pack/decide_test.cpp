#include "pack/decide.h"

#include <gtest/gtest.h>

#include "pack_text.h"

namespace mortise::pack {
namespace {

using base::Json;
using test::manifest_json;

Machine some_machine() {
  Machine machine;
  machine.platform = "linux_amd64_glibc";
  machine.glibc_minor = 36;
  machine.cpu_features = {"sse2", "avx2"};
  machine.devices = {{"10de", "030200"}};
  machine.modules = {{"nvidia", "550.54.14"}};
  return machine;
}

Manifest parse(const Json& json) {
  return parse_manifest(json.dump(), "pack.json").value();
}

// The rule that refuses, or "" when the pack is taken.
std::string refusing_rule(const Json& json, const Policy& policy = {},
                          const Machine& machine = some_machine()) {
  const Manifest manifest = parse(json);
  const Choice choice = decide(manifest, manifest.plugins[0], machine, policy);
  if (choice.library != nullptr) return "";
  EXPECT_FALSE(choice.verdicts.back().accepted);
  return choice.verdicts.back().rule;
}

Json two_variants() {
  Json json = manifest_json();
  Json& libraries = json["libraries"];
  libraries.items()[0]["name"] = "f1";
  libraries.push_back(Json::object({{"name", "f1"},
                                    {"platform", "linux_amd64_glibc"},
                                    {"path", "lib/f1_avx2.so"},
                                    {"sha256", test::kHash},
                                    {"cpu_features", Json::array({"avx2"})},
                                    {"score", 10}}));
  return json;
}

TEST(Decide, TakesAPlainPack) {
  EXPECT_EQ(refusing_rule(manifest_json()), "");
}

TEST(Decide, PrefersTheVariantWithTheHigherScore) {
  const Manifest manifest = parse(two_variants());

  const Choice choice = decide(manifest, manifest.plugins[0], some_machine(), {});

  ASSERT_NE(choice.library, nullptr);
  EXPECT_EQ(choice.library->path, "lib/f1_avx2.so");
}

TEST(Decide, FallsBackToTheVariantThatTheCpuCanRun) {
  const Manifest manifest = parse(two_variants());
  Machine machine = some_machine();
  machine.cpu_features.erase("avx2");

  const Choice choice = decide(manifest, manifest.plugins[0], machine, {});

  ASSERT_NE(choice.library, nullptr);
  EXPECT_EQ(choice.library->path, "lib/f1.so");
}

TEST(Decide, RefusesWhenNoVariantFitsTheCpu) {
  Json json = manifest_json();
  json["libraries"].items()[0]["cpu_features"] = Json::array({"avx512f"});

  EXPECT_EQ(refusing_rule(json), "cpu_features");
}

TEST(Decide, RefusesAnotherPlatform) {
  Json json = manifest_json();
  json["libraries"].items()[0]["platform"] = "linux_arm64_glibc";

  EXPECT_EQ(refusing_rule(json), "platform");
}

TEST(Decide, ComparesTheLeastGlibc) {
  Json json = manifest_json();
  json["libraries"].items()[0]["platform"] = "linux_amd64_glibc228";
  EXPECT_EQ(refusing_rule(json), "");

  json["libraries"].items()[0]["platform"] = "linux_amd64_glibc239";
  EXPECT_EQ(refusing_rule(json), "platform");
}

TEST(Decide, RefusesANewerMinorAndGenerationWithBothValues) {
  Json json = manifest_json();
  json["abi"]["needs_minor"] = 4;
  const Manifest manifest = parse(json);

  const Choice choice = decide(manifest, manifest.plugins[0], some_machine(), {});

  EXPECT_EQ(choice.library, nullptr);
  EXPECT_EQ(choice.verdicts.back().text,
            "It needs ABI minor 4, this host has 0; install a newer Mortise or an older version "
            "of the pack.");
  json["abi"]["generation"] = 2;
  EXPECT_EQ(refusing_rule(json), "generation");
}

TEST(Decide, RefusesDraftsWhereThePolicyDoes) {
  Json json = manifest_json();
  json["plugins"].items()[0]["uses_draft"] = true;
  EXPECT_EQ(refusing_rule(json), "");

  Policy policy;
  policy.allow_draft = false;
  EXPECT_EQ(refusing_rule(json, policy), "draft");
}

TEST(Decide, RefusesWhatTheSiteDisabled) {
  Policy policy;
  policy.disabled = {"com.example.*"};

  EXPECT_EQ(refusing_rule(manifest_json(), policy), "enabled");
}

TEST(Decide, RefusesPermissionsAndIsolationBeyondThePolicy) {
  Json json = manifest_json();
  json["permissions"] = Json::object({{"network", true}});
  EXPECT_EQ(refusing_rule(json), "permissions");

  json = manifest_json();
  json["plugins"].items()[0]["isolation_min"] = "L3";
  Policy policy;
  policy.isolation_level = 1;
  EXPECT_EQ(refusing_rule(json, policy), "isolation");
}

TEST(Decide, MatchesDeviceAndDriver) {
  Json json = manifest_json();
  Json match = Json::object({{"pci_vendor", "10de"}, {"pci_class", "0302"}, {"driver", "nvidia"}});
  json["runtime"] = Json::object({{"devices", Json::array({match})}, {"driver_min", "525.60"}});
  EXPECT_EQ(refusing_rule(json), "");

  json["runtime"]["driver_min"] = "560";
  EXPECT_EQ(refusing_rule(json), "driver_min");

  json["runtime"]["devices"].items()[0]["pci_vendor"] = "1002";
  EXPECT_EQ(refusing_rule(json), "device");
}

TEST(Decide, RefusesAnotherLibtorch) {
  Json json = manifest_json();
  json["runtime"] = Json::object({{"libtorch_tag", "2.11.0"}});
  Machine machine = some_machine();
  machine.libtorch_tag = "2.13.0";

  EXPECT_EQ(refusing_rule(json, {}, machine), "libtorch");
}

TEST(Machine, KnowsItsOwnPlatform) {
  const Machine& machine = this_machine();

  EXPECT_TRUE(machine.platform.ends_with("_glibc"));
  EXPECT_GT(machine.glibc_minor, 17u);
  EXPECT_FALSE(machine.cpu_features.empty());
}

}  // namespace
}  // namespace mortise::pack
