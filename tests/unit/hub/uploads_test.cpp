#include "hub/uploads.h"

#include "hub/upkeep.h"

#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

class UploadsTest : public HubFixture {};

TEST_F(UploadsTest, BecomeAnIngestJobWithTheirOptions) {
  const std::string id = upload_of("chest");
  const auto job = hub_->uploads().begin_check(id);
  ASSERT_TRUE(job.ok()) << job.error().text();
  EXPECT_EQ(job->kind, "ingest");
  EXPECT_EQ(job->manifest["ingest"]["upload"].as_string(), id);
  EXPECT_EQ(job->manifest["task"].as_string(), "vqa");
  EXPECT_EQ(hub_->uploads().get(id)->state, "checking");
}

TEST_F(UploadsTest, TakeNoFileWhileTheyAreChecked) {
  const std::string id = upload_of("chest");
  ASSERT_TRUE(hub_->uploads().begin_check(id).ok());
  const auto late = sealed("chest", "late");
  EXPECT_EQ(hub_->uploads().put_file(id, "late", late).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(hub_->uploads().begin_check(id).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(hub_->uploads().remove(id).error().code, Code::kFailedPrecondition);
}

TEST_F(UploadsTest, MayBeMendedAfterAFailedCheck) {
  const std::string id = upload_of("chest");
  const auto job = hub_->uploads().begin_check(id);
  const auto started = hub_->jobs().start(job->id);
  ASSERT_TRUE(hub_->jobs().finish(*started, "failed", "rows", Json("why")).ok());
  EXPECT_EQ(hub_->uploads().get(id)->state, "failed");
  EXPECT_TRUE(hub_->uploads().put_file(id, "rows.jsonl", sealed("chest", "mended")).ok());
  EXPECT_EQ(names_of(id), (std::vector<std::string>{"images/a.png", "rows.jsonl"}));
  EXPECT_TRUE(hub_->uploads().begin_check(id).ok());
}

TEST_F(UploadsTest, RefuseNamesThatLeaveTheUpload) {
  const std::string id = upload_of("chest");
  const auto file = sealed("chest", "x");
  for (const char* name : {"../x", "/x", "a/../b", "", "a//b", "a\\b"}) {
    EXPECT_EQ(hub_->uploads().put_file(id, name, file).error().code, Code::kInvalidArgument)
        << name;
  }
}

TEST_F(UploadsTest, RefuseBadOptionsBeforeAnythingIsSent) {
  EXPECT_EQ(hub_->uploads().create("a b", Json::object()).error().code, Code::kInvalidArgument);
  EXPECT_EQ(hub_->uploads().create("a", Json::object({{"task_type", "vqaa"}})).error().code,
            Code::kInvalidArgument);
}

TEST_F(UploadsTest, AreNotCheckedWithoutFiles) {
  const auto upload = hub_->uploads().create("a", Json::object({{"task_type", "vqa"}}));
  EXPECT_EQ(hub_->uploads().begin_check(upload->id).error().code, Code::kFailedPrecondition);
}

TEST_F(UploadsTest, LeaveTheListWhenTheyAreRemoved) {
  const std::string id = upload_of("chest");
  ASSERT_TRUE(hub_->uploads().remove(id).ok());
  EXPECT_EQ(hub_->uploads().get(id).error().code, Code::kNotFound);
  EXPECT_TRUE(hub_->uploads().list({50, ""})->items.empty());
}

TEST_F(UploadsTest, TakeManyFilesAsOneTableAndAFileByItselfWins) {
  const std::string id = upload_of("chest");
  const auto table = store::write_names(
      domain("chest"), {{"b.png", sealed("chest", "B")}, {"rows.jsonl", sealed("chest", "old")}});
  ASSERT_TRUE(hub_->uploads().put_table(id, *table).ok());

  EXPECT_EQ(names_of(id), (std::vector<std::string>{"b.png", "images/a.png", "rows.jsonl"}));
  EXPECT_EQ(hub_->uploads().get(id)->files_count, 4);
  const auto files = hub_->uploads().files(id, {1000, ""});
  EXPECT_EQ(domain("chest")->read_all(files->items[2].ref).value(), "{}\n");
  EXPECT_EQ(hub_->uploads().remove_file(id, "b.png").error().code, Code::kNotFound);
  EXPECT_TRUE(hub_->uploads().remove_file(id, "images/a.png").ok());
}

TEST_F(UploadsTest, LeaveNothingBehindAfterACompactionOnceTheyAreRemoved) {
  const std::string id = upload_of("chest");
  ASSERT_TRUE(domain("chest")->finish_segment().ok());
  const auto kept = compact(*hub_, {.dead_share_max = 0, .grace_ns = 0});
  ASSERT_TRUE(kept.ok()) << kept.error().text();
  EXPECT_EQ(names_of(id).size(), 2u);

  ASSERT_TRUE(hub_->uploads().remove(id).ok());
  ASSERT_TRUE(domain("chest")->finish_segment().ok());
  const auto freed = compact(*hub_, {.dead_share_max = 0, .grace_ns = 0});

  ASSERT_TRUE(freed.ok()) << freed.error().text();
  EXPECT_GT(freed->bytes_freed, 0u);
  EXPECT_EQ(domain("chest")->counts().chunks, 0u);
}

class ModelsTest : public HubFixture {
 protected:
  base::Result<Model> import(const std::string& name, const std::string& config) {
    auto prepared = prepared_model({{config, "{}"}, {"model.safetensors", "W"}});
    if (!prepared.ok()) return prepared.error();
    prepared->name = name;
    if (prepared->kind == "adapter") prepared->base = "base@1";
    return hub_->models().import(*prepared);
  }
};

TEST_F(ModelsTest, AreOrdinaryFolders) {
  const auto model = import("base", "config.json");
  ASSERT_TRUE(model.ok()) << model.error().text();
  EXPECT_EQ(model->reference(), "base@1");
  EXPECT_EQ(model->kind, "model");
  EXPECT_EQ(base::read_file(base::posix_file_ops(), model->folder + "/model.safetensors").value(),
            "W");
  EXPECT_EQ(import("base", "config.json")->reference(), "base@2");
  EXPECT_EQ(hub_->models().resolve("base")->number, 2);
  EXPECT_EQ(import("ad", "adapter_config.json")->kind, "adapter");
}

TEST_F(ModelsTest, RefuseAFolderThatIsNone) {
  EXPECT_EQ(import("base", "readme.md").error().code, Code::kInvalidArgument);
  EXPECT_EQ(import("no name", "config.json").error().code, Code::kInvalidArgument);
  EXPECT_TRUE(base::posix_file_ops().list(folder_ / "home/models")->empty());
}

TEST_F(ModelsTest, LeaveNoFolderOfAnImportThatWasCutOff) {
  ASSERT_TRUE(prepared_model({{"config.json", "{}"}}).ok());
  open(base::posix_file_ops());
  EXPECT_TRUE(base::posix_file_ops().list(folder_ / "home/models")->empty());
}

TEST_F(ModelsTest, AreGoneAfterDeletion) {
  ASSERT_TRUE(import("base", "config.json").ok());
  ASSERT_TRUE(hub_->models().remove("base").ok());
  EXPECT_EQ(hub_->models().resolve("base").error().code, Code::kNotFound);
  EXPECT_EQ(hub_->models().remove("base").error().code, Code::kNotFound);
}

class EndpointsTest : public HubFixture {
 protected:
  job::Manifest serve() { return manifest(R"({"kind":"serve","name":"e","model":"m"})"); }
};

TEST_F(EndpointsTest, FollowTheJobBehindThem) {
  ASSERT_TRUE(hub_->endpoints().start("e", serve()).ok());
  EXPECT_EQ(hub_->endpoints().get("e")->state, "starting");
  const auto job = hub_->jobs().start(hub_->endpoints().get("e")->job_id);
  ASSERT_TRUE(hub_->jobs().set_progress(*job, Json::object({{"endpoint", "ready"}})).ok());
  EXPECT_EQ(hub_->endpoints().get("e")->state, "ready");
  ASSERT_TRUE(hub_->jobs().finish(*job, "failed", "", Json("why")).ok());
  EXPECT_EQ(hub_->endpoints().get("e")->state, "stopped");
  EXPECT_TRUE(hub_->endpoints().start("e", serve()).ok());
}

TEST_F(EndpointsTest, KeepTheirNameWhileTheyServe) {
  ASSERT_TRUE(hub_->endpoints().start("e", serve()).ok());
  EXPECT_EQ(hub_->endpoints().start("e", serve()).error().code, Code::kAlreadyExists);
  ASSERT_TRUE(hub_->endpoints().stop("e").ok());
  EXPECT_EQ(hub_->endpoints().get("e").error().code, Code::kNotFound);
  EXPECT_EQ(hub_->jobs().list({"cancelled", "", ""}, {50, ""})->items.size(), 1u);
}

}  // namespace
}  // namespace mortise::hub
