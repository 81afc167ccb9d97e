#include "hub/upkeep.h"

#include "hub/row_search.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

class UpkeepTest : public HubFixture {};

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

// Between an object and its row there is time: a file that is taken apart, a body that arrives.
TEST_F(UpkeepTest, CompactionPassesOverWhatIsBeingStored) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const std::string id = domain("chest")->domain_id();
  const store::CompactOptions now{.dead_share_max = 0, .grace_ns = 0};
  store::ObjectRef kept;
  {
    const auto storing = hub_->domains().open_to_store(id);
    ASSERT_TRUE(storing.ok());
    kept = (*storing)->put(base::as_bytes("its row comes later")).value();
    ASSERT_TRUE((*storing)->finish_segment().ok());
    {
      const auto second = hub_->domains().open_to_store(id);
      ASSERT_TRUE(second.ok());
    }
    const auto facts = compact(*hub_, now);
    ASSERT_TRUE(facts.ok()) << facts.error().text();
    EXPECT_EQ(facts->domains_busy, 1u);
    EXPECT_EQ(facts->chunks_dropped, 0u);
    EXPECT_EQ((*storing)->read_all(kept).value(), "its row comes later");
    const auto day_old = compact(*hub_, {.dead_share_max = 0});
    EXPECT_EQ(day_old->domains_busy, 0u) << "it began within the grace, and so did its segments";
  }
  const auto facts = compact(*hub_, now);
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->domains_busy, 0u);
  EXPECT_FALSE(domain("chest")->read_all(kept).ok()) << "no row came";
}

TEST_F(UpkeepTest, CompactionKeepsWhatJobsSealedBesideTheRows) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const auto end_with = [&](const Job& job, const store::ObjectRef& object) {
    const Json record = Json::object(
        {{"objects", Json::array({Json::object({{"name", "made.jsonl"},
                                                {"domain", domain("chest")->domain_id()},
                                                {"object", to_text(object)}})})}});
    const Job running = hub_->jobs().start(job.id).value();
    ASSERT_TRUE(hub_->jobs().publish(running, {}, record, {}).ok());
  };
  const auto predictions = sealed("chest", "predictions"), matches = sealed("chest", "matches");
  sealed("chest", "named by nobody");
  end_with(hub_->jobs().submit({train("t"), "", "", ""}).value(), predictions);
  const Job search = begin_row_search(*hub_, "chest", {.where = {"n=1"}}, kMatchesDefault).value();
  const auto query = store::parse_object_ref(search.manifest["search"]["query"].as_string());
  const auto compacted = [&] {
    ASSERT_TRUE(domain("chest")->finish_segment().ok());
    const auto facts = compact(*hub_, {.dead_share_max = 0, .grace_ns = 0});
    ASSERT_TRUE(facts.ok()) << facts.error().text();
    EXPECT_GT(facts->chunks_dropped, 0u);
  };

  compacted();
  EXPECT_TRUE(domain("chest")->read_all(*query).ok()) << "the search waits yet";
  EXPECT_FALSE(domain("chest")->read_all(matches).ok()) << "no job names them yet";
  const auto found = sealed("chest", "found");
  end_with(search, found);
  sealed("chest", "named by nobody either");
  compacted();
  EXPECT_EQ(domain("chest")->read_all(found).value(), "found");
  ASSERT_TRUE(hub_->database()
                  .write([&](Connection& connection) -> base::Status {
                    MORTISE_TRY(
                        connection.run("UPDATE jobs SET finished_ns = ?1 WHERE id = ?2",
                                       {hub_->clock().now_ns() - kMatchesKeptNs, search.id}));
                    return {};
                  })
                  .ok());
  compacted();
  EXPECT_EQ(domain("chest")->read_all(found).error().code, Code::kNotFound) << "a day later";
  EXPECT_EQ(domain("chest")->read_all(*query).error().code, Code::kNotFound);
  EXPECT_EQ(domain("chest")->read_all(predictions).value(), "predictions");
}

}  // namespace
}  // namespace mortise::hub
