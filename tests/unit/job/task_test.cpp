#include "job/task.h"

#include <gtest/gtest.h>

#include "job/dataset_file.h"
#include "job/result.h"
#include "tests/support/temp_folder.h"

namespace mortise::job {
namespace {

using base::posix_file_ops;

Task example() {
  Task task;
  task.id = "j1";
  task.attempt = 3;
  task.kind = "train";
  task.manifest = base::Json::object({{"kind", "train"}});
  task.inputs.model_folder = "/models/a";
  task.inputs.adapters = {{"x", "/models/x"}};
  task.inputs.sealed_folders = {{"/models/x", "job-a"}, {"/out", "job-b"}};
  task.inputs.arguments = base::Json::object({{"seed", 1}});
  task.output_folder = "/out";
  task.pack_folders = {"/packs/a", "/packs/b"};
  task.threads = 4;
  task.seed = 7;
  task.lease_ms = 1000;
  return task;
}

TEST(Task, ComesBackAsItWasWritten) {
  const tests::TempFolder folder;
  ASSERT_TRUE(write_task(posix_file_ops(), folder / "t", example()).ok());
  const auto task = read_task(posix_file_ops(), folder / "t");
  ASSERT_TRUE(task.ok()) << task.error().text();
  EXPECT_EQ(task->to_json(), example().to_json());
  EXPECT_EQ(task->inputs.adapters[0].folder, "/models/x");
  EXPECT_EQ(task->inputs.sealed_folders.at(1).domain, "job-b");
  EXPECT_TRUE(posix_file_ops().exists(folder / "t/checkpoints").value());
}

TEST(Task, SaysInWhichDomainAPathIsSealed) {
  const TaskInputs inputs = example().inputs;
  EXPECT_EQ(domain_of(inputs, "/models/x"), "job-a");
  EXPECT_EQ(domain_of(inputs, "/models/x/config.json"), "job-a");
  EXPECT_EQ(domain_of(inputs, "/models/xy/config.json"), "");
  EXPECT_EQ(domain_of(inputs, "/models"), "");
  EXPECT_EQ(domain_of(inputs, "/out/adapter/a"), "job-b");
}

TEST(Task, NamesTheFieldThatIsMissing) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), folder / "task.json",
                                       R"({"task_version": 1, "kind": "train"})")
                  .ok());
  const auto task = read_task(posix_file_ops(), folder.path());
  ASSERT_FALSE(task.ok());
  EXPECT_EQ(task.error().field, "/id");
  EXPECT_EQ(task.error().file, folder / "task.json");
}

TEST(Task, RefusesAnotherVersion) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), folder / "task.json",
                                       R"({"task_version": 2, "id": "a", "kind": "train"})")
                  .ok());
  EXPECT_EQ(read_task(posix_file_ops(), folder.path()).error().code, base::Code::kUnimplemented);
}

TEST(Task, SaysWhichFileIsNotThere) {
  EXPECT_EQ(read_task(posix_file_ops(), "/nowhere").error().code, base::Code::kNotFound);
}

TEST(DatasetFile, ComesBackAsItWasWritten) {
  const tests::TempFolder folder;
  DatasetFile dataset;
  dataset.name = "xray";
  dataset.version = 2;
  dataset.task_type = "vqa";
  dataset.rows_file = "/blobs/r";
  dataset.media = {{"images/ä.png", "/blobs/1"}, {"b.png", "/blobs/2"}};
  dataset.row_count = 9;
  ASSERT_TRUE(write_dataset_file(posix_file_ops(), folder / "dataset.json", dataset).ok());
  const auto read = read_dataset_file(posix_file_ops(), folder / "dataset.json");
  ASSERT_TRUE(read.ok()) << read.error().text();
  EXPECT_EQ(read->media, dataset.media);
  EXPECT_EQ(read->row_count, 9);
}

TEST(TaskResult, RefusesAnArtifactOutsideItsFolder) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::write_file_durably(
                  posix_file_ops(), folder / "result.json",
                  R"({"ok": true, "artifacts": [{"path": "../../token", "sha256": "00"}]})")
                  .ok());
  EXPECT_EQ(read_result(posix_file_ops(), folder.path()).error().code,
            base::Code::kInvalidArgument);
}

TEST(TaskResult, ListsArtifactsWithTheirDigests) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::make_folders(posix_file_ops(), folder / "a/b").ok());
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), folder / "a/b/x", "abc").ok());
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), folder / "a/a", "").ok());
  const auto listed = list_artifacts(posix_file_ops(), folder.path());
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].path, "a/a");
  EXPECT_EQ((*listed)[1].path, "a/b/x");
  EXPECT_EQ((*listed)[1].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace mortise::job
