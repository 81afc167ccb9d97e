// Promises of the hub under failure: every storage call of every act is cut before and after it, or
// fails; the power goes at random ones. Some of them by default; all by MORTISE_CAMPAIGN=long
// (ctest -L slow). The database is SQLite's own concern: what it committed is taken as kept. In
// memory, so that the disk's syncs do not take the time.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "tests/support/faulty_file_ops.h"
#include "tests/support/temp_folder.h"
#include "tests/support/volatile_file_ops.h"
#include "tests/unit/hub/hub_scenario.h"

namespace mortise::hub {
namespace {

namespace fs = std::filesystem;

using base::Code;
using base::posix_file_ops;
using tests::FaultyFileOps;

bool is_long() {
  const char* const value = std::getenv("MORTISE_CAMPAIGN");
  return value != nullptr && std::string_view(value) == "long";
}

class HubCampaign : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (fs::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
  }
  void SetUp() override {
    const base::Status prepared = prepare_home(posix_file_ops(), start_);
    ASSERT_TRUE(prepared.ok()) << prepared.error().text();
  }
  // home_ as it was at the start, and nothing beside it.
  void begin() {
    for (const char* beside : {"", ".backup", ".restored"}) fs::remove_all(home_ + beside);
    fs::copy(start_, home_, fs::copy_options::recursive);
    const std::string key = home_ + "/keys/root.key";  // a copy has no mode of its own
    fs::permissions(key, fs::perms::owner_read);
  }
  void judge_now(const HubAct& act, int n, const std::vector<std::string>& journal) {
    const base::Status judged = judge(posix_file_ops(), home_, journal);
    ASSERT_TRUE(judged.ok()) << act.name << " at call " << n << ": " << judged.error().text();
  }

  const tests::TempFolder folder_;
  const std::string start_ = folder_ / "start", home_ = folder_ / "home";
};

// The child's half: notes go straight to a file, so that they outlive it.
[[noreturn]] void run_child(const HubAct& act, const std::string& home, const std::string& journal,
                            FaultyFileOps& faulty) {
  const int log = ::open(journal.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  auto hub = open_hub(faulty, home);
  if (hub.ok()) {
    (void)act.run(**hub, home, [&](const std::string& line) {
      const std::string text = line + "\n";
      (void)!::write(log, text.data(), text.size());
    });
    hub->reset();
  }
  ::_exit(0);
}

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(*base::read_file(posix_file_ops(), path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST_F(HubCampaign, EveryActSucceedsOnASoundDisk) {
  for (const HubAct& act : kHubActs) {
    begin();
    std::vector<std::string> journal;
    {
      const auto hub = open_hub(posix_file_ops(), home_);
      ASSERT_TRUE(hub.ok()) << hub.error().text();
      const base::Status done =
          act.run(**hub, home_, [&](const std::string& line) { journal.push_back(line); });
      ASSERT_TRUE(done.ok()) << act.name << ": " << done.error().text();
    }
    ASSERT_NO_FATAL_FAILURE(judge_now(act, 0, journal));
  }
}

// P1: a process that ends around each call.
TEST_F(HubCampaign, KeepsPromisesWhenKilledAroundEveryCall) {
  const int step = is_long() ? 1 : 13;
  int total = 0;
  for (const HubAct& act : kHubActs) {
    int points = 0;
    for (const bool is_after : {false, true}) {
      for (int n = 1;; n += step) {
        begin();
        const std::string journal = folder_ / "journal";
        FaultyFileOps faulty(posix_file_ops());
        is_after ? faulty.exit_after(n) : faulty.exit_at(n);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) run_child(act, home_, journal, faulty);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_NO_FATAL_FAILURE(judge_now(act, n, lines_of(journal)));
        if (WEXITSTATUS(status) == 0) break;
        ASSERT_EQ(WEXITSTATUS(status), 75);
        ++points;
      }
    }
    std::printf("%s: killed at %d points\n", act.name, points);
    total += points;
  }
  std::printf("killed at %d points in all\n", total);
  EXPECT_GT(total, is_long() ? 1000 : 60);
}

// P3: each call fails with each error, whole or after half of a write; the calls after it work.
TEST_F(HubCampaign, KeepsPromisesWhenEveryCallFails) {
  const int step = is_long() ? 1 : 29;
  const base::Error errors[] = {{Code::kResourceExhausted, "No space left on device."},
                                {Code::kDataLoss, "Input/output error."}};
  int points = 0;
  for (const HubAct& act : kHubActs) {
    for (const base::Error& error : errors) {
      for (const bool is_short : {false, true}) {
        for (int n = 1;; n += step) {
          begin();
          FaultyFileOps faulty(posix_file_ops());
          is_short ? faulty.fail_short_at(n, error) : faulty.fail_at(n, error);
          std::vector<std::string> journal;
          if (auto hub = open_hub(faulty, home_); hub.ok()) {
            const base::Status done =
                act.run(**hub, home_, [&](const std::string& line) { journal.push_back(line); });
            EXPECT_TRUE(done.ok() || !faulty.was_hit() || done.error().code != Code::kInternal)
                << act.name << " at call " << n << ": " << done.error().text();
          }
          ASSERT_NO_FATAL_FAILURE(judge_now(act, n, journal));
          if (!faulty.was_hit()) break;
          ++points;
        }
      }
    }
  }
  std::printf("failed at %d points\n", points);
}

// P2: the store's files lie in memory whose pages and names are volatile, the database on a disk
// that keeps what was committed. A backup is a copy of both and is cut by the store's campaigns.
TEST_F(HubCampaign, KeepsPromisesThroughPowerCuts) {
  const std::string home = folder_ / "volatile", file = home + "/database/mortise.db";
  tests::VolatileFileOps start;
  ASSERT_TRUE(base::make_folders(start, home).ok());
  fs::create_directories(home + "/database");
  const base::Status prepared = prepare_home(start, home);
  ASSERT_TRUE(prepared.ok()) << prepared.error().text();
  start.sync_all();
  fs::copy_file(file, folder_ / "start.db");
  const uint64_t runs = is_long() ? 2000 : 100;
  for (uint64_t seed = 0; seed < runs; ++seed) {
    fs::remove_all(home + "/database");
    fs::create_directories(home + "/database");
    fs::copy_file(folder_ / "start.db", file);
    tests::VolatileFileOps disk = start;
    tests::FixedRandom random(seed);
    const HubAct& act = kHubActs[seed % (std::size(kHubActs) - 1)];
    std::vector<std::string> journal;
    FaultyFileOps faulty(disk);
    faulty.lose_power_at(static_cast<int>(1 + random.below(120)));
    if (auto hub = open_hub(faulty, home); hub.ok()) {
      (void)act.run(**hub, home, [&](const std::string& line) { journal.push_back(line); });
    }
    disk.cut_power(random);
    const base::Status judged = judge(disk, home, journal);
    ASSERT_TRUE(judged.ok()) << act.name << ", seed " << seed << ": " << judged.error().text();
  }
}

}  // namespace
}  // namespace mortise::hub
