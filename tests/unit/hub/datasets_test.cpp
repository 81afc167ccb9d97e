#include "hub/datasets.h"

#include "tests/support/faulty_file_ops.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

class DatasetsTest : public HubFixture {
 protected:
  // As run publishes: sealed, synced, then one transaction.
  base::Result<std::string> add_one_row(const std::string& name) {
    NewVersion version;
    version.name = name;
    version.task_type = "vqa";
    MORTISE_ASSIGN(version.domain, hub_->domains().id_of(name));
    MORTISE_ASSIGN(const auto in, hub_->domains().open(version.domain));
    MORTISE_ASSIGN(const store::DomainKey key, hub_->store().key_of(version.domain));
    store::RowTableWriter rows(in, key);
    MORTISE_TRY(rows.add("{}"));
    MORTISE_ASSIGN(version.rows, rows.finish());
    MORTISE_TRY(in->sync());
    return add(version);
  }
};

TEST_F(DatasetsTest, CountTheirVersionsAndServeTheNewestReleased) {
  EXPECT_EQ(*add(version_of("chest")), "chest@1");
  EXPECT_EQ(*add(version_of("chest", {"{}", "{}"})), "chest@2");
  NewVersion draft = version_of("chest");
  draft.draft = true;
  EXPECT_EQ(*add(draft), "chest@3");
  EXPECT_EQ(hub_->datasets().resolve("chest")->number, 2);
  EXPECT_EQ(hub_->datasets().resolve("chest@1")->number, 1);
  EXPECT_EQ(hub_->datasets().resolve("chest@3")->state, "draft");
  ASSERT_TRUE(hub_->datasets().release("chest@3").ok());
  EXPECT_EQ(hub_->datasets().resolve("chest")->number, 3);
  const auto third = hub_->datasets().resolve("chest@3");
  EXPECT_EQ(hub_->datasets().resolve(third->id)->number, 3);
}

TEST_F(DatasetsTest, HaveADigestThatFollowsTheContent) {
  ASSERT_TRUE(add(version_of("a")).ok());
  ASSERT_TRUE(add(version_of("a")).ok());
  ASSERT_TRUE(add(version_of("a", {"{}"}, {{"a.png", "JPG"}})).ok());
  ASSERT_TRUE(add(version_of("b")).ok());
  const auto digest = [&](const char* name) { return hub_->datasets().resolve(name)->digest; };
  EXPECT_EQ(digest("a@1"), digest("a@2"));
  EXPECT_NE(digest("a@1"), digest("a@3"));
  EXPECT_NE(digest("a@1"), digest("b@1")) << "the same content is not to be told across data sets";
}

TEST_F(DatasetsTest, RefuseRowsOfAnotherTask) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  NewVersion other = version_of("chest");
  other.task_type = "caption";
  EXPECT_EQ(add(other).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(hub_->datasets().versions("chest")->size(), 1u);
}

TEST_F(DatasetsTest, AreNotThereAfterDeletionAndComeBack) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(hub_->datasets().remove("chest@2").ok());
  EXPECT_EQ(hub_->datasets().resolve("chest@2").error().code, Code::kNotFound);
  EXPECT_EQ(hub_->datasets().resolve("chest")->number, 1);
  ASSERT_TRUE(hub_->datasets().restore("chest", 2).ok());
  EXPECT_EQ(hub_->datasets().resolve("chest")->number, 2);
  EXPECT_EQ(hub_->datasets().remove("nobody").error().code, Code::kNotFound);
}

