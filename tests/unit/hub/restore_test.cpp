#include "hub/restore.h"

#include "hub/upkeep.h"
#include "hub/verify.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/unit/hub/hub_fixture.h"
#include "tests/unit/hub/hub_scenario.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::posix_file_ops;

class RestoreTest : public HubFixture {
 protected:
  void SetUp() override {
    HubFixture::SetUp();
    ASSERT_TRUE(add(version_of("chest", {R"({"n":1})", R"({"n":2})"})).ok());
    ASSERT_TRUE(add(version_of("films", {"{}"}, {{"a.png", "A"}, {"b.png", "B"}})).ok());
    const base::Status made = make_models(*hub_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    const auto backed_up = backup(*hub_, source_);
    ASSERT_TRUE(backed_up.ok()) << backed_up.error().text();
    options_.source = source_;
    options_.root_key = *base::read_file(posix_file_ops(), folder_ / "home/keys/root.key");
  }
  base::Result<BackupFacts> restore_in(const std::string& home,
                                       base::FileOps& files = posix_file_ops()) {
    return restore(files, base::system_clock(), base::system_random(), home, options_);
  }
  static std::unique_ptr<Hub> hub_in(const std::string& home) {
    auto opened = Hub::open(posix_file_ops(), base::system_clock(), base::system_random(), home);
    EXPECT_TRUE(opened.ok()) << opened.error().text();
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  static bool is_whole(const std::string& home) {
    return *posix_file_ops().exists(home + "/database/mortise.db") &&
           check_restored(posix_file_ops(), home).ok();
  }
  // All that the API says of models, and the bytes of their files.
  static std::string dump_models(Hub& hub) {
    std::string text;
    const auto models = hub.models().list("", {1000, ""});
    for (const Model& model : models->items) {
      text += model.to_json().dump() + "\n";
      auto files = files_of_model(hub, model);
      for (const job::Artifact& file : model.files) {
        const auto bytes = base::read_file(*files, model.folder + "/" + file.name);
        EXPECT_TRUE(bytes.ok()) << bytes.error().text();
        if (bytes.ok()) text += *bytes + "\n";
      }
    }
    return text;
  }
  // All that the API says of data sets, and all rows and media.
  static std::string dump(Hub& hub) {
    std::string text = dump_models(hub);
    const auto datasets = hub.datasets().list({}, {1000, ""});
    for (const Dataset& dataset : datasets->items) {
      text += dataset.to_json().dump() + "\n";
      const auto versions = hub.datasets().versions(dataset.name);
      for (const Version& version : *versions) {
        text += version.to_json().dump() + "\n";
        const auto rows = hub.datasets().rows(version);
        for (uint64_t i = 0; i < rows->row_count(); ++i) text += *rows->row(i) + "\n";
        const auto media = hub.datasets().media(version);
        const auto in = hub.domains().open(version.domain);
        EXPECT_TRUE(media
                        ->visit([&](const store::NamedObject& entry) -> base::Status {
                          text += entry.name + " " + to_text(entry.ref) + " " +
                                  *(*in)->read_all(entry.ref) + "\n";
                          return {};
                        })
                        .ok());
      }
    }
    return text;
  }

  const std::string source_ = folder_ / "backup", target_ = folder_ / "restored";
  RestoreOptions options_;
};

TEST_F(RestoreTest, GivesTheSameStore) {
  const auto facts = restore_in(target_);
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->domains, 5u);  // of two data sets, of uploads, of two jobs
  EXPECT_EQ(facts->models, 2u);
  EXPECT_EQ(facts->jobs, 2u);
  const auto hub = hub_in(target_);
  ASSERT_NE(hub, nullptr);
  EXPECT_EQ(dump(*hub), dump(*hub_));
  EXPECT_NE(dump(*hub).find(R"({"n":2})"), std::string::npos);
  const auto report = verify_all(*hub);
  EXPECT_EQ(report->versions, 2u);
  EXPECT_EQ(report->models, 2u);
  EXPECT_EQ(report->jobs, 1u);
  EXPECT_TRUE(report->findings.empty()) << report->to_json().dump();
  EXPECT_EQ(hub->models().resolve("tuned")->folder.substr(0, target_.size()), target_);
}

// The home that was backed up may live on, on the same machine.
TEST_F(RestoreTest, GivesARunningJobNoProcessAndItsCheckpoint) {
  const Job running = hub_->jobs().get("running").value();
  ASSERT_TRUE(hub_->jobs().set_process(running, {4711, 5, "boot"}).ok());
  ASSERT_TRUE(write_text(posix_file_ops(), hub_->task_folder(running.id, 1) + "/status.jsonl",
                         "{\"state\":\"running\"}\n")
                  .ok());
  ASSERT_TRUE(backup(*hub_, source_).ok());
  ASSERT_TRUE(restore_in(target_).ok());

  const auto hub = hub_in(target_);
  const Job job = hub->jobs().get("running").value();
  const std::string folder = hub->task_folder(job.id, 1);
  EXPECT_EQ(job.state, "running");
  EXPECT_EQ(job.process.pid, 0);
  EXPECT_FALSE(*posix_file_ops().exists(folder + "/status.jsonl")) << "queued again at the start";
  EXPECT_EQ(*base::read_file(posix_file_ops(), folder + "/log.txt"), "step 2\n");
  auto made = files_of_attempt(*hub, job.id, 1);
  EXPECT_EQ(*base::read_file(made->files, folder + "/checkpoints/checkpoint-00000002/run.json"),
            "run.json");
}

// As releases before this one wrote them.
TEST_F(RestoreTest, BringsBackWhatABackupWithoutModelsHolds) {
  ASSERT_TRUE(base::remove_tree(posix_file_ops(), source_ + "/models").ok());
  ASSERT_TRUE(base::remove_tree(posix_file_ops(), source_ + "/jobs").ok());
  ASSERT_TRUE(restore_in(target_).ok());
  const auto report = verify_all(*hub_in(target_));
  EXPECT_EQ(report->versions, 2u);
  ASSERT_EQ(report->findings.size(), 5u) << report->to_json().dump();
  for (const VerifyFinding& finding : report->findings) {
    EXPECT_TRUE(finding.part == "model" || finding.version.starts_with("job ")) << finding.part;
  }
}

TEST_F(RestoreTest, SaysThatTheBackupWasDamaged) {
  const std::string segments = source_ + "/segments/" + hub_->datasets().resolve("films")->domain;
  const auto found = posix_file_ops().list(segments);
  for (const base::FileInfo& file : *found) {
    ASSERT_TRUE(posix_file_ops().remove(segments + "/" + file.name).ok());
  }
  ASSERT_TRUE(restore_in(target_).ok());
  const auto report = verify_all(*hub_in(target_));
  ASSERT_FALSE(report->findings.empty());
  EXPECT_EQ(report->findings[0].version, "films@1");
}

TEST_F(RestoreTest, RefusesAHomeThatHoldsSomethingAndAFolderThatIsNoBackup) {
  EXPECT_EQ(restore_in(folder_ / "home").error().code, Code::kAlreadyExists);
  ASSERT_TRUE(posix_file_ops().make_folder(target_).ok());
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), target_ + "/token", "t").ok());
  const auto error = restore_in(target_).error();
  EXPECT_EQ(error.code, Code::kAlreadyExists);
  EXPECT_NE(error.message.find("token"), std::string::npos);
  options_.source = target_;
  EXPECT_EQ(restore_in(folder_ / "third").error().code, Code::kNotFound);
}

