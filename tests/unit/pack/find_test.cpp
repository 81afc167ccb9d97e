#include "pack/find.h"

#include <gtest/gtest.h>

#include "pack_text.h"

namespace mortise::pack {
namespace {

using base::Code;
using test::files;
using test::TemporaryFolder;
using test::write_pack;

Search search_of(const TemporaryFolder& folder) {
  Search search;
  search.places = {{Tier::kUser, folder.path() + "/user"},
                   {Tier::kSystem, folder.path() + "/system"}};
  search.signatures = SignaturePolicy::kOff;
  return search;
}

TEST(FindPlugin, PrefersTheStrongerTierAndThenTheHigherVersion) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/system/a", "com.example.f1", "1.2.0");
  write_pack(folder.path() + "/system/b", "com.example.f1", "1.10.0");
  write_pack(folder.path() + "/user/c", "com.example.f1", "2.0.0");

  const auto decision = find_plugin(files(), search_of(folder), "com.example.f1");

  ASSERT_TRUE(decision.ok()) << decision.error().text();
  EXPECT_EQ(decision->manifest.version, "1.10.0");
  EXPECT_EQ(decision->library_path, folder.path() + "/system/b/lib/f1.so");
}

TEST(FindPlugin, ListsThePlacesWhenNothingIsThere) {
  const TemporaryFolder folder;

  const auto decision = find_plugin(files(), search_of(folder), "com.example.f1");

  ASSERT_FALSE(decision.ok());
  EXPECT_EQ(decision.error().code, Code::kNotFound);
  EXPECT_NE(decision.error().message.find(folder.path() + "/system"), std::string::npos);
  EXPECT_NE(decision.error().message.find(folder.path() + "/user"), std::string::npos);
}

TEST(FindPlugin, ReportsABrokenManifestInsteadOfNotFound) {
  const TemporaryFolder folder;
  test::write(folder.path() + "/system/a/pack.json", "{\"id\": \"com.example.f1\"");

  const auto decision = find_plugin(files(), search_of(folder), "com.example.f1");

  ASSERT_FALSE(decision.ok());
  EXPECT_EQ(decision.error().code, Code::kInvalidArgument);
  EXPECT_NE(decision.error().message.find("broken manifest"), std::string::npos);
}

TEST(FindPlugin, IsNotStoppedByABrokenManifestOfAnotherPlugin) {
  const TemporaryFolder folder;
  test::write(folder.path() + "/system/a/pack.json", "{");
  write_pack(folder.path() + "/system/b");

  EXPECT_TRUE(find_plugin(files(), search_of(folder), "com.example.f1").ok());
}

TEST(FindPlugin, RefusesTheSameVersionTwiceInOneTier) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/system/a");
  write_pack(folder.path() + "/system/b");

  const auto decision = find_plugin(files(), search_of(folder), "com.example.f1");

  ASSERT_FALSE(decision.ok());
  EXPECT_EQ(decision.error().code, Code::kAlreadyExists);
  EXPECT_NE(decision.error().message.find("/system/a"), std::string::npos);
  EXPECT_NE(decision.error().message.find("/system/b"), std::string::npos);
}

TEST(FindPlugin, FollowsTheJobsPinBeforeTheLock) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/system/a", "com.example.f1", "1.0.0");
  write_pack(folder.path() + "/system/b", "com.example.f1", "2.0.0");
  Search search = search_of(folder);
  search.lock["com.example.f1"] = {"2.0.0", ""};
  search.job_pins["com.example.f1"] = {"1.0.0", ""};

  EXPECT_EQ(find_plugin(files(), search, "com.example.f1")->manifest.version, "1.0.0");
}

TEST(FindPlugin, RefusesAPackWhoseHashIsNotTheLockedOne) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/system/a");
  Search search = search_of(folder);
  search.lock["com.example.f1"] = {"1.0.0", test::kHash};

  const auto decision = find_plugin(files(), search, "com.example.f1");

  ASSERT_FALSE(decision.ok());
  EXPECT_EQ(decision.error().code, Code::kFailedPrecondition);
  EXPECT_NE(decision.error().message.find(test::kHash), std::string::npos);
}

TEST(FindPlugin, SkipsUserPacksWhereThePolicyForbidsThem) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/user/a");
  Search search = search_of(folder);
  EXPECT_TRUE(find_plugin(files(), search, "com.example.f1").ok());

  search.allow_user_packs = false;
  EXPECT_EQ(find_plugin(files(), search, "com.example.f1").error().code, Code::kNotFound);
}

TEST(FindPlugin, EnforcesSignaturesOutsideOfTheSystemTier) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/user/a");
  Search search = search_of(folder);
  search.signatures = SignaturePolicy::kEnforce;

  const auto unsigned_pack = find_plugin(files(), search, "com.example.f1");
  ASSERT_FALSE(unsigned_pack.ok());
  EXPECT_NE(unsigned_pack.error().message.find("not signed"), std::string::npos);

  const auto key = base::make_signing_key();
  search.keyring.keys = {
      {base::Bytes(key.verify.begin(), key.verify.end()), "Vendor", {"com.example."}, "", false}};
  ASSERT_TRUE(sign_pack(files(), folder.path() + "/user/a", key).ok());
  const auto signed_pack = find_plugin(files(), search, "com.example.f1");
  ASSERT_TRUE(signed_pack.ok()) << signed_pack.error().text();
  EXPECT_EQ(signed_pack->signer, "Vendor");
}

TEST(Explain, TellsEachPlaceAndEachRule) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/system/a");
  Search search = search_of(folder);
  search.policy.disabled = {"com.example.f1"};

  const std::string text =
      explanation_text("com.example.f1", explain(files(), search, "com.example.f1"));

  EXPECT_NE(text.find(folder.path() + "/system"), std::string::npos) << text;
  EXPECT_NE(text.find("NO  enabled"), std::string::npos) << text;
  EXPECT_NE(text.find("yes pin"), std::string::npos) << text;
  EXPECT_NE(text.find("not usable"), std::string::npos) << text;
}

TEST(UsualSearch, RefusesARelativeDeveloperFolder) {
  ::setenv("MORTISE_PACK_PATH", "packs", 1);

  const auto relative = usual_search(files(), "", true);
  const auto ignored = usual_search(files(), "", false);
  ::unsetenv("MORTISE_PACK_PATH");

  ASSERT_FALSE(relative.ok());
  EXPECT_EQ(relative.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(ignored.ok());
}

TEST(Lock, KeepsPinsAndRefusesBrokenOnes) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/mortise.lock";
  ASSERT_TRUE(write_lock(files(), path, {{"com.example.f1", {"1.0.0", test::kHash}}}).ok());

  EXPECT_EQ(read_lock(files(), path)->at("com.example.f1").sha256, test::kHash);
  for (const char* text :
       {"{}", "[]", R"({"lock_version":2,"plugins":{}})",
        R"({"lock_version":1,"plugins":{"a":{"sha256":"xyz"}}})",
        R"({"lock_version":1,"plugins":{"a":{"hash":"x"}}})", R"({"lock_version":1,"more":1})"}) {
    const auto lock = parse_lock(text, "mortise.lock");
    ASSERT_FALSE(lock.ok()) << text;
    EXPECT_EQ(lock.error().file, "mortise.lock") << text;
  }
}

}  // namespace
}  // namespace mortise::pack
