#include "hub/upkeep.h"

#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

class UpkeepTest : public HubFixture {};

TEST_F(UpkeepTest, ScrubFindsNothingInWhatIsWhole) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const auto facts = scrub(*hub_, 0);
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->domains, 1u);
  EXPECT_GT(facts->chunks_ok, 3u);
  EXPECT_TRUE(facts->findings.empty());
}

TEST_F(UpkeepTest, AShreddedDataSetIsGoneAndItsNameIsFree) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const Version version = hub_->datasets().resolve("chest").value();

  const std::string key_id = hub_->store().key_of(version.domain)->key_id();

  const auto facts = shred(*hub_, "chest");

  ASSERT_TRUE(facts.ok()) << facts.error().text();
  const Json& certificate = *facts;
  EXPECT_EQ(certificate["domain"].as_string(), version.domain);
  EXPECT_EQ(certificate["key_id"].as_string(), key_id);
  EXPECT_EQ(certificate["versions"].at(0)["reference"].as_string(), "chest@1");
  EXPECT_EQ(certificate["versions"].at(0)["digest"].as_string(), version.digest);
  EXPECT_GT(certificate["chunks"].as_int(), 0);
  EXPECT_EQ(certificate["shredded_at"].as_string().substr(0, 2), "20");
  EXPECT_EQ(*certificates(*hub_, "chest"), Json::array({certificate})) << "it is kept";
  EXPECT_EQ(hub_->datasets().resolve("chest").error().code, Code::kNotFound);
  EXPECT_FALSE(hub_->datasets().rows(version).ok());
  EXPECT_EQ(hub_->datasets().restore("chest", 1).error().code, Code::kNotFound);
  EXPECT_EQ(shred(*hub_, "chest").error().code, Code::kNotFound);
  EXPECT_EQ(*add(version_of("chest")), "chest@2");
}

TEST_F(UpkeepTest, AShredThatWasCutIsFinishedAtTheNextStart) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const std::string domain = hub_->datasets().resolve("chest")->domain;
  ASSERT_TRUE(hub_->store().shred(domain).ok());  // and then the power went

  open(base::posix_file_ops());

  EXPECT_EQ(hub_->datasets().resolve("chest").error().code, Code::kNotFound);
  EXPECT_EQ(*add(version_of("chest")), "chest@2");
}

TEST_F(UpkeepTest, ABackupWithTheRootKeyIsAWholeStore) {
  ASSERT_TRUE(add(version_of("chest", {R"({"n":1})"})).ok());
  const std::string target = folder_ / "backup";

  const auto facts = backup(*hub_, target);

  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_GT(facts->segments_copied, 0u);
  EXPECT_EQ(backup(*hub_, target)->segments_copied, 0u) << "nothing is new";
  base::FileOps& files = base::posix_file_ops();
  const std::string home = folder_ / "restored";
  ASSERT_TRUE(base::make_folders(files, home + "/database").ok());
  ASSERT_TRUE(store::restore(files, target, home + "/store", home + "/keys").ok());
  ASSERT_TRUE(files.link(target + "/mortise.db", home + "/database/mortise.db").ok());
  ASSERT_TRUE(files.link(folder_ / "home/keys/root.key", home + "/keys/root.key").ok());
  const auto restored = Hub::open(files, base::system_clock(), base::system_random(), home);
  ASSERT_TRUE(restored.ok()) << restored.error().text();
  const auto version = (*restored)->datasets().resolve("chest");
  ASSERT_TRUE(version.ok()) << version.error().text();
  EXPECT_EQ((*restored)->datasets().rows(*version)->row(0).value(), R"({"n":1})");
}

}  // namespace
}  // namespace mortise::hub