TEST_F(RestoreTest, TriesTheRootKeyBeforeItCopiesAndCanBeRunAgain) {
  const std::string right = options_.root_key;
  options_.root_key = std::string(32, 'x');
  EXPECT_EQ(restore_in(target_).error().code, Code::kUnauthenticated);
  EXPECT_FALSE(*posix_file_ops().exists(target_ + "/store"));
  EXPECT_EQ(Hub::open(posix_file_ops(), base::system_clock(), base::system_random(), target_)
                .error()
                .code,
            Code::kFailedPrecondition);
  options_.root_key = "short";
  EXPECT_EQ(restore_in(target_).error().code, Code::kInvalidArgument);
  options_.root_key = "";
  EXPECT_EQ(restore_in(target_).error().code, Code::kNotFound) << "no root key was given";
  options_.root_key = right;
  ASSERT_TRUE(restore_in(target_).ok());
  EXPECT_EQ(dump(*hub_in(target_)), dump(*hub_));
}

// At some of the calls; at all of them by MORTISE_CAMPAIGN=long.
TEST_F(RestoreTest, CutAtAnyCallIsEitherWholeOrBegunAnew) {
  const int step = std::getenv("MORTISE_CAMPAIGN") == nullptr ? 16 : 1;
  int points = 0;
  for (int n = 1;; n += step) {
    const std::string home = folder_ / ("cut" + std::to_string(n));
    tests::FaultyFileOps faulty(posix_file_ops());
    faulty.lose_power_at(n);
    (void)restore_in(home, faulty);
    if (!faulty.was_hit()) break;
    ++points;
    if (!is_whole(home)) {
      const auto again = restore_in(home);
      ASSERT_TRUE(again.ok()) << "cut at " << n << ": " << again.error().text();
    }
    ASSERT_TRUE(verify_all(*hub_in(home))->findings.empty()) << "cut at " << n;
    ASSERT_TRUE(base::remove_tree(posix_file_ops(), home).ok());
  }
  std::printf("cut at %d points\n", points);
  EXPECT_GT(points, 200 / step);
}

TEST_F(RestoreTest, CutByAnErrorOfAnyCallIsEitherWholeOrBegunAnew) {
  const int step = std::getenv("MORTISE_CAMPAIGN") == nullptr ? 23 : 1;
  const base::Error errors[] = {{Code::kResourceExhausted, "No space left on device."},
                                {Code::kDataLoss, "Input/output error."}};
  int points = 0;
  for (const base::Error& error : errors) {
    for (int n = 1;; n += step) {
      const std::string home = folder_ / ("failed" + std::to_string(n));
      tests::FaultyFileOps faulty(posix_file_ops());
      faulty.fail_short_at(n, error);
      (void)restore_in(home, faulty);
      if (!faulty.was_hit()) break;
      ++points;
      if (!is_whole(home)) {
        const auto again = restore_in(home);
        ASSERT_TRUE(again.ok()) << "failed at " << n << ": " << again.error().text();
      }
      ASSERT_TRUE(verify_all(*hub_in(home))->findings.empty()) << "failed at " << n;
      ASSERT_TRUE(base::remove_tree(posix_file_ops(), home).ok());
    }
  }
  std::printf("failed at %d points\n", points);
}

}  // namespace
}  // namespace mortise::hub