TEST_F(DatasetsTest, ListTheirMediaInPages) {
  ASSERT_TRUE(
      add(version_of("chest", {"{}"}, {{"a.png", "A"}, {"b.png", "B"}, {"c.png", "C"}})).ok());
  const Version version = hub_->datasets().resolve("chest").value();
  const auto media = hub_->datasets().media(version);
  ASSERT_TRUE(media.ok()) << media.error().text();

  const auto first = page_of_names(*media, {2, ""});
  ASSERT_EQ(first->items.size(), 2u);
  EXPECT_EQ(first->items[1].name, "b.png");
  EXPECT_EQ(first->next_cursor, "b.png");
  const auto second = page_of_names(*media, {2, first->next_cursor});
  ASSERT_EQ(second->items.size(), 1u);
  EXPECT_EQ(second->items[0].name, "c.png");
  EXPECT_EQ(second->next_cursor, "");
  EXPECT_EQ(media->find("c.png")->value().size_bytes, 1u);
  EXPECT_FALSE(media->find("d.png")->has_value());
}

TEST_F(DatasetsTest, AreFoundByWordsInNameDescriptionAndLabels) {
  NewVersion version = version_of("chest");
  version.description = "X-ray films";
  ASSERT_TRUE(add(version).ok());
  ASSERT_TRUE(add(version_of("other")).ok());
  EXPECT_EQ(hub_->datasets().list({"ray films", {}}, {50, ""})->items.size(), 1u);
  EXPECT_EQ(hub_->datasets().list({"zh", {}}, {50, ""})->items.size(), 2u);
  EXPECT_EQ(hub_->datasets().list({"100%", {}}, {50, ""})->items.size(), 0u);
  EXPECT_EQ(hub_->datasets().list({"", {}}, {1, ""})->next_cursor, "chest");
  EXPECT_EQ(hub_->datasets().list({"", {}}, {1, "chest"})->items[0].name, "other");
}

TEST_F(DatasetsTest, ChangeLabelsWithoutTouchingAVersion) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const std::string before = hub_->datasets().resolve("chest")->digest;
  ASSERT_TRUE(
      hub_->datasets()
          .describe("chest", Json("new"), Json::object({{"language", Json()}, {"site", "b"}}))
          .ok());
  const auto dataset = hub_->datasets().get("chest");
  EXPECT_EQ(dataset->labels, Json::object({{"site", "b"}}));
  EXPECT_EQ(dataset->description, "new");
  EXPECT_EQ(hub_->datasets().resolve("chest")->digest, before);
  EXPECT_EQ(hub_->datasets().describe("nobody", Json(), Json()).error().code, Code::kNotFound);
}

TEST_F(DatasetsTest, KeepRowsAndMediaSealedUnderTheirNames) {
  ASSERT_TRUE(add(version_of("chest", {R"({"n":1})", R"({"n":2})"})).ok());
  const Version version = hub_->datasets().resolve("chest").value();

  EXPECT_EQ(hub_->datasets().rows(version)->row(1).value(), R"({"n":2})");
  EXPECT_EQ(hub_->datasets().rows(version)->row(2).error().code, Code::kOutOfRange);
  const auto picture = hub_->datasets().media(version)->find("a.png").value();
  EXPECT_EQ(domain("chest")->read_all(*picture).value(), "PNG");
}

// What a server that lost its disk at call n promised must be there after the restart; what it did
// not promise may be tried again.
TEST_F(DatasetsTest, SurviveALostDiskAtAnyCallOfTheCommit) {
  for (int n = 1;; ++n) {
    tests::FaultyFileOps files(base::posix_file_ops());
    open(files);
    files.lose_power_at(files.count() + n);
    const std::string name = "set" + std::to_string(n);
    const auto reference = add_one_row(name);
    files.lose_unsynced();
    open(base::posix_file_ops());
    const auto found = hub_->datasets().resolve(name);
    EXPECT_EQ(found.ok(), reference.ok()) << "cut at call " << n;
    if (found.ok()) {
      EXPECT_EQ(hub_->datasets().rows(*found)->row(0).value(), "{}") << "cut at call " << n;
    } else {
      EXPECT_TRUE(add(version_of(name)).ok()) << "cut at call " << n;
    }
    if (!files.was_hit()) break;
  }
}

}  // namespace
}  // namespace mortise::hub
