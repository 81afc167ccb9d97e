#include "hub/datasets.h"

#include "tests/support/faulty_file_ops.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

class DatasetsTest : public HubFixture {};

TEST_F(DatasetsTest, CountTheirVersionsAndServeTheNewestReleased) {
  EXPECT_EQ(*add(version_of("chest")), "chest@1");
  EXPECT_EQ(*add(version_of("chest", "{}\n{}\n")), "chest@2");
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
  ASSERT_TRUE(add(version_of("b")).ok());
  NewVersion other = version_of("c");
  other.media["a.png"] = hub_->blobs().put(base::as_bytes("JPG")).value();
  ASSERT_TRUE(add(other).ok());
  const auto digest = [&](const char* name) { return hub_->datasets().resolve(name)->digest; };
  EXPECT_EQ(digest("a"), digest("b"));
  EXPECT_NE(digest("a"), digest("c"));
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
  NewVersion version = version_of("chest");
  for (const char* name : {"b.png", "c.png"}) version.media[name] = version.media["a.png"];
  ASSERT_TRUE(add(version).ok());
  const std::string id = hub_->datasets().resolve("chest")->id;

  const auto first = hub_->datasets().media_page(id, {2, ""});
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->items.size(), 2u);
  EXPECT_EQ(first->items[1].name, "b.png");
  EXPECT_EQ(first->next_cursor, "b.png");
  const auto second = hub_->datasets().media_page(id, {2, first->next_cursor});
  ASSERT_EQ(second->items.size(), 1u);
  EXPECT_EQ(second->items[0].name, "c.png");
  EXPECT_EQ(second->next_cursor, "");
  EXPECT_EQ(hub_->datasets().medium(id, "c.png")->blob.size_bytes, 3u);
  EXPECT_EQ(hub_->datasets().medium(id, "d.png").error().code, Code::kNotFound);
}

TEST_F(DatasetsTest, AreFoundByWordsInNameDescriptionAndLabels) {
  NewVersion version = version_of("chest");
  version.description = "X-ray films";
  ASSERT_TRUE(add(version).ok());
  ASSERT_TRUE(add(version_of("other")).ok());
  EXPECT_EQ(hub_->datasets().list("ray films", {50, ""})->items.size(), 1u);
  EXPECT_EQ(hub_->datasets().list("zh", {50, ""})->items.size(), 2u);
  EXPECT_EQ(hub_->datasets().list("100%", {50, ""})->items.size(), 0u);
  EXPECT_EQ(hub_->datasets().list("", {1, ""})->next_cursor, "chest");
  EXPECT_EQ(hub_->datasets().list("", {1, "chest"})->items[0].name, "other");
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

TEST_F(DatasetsTest, KeepTheMediaOfAVersionByName) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const auto media = hub_->datasets().media(hub_->datasets().resolve("chest")->id);
  ASSERT_EQ(media->size(), 1u);
  EXPECT_TRUE(hub_->blobs().path_of(media->at("a.png")).ok());
}

// What a server that lost its disk at call n promised must be there after the restart; what it did
// not promise may be tried again.
TEST_F(DatasetsTest, SurviveALostDiskAtAnyCallOfTheCommit) {
  for (int n = 1;; ++n) {
    tests::FaultyFileOps files(base::posix_file_ops());
    open(files);
    files.lose_power_at(files.count() + n);
    const std::string name = "set" + std::to_string(n);
    base::Result<std::string> reference = base::Error(Code::kUnavailable, "");
    const auto rows = hub_->blobs().put(base::as_bytes("rows of " + name));
    if (rows.ok()) {
      NewVersion version;
      version.name = name;
      version.task_type = "vqa";
      version.rows = *rows;
      reference = add(version);
    }
    files.lose_unsynced();
    open(base::posix_file_ops());
    const auto found = hub_->datasets().resolve(name);
    EXPECT_EQ(found.ok(), reference.ok()) << "cut at call " << n;
    if (found.ok()) {
      EXPECT_TRUE(hub_->blobs().verify(found->rows).ok()) << "cut at call " << n;
    } else {
      EXPECT_TRUE(add(version_of(name)).ok()) << "cut at call " << n;
    }
    if (!files.was_hit()) break;
  }
}

}  // namespace
}  // namespace mortise::hub
