#include "hub/home_files.h"

#include <filesystem>

#include "hub/verify.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/unit/hub/hub_fixture.h"
#include "tests/unit/hub/hub_scenario.h"

namespace mortise::hub {
namespace {

namespace fs = std::filesystem;

using base::Code;
using base::posix_file_ops;

class HomeFilesTest : public HubFixture {
 protected:
  void SetUp() override {
    HubFixture::SetUp();
    const base::Status made = make_models(*hub_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    base_ = hub_->models().resolve("base").value();
    tuned_ = hub_->models().resolve("tuned").value();
    running_ = hub_->jobs().get("running").value();
  }
  std::string in_home(const std::string& path) { return hub_->home() + "/" + path; }
  std::string in_backup(const std::string& path) { return backup_ + "/" + path; }
  std::string checkpoints() { return "jobs/" + running_.id + "/1/checkpoints"; }
  static std::string bytes(const std::string& path) {
    return base::read_file(posix_file_ops(), path).value();
  }
  static std::vector<std::string> names(const std::string& folder) {
    std::vector<std::string> found;
    const auto entries = posix_file_ops().list(folder);
    for (const base::FileInfo& entry : *entries) found.push_back(entry.name);
    return found;
  }
  // One more of the running job, made as its worker makes it.
  void add_checkpoint(const std::string& name) {
    auto made = files_of_attempt(*hub_, running_.id, 1);
    for (const char* file : {"run.json", "adapter/adapter_config.json"}) {
      ASSERT_TRUE(
          write_text(made->files, in_home(checkpoints()) + "/" + name + "/" + file, file).ok());
    }
  }
  base::Result<std::unique_ptr<Hub>> restored(const std::string& name) {
    RestoreOptions options;
    options.source = backup_;
    options.root_key = bytes(in_home("keys/root.key"));
    const std::string home = folder_ / name;
    MORTISE_TRY(
        restore(posix_file_ops(), base::system_clock(), base::system_random(), home, options));
    return open_hub(posix_file_ops(), home);
  }

  const std::string backup_ = folder_ / "backup";
  Model base_, tuned_;
  Job running_;
};

TEST_F(HomeFilesTest, AreCopiedOnceAndAsTheyRest) {
  const auto facts = backup(*hub_, backup_);

  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->models, 2u);
  EXPECT_EQ(facts->jobs, 2u);
  // Models 2 and 2; artifacts 2; checkpoints 2 and 2; task and log of both, the status of one.
  EXPECT_EQ(facts->files_copied, 15u);
  EXPECT_EQ(facts->files_kept, 0u);
  const auto again = backup(*hub_, backup_);
  EXPECT_EQ(again->files_copied, 0u);
  EXPECT_EQ(again->files_kept, 15u);
  EXPECT_EQ(again->bytes_copied, 0u);
  for (const Model& model : {base_, tuned_}) {
    for (const job::Artifact& file : model.files) {
      const std::string path = "models/" + model.id + "/" + file.name;
      EXPECT_EQ(bytes(in_backup(path)), bytes(in_home(path)));
    }
  }
  const std::string weights = "/adapter_model.safetensors";
  EXPECT_EQ(bytes(in_backup("models/" + tuned_.id + weights)).substr(0, 8), "mrtfil01");
  EXPECT_EQ(fs::hard_link_count(in_backup("models/" + tuned_.id + weights)), 2u)
      << "the job's artifact is the same file";
}

TEST_F(HomeFilesTest, LeaveOutWhatIsUnderWay) {
  ASSERT_TRUE(prepared_model({{"config.json", "{}"}}).ok());  // without a row
  const std::string folder = "jobs/" + running_.id + "/1";
  for (const char* path : {"/artifacts/half", "/adapter/half", "/sealed/d/x.seg",
                           "/checkpoints/partial/run.json", "/checkpoints/checkpoint-4.partial/x",
                           "/status.jsonl", "/result.json", "/control.sock", "/death_record"}) {
    ASSERT_TRUE(write_text(posix_file_ops(), in_home(folder + path), "half").ok());
  }

  ASSERT_TRUE(backup(*hub_, backup_).ok());

  EXPECT_EQ(names(in_backup("models")).size(), 2u);
  EXPECT_EQ(names(in_backup(folder)),
            (std::vector<std::string>{"checkpoints", "log.txt", "task.json"}));
  EXPECT_EQ(names(in_backup(checkpoints())), (std::vector<std::string>{"checkpoint-00000002"}));
}

TEST_F(HomeFilesTest, ThatGrowAreCopiedAgain) {
  const std::string log = "jobs/" + running_.id + "/1/log.txt";
  ASSERT_TRUE(backup(*hub_, backup_).ok());
  ASSERT_TRUE(write_text(posix_file_ops(), in_home(log), "step 2\nstep 3\n").ok());
  EXPECT_EQ(backup(*hub_, backup_)->files_copied, 1u);
  EXPECT_EQ(bytes(in_backup(log)), "step 2\nstep 3\n");
}

TEST_F(HomeFilesTest, HaveTheNewestCheckpointOfARunningJobAndDropWhatTheJobDropped) {
  ASSERT_TRUE(backup(*hub_, backup_).ok());
  add_checkpoint("checkpoint-00000004");
  add_checkpoint("checkpoint-00000006");
  ASSERT_TRUE(
      base::remove_tree(posix_file_ops(), in_home(checkpoints() + "/checkpoint-00000002")).ok());
  ASSERT_TRUE(backup(*hub_, backup_).ok());
  EXPECT_EQ(names(in_backup(checkpoints())), (std::vector<std::string>{"checkpoint-00000006"}));

  ASSERT_TRUE(finish_training(*hub_, running_).ok());
  ASSERT_TRUE(backup(*hub_, backup_).ok());
  EXPECT_EQ(names(in_backup(checkpoints())),
            (std::vector<std::string>{"checkpoint-00000004", "checkpoint-00000006"}));
}

// The worker drops it while it is copied, at any moment.
TEST_F(HomeFilesTest, NeverShowHalfACheckpoint) {
  const base::Error gone(Code::kNotFound, "No such file or directory.");
  int points = 0;
  for (int n = 1;; ++n, ++points) {
    ASSERT_TRUE(base::remove_tree(posix_file_ops(), backup_).ok());
    tests::FaultyFileOps faulty(posix_file_ops());
    faulty.fail_at(n, gone);
    HomeFiles named;
    ASSERT_TRUE(hub_->database()
                    .read([&](Connection& connection) -> base::Status {
                      MORTISE_ASSIGN(named, read_home_files(connection));
                      return {};
                    })
                    .ok());
    named.models.clear();
    std::erase_if(named.jobs, [](const JobFiles& job) { return !job.is_running; });
    BackupFacts facts;
    (void)copy_home_files(faulty, named, hub_->home(), backup_, Missing::kLeaveOut, facts);
    const std::string copied = in_backup(checkpoints() + "/checkpoint-00000002");
    if (*posix_file_ops().exists(copied)) {
      EXPECT_EQ(names(copied), (std::vector<std::string>{"adapter", "run.json"})) << n;
      EXPECT_EQ(names(copied + "/adapter").size(), 1u) << n;
    }
    if (!faulty.was_hit()) break;
  }
  EXPECT_GT(points, 50);
}

TEST_F(HomeFilesTest, ThatAreMissingAreNamedAndTheEarlierBackupHolds) {
  ASSERT_TRUE(backup(*hub_, backup_).ok());
  const std::string file = base_.folder + "/parts/model.safetensors";
  ASSERT_TRUE(posix_file_ops().remove(file).ok());

  const base::Error lost = backup(*hub_, backup_).error();

  EXPECT_EQ(lost.code, Code::kDataLoss);
  EXPECT_EQ(lost.message, "The model base@1 has lost its file \"parts/model.safetensors\".");
  EXPECT_EQ(lost.file, file);
  EXPECT_NE(lost.hint.find("mortise model delete base@1"), std::string::npos);
  const auto hub = restored("restored");
  ASSERT_TRUE(hub.ok()) << hub.error().text();
  EXPECT_TRUE(check_whole(**hub).ok());
  ASSERT_TRUE(write_text(posix_file_ops(), file, "short").ok());
  EXPECT_EQ(backup(*hub_, backup_).error().message,
            "The model base@1 has another size of its file \"parts/model.safetensors\".");
}

TEST_F(HomeFilesTest, BehindASymbolicLinkAreNotThere) {
  fs::rename(base_.folder, folder_ / "elsewhere");
  fs::create_directory_symlink(folder_ / "elsewhere", base_.folder);
  EXPECT_EQ(backup(*hub_, backup_).error().code, Code::kDataLoss);
  fs::remove(base_.folder);
  fs::rename(folder_ / "elsewhere", base_.folder);
  const std::string file = base_.folder + "/config.json";  // of 2 bytes, as the link's text
  fs::remove(file);
  fs::create_symlink("xy", file);
  EXPECT_EQ(backup(*hub_, backup_).error().code, Code::kInvalidArgument);
}

TEST_F(HomeFilesTest, OfAJobThatAreMissingCanBeGivenUp) {
  const std::string folder = in_home("jobs/" + tuned_.job_id);
  ASSERT_TRUE(base::remove_tree(posix_file_ops(), folder).ok());
  const base::Error lost = backup(*hub_, backup_).error();
  EXPECT_EQ(lost.code, Code::kDataLoss);
  EXPECT_EQ(lost.message,
            "The job " + tuned_.job_id + " has lost its file \"adapter/adapter_config.json\".");
  EXPECT_NE(lost.hint.find("mortise store shred job:" + tuned_.job_id), std::string::npos);

  ASSERT_TRUE(shred(*hub_, "job:" + tuned_.job_id).ok());
  const auto facts = backup(*hub_, backup_);
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->models, 1u) << "tuned@1 went with the key";
  const auto hub = restored("restored");
  const auto report = verify_all(**hub);
  EXPECT_EQ(report->models, 1u);
  EXPECT_TRUE(report->findings.empty()) << report->to_json().dump();
}

TEST_F(HomeFilesTest, SealedWithAKeyThatWasShreddedAreNotCopied) {
  ASSERT_TRUE(shred(*hub_, "job:" + tuned_.job_id).ok());
  ASSERT_TRUE(backup(*hub_, backup_).ok());
  EXPECT_EQ(names(in_backup("models")), (std::vector<std::string>{base_.id}));
  EXPECT_EQ(names(in_backup("jobs/" + tuned_.job_id + "/1")),
            (std::vector<std::string>{"log.txt", "status.jsonl", "task.json"}));
}

TEST_F(HomeFilesTest, RefuseABackupIntoTheHome) {
  fs::create_directory_symlink(hub_->home(), folder_ / "link");
  for (const std::string& target : std::vector<std::string>{
           hub_->home(), in_home("backup"), in_home("../home/x/"), folder_ / "link/y"}) {
    const base::Error refused = backup(*hub_, target).error();
    EXPECT_EQ(refused.code, Code::kInvalidArgument) << target;
    EXPECT_EQ(refused.field, "/target");
  }
  EXPECT_TRUE(backup(*hub_, folder_ / "home2").ok());
}

TEST_F(HomeFilesTest, AreVerifiedByWhatTheyHold) {
  std::string text = bytes(base_.folder + "/parts/model.safetensors");
  text[7] ^= 1;
  ASSERT_TRUE(write_text(posix_file_ops(), base_.folder + "/parts/model.safetensors", text).ok());
  const std::string weights = "artifacts/adapter/adapter_model.safetensors";
  const std::string path = hub_->task_folder(tuned_.job_id, 1) + "/" + weights;
  text = bytes(path);
  text[text.size() - 3] ^= 1;  // of the model too: it is the same file
  ASSERT_TRUE(write_text(posix_file_ops(), path, text).ok());

  VerifyOptions options{.reference = {}, .cursor = {}, .bytes_max = 1};
  std::vector<std::string> found;
  uint64_t models = 0, jobs = 0;
  do {
    const auto report = verify(*hub_, options);
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->models_total, 2u);
    EXPECT_EQ(report->jobs_total, 1u);
    for (const auto& finding : report->findings) {
      found.push_back(finding.version + " " + finding.part + " " + finding.name);
    }
    models += report->models;
    jobs += report->jobs;
    options.cursor = report->cursor;
  } while (!options.cursor.empty() && found.size() < 10);

  std::ranges::sort(found);
  EXPECT_EQ(found, (std::vector<std::string>{
                       "base@1 model parts/model.safetensors",
                       "job " + tuned_.job_id + " artifact adapter/adapter_model.safetensors",
                       "tuned@1 model adapter_model.safetensors"}));
  EXPECT_EQ(models, 2u);
  EXPECT_EQ(jobs, 1u);
  for (const char* cursor : {"files:x", "files:m:a", "files:m:a:x", "files:j::"}) {
    options.cursor = cursor;
    EXPECT_EQ(verify(*hub_, options).error().code, Code::kInvalidArgument) << cursor;
  }
}

}  // namespace
}  // namespace mortise::hub
