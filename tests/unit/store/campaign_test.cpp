// Promises under failure: every storage call of every act is cut, failed, torn; the number of calls
// is printed. The slow ones run by MORTISE_CAMPAIGN=long (ctest -L slow).
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/support/faulty_file_ops.h"
#include "tests/support/temp_folder.h"
#include "tests/support/volatile_file_ops.h"
#include "tests/unit/store/store_scenario.h"

namespace mortise::store {
namespace {

using base::Code;
using tests::FaultyFileOps;
using tests::FixedRandom;
using tests::VolatileFileOps;

bool is_long() {
  const char* const value = std::getenv("MORTISE_CAMPAIGN");
  return value != nullptr && std::string_view(value) == "long";
}

struct Start {
  VolatileFileOps disk;
  Ledger ledger;
};

const Start& start() {
  static const Start* const made = [] {
    auto* const start = new Start;
    const base::Status prepared = prepare(start->disk, start->ledger);
    EXPECT_TRUE(prepared.ok()) << prepared.error().text();
    start->disk.sync_all();
    return start;
  }();
  return *made;
}

TEST(StoreCampaign, EveryActSucceedsOnASoundDisk) {
  for (const NamedAct& named : kActs) {
    Start now = start();
    const base::Status done = named.act(now.disk, now.ledger, 0);
    ASSERT_TRUE(done.ok()) << named.name << ": " << done.error().text();
    const base::Status judged = judge(now.disk, now.ledger);
    EXPECT_TRUE(judged.ok()) << named.name << ": " << judged.error().text();
  }
}

// P1: the process ends (or the disk goes away) at call n; the system goes on, so nothing that was
// written is lost, half of the last write included.
TEST(StoreCampaign, KeepsPromisesWhenCutAtEveryCall) {
  int points = 0;
  for (const NamedAct& named : kActs) {
    for (int n = 1;; ++n) {
      Start now = start();
      FaultyFileOps faulty(now.disk);
      faulty.lose_power_at(n);
      (void)named.act(faulty, now.ledger, 0);
      if (!faulty.was_hit()) break;
      ++points;
      const auto begun = std::chrono::steady_clock::now();
      const base::Status judged = judge(now.disk, now.ledger);
      const auto spent = std::chrono::steady_clock::now() - begun;
      ASSERT_TRUE(judged.ok()) << named.name << " cut at " << n << " (" << faulty.calls().back()
                               << "): " << judged.error().text();
      EXPECT_LT(spent, std::chrono::seconds(5));
    }
  }
  std::printf("cut at %d points\n", points);
  EXPECT_GT(points, 300);
}

// P3: call n fails with each error and the calls after it work; the process goes on, then restarts.
TEST(StoreCampaign, KeepsPromisesWhenEveryCallFails) {
  const base::Error errors[] = {{Code::kResourceExhausted, "No space left on device."},
                                {Code::kDataLoss, "Input/output error."}};
  int points = 0;
  for (const NamedAct& named : kActs) {
    for (const base::Error& error : errors) {
      for (const bool is_short : {false, true}) {
        for (int n = 1;; ++n) {
          Start now = start();
          FaultyFileOps faulty(now.disk);
          is_short ? faulty.fail_short_at(n, error) : faulty.fail_at(n, error);
          const base::Status done = named.act(faulty, now.ledger, 0);
          if (!faulty.was_hit()) break;
          ++points;
          EXPECT_TRUE(done.ok() || done.error().code != Code::kInternal) << done.error().text();
          const base::Status judged = judge(now.disk, now.ledger);
          ASSERT_TRUE(judged.ok()) << named.name << " failed at " << n << " with " << error.message
                                   << ": " << judged.error().text();
        }
      }
    }
  }
  std::printf("failed at %d points\n", points);
}

// P2: the power fails at a random call; unsynced sectors and names are lost, torn, reordered.
TEST(StoreCampaign, KeepsPromisesThroughPowerCuts) {
  const uint64_t runs = is_long() ? 20'000 : 300;
  for (uint64_t seed = 0; seed < runs; ++seed) {
    FixedRandom random(seed);
    const NamedAct& named = kActs[seed % std::size(kActs)];
    Start now = start();
    FaultyFileOps faulty(now.disk);
    faulty.lose_power_at(static_cast<int>(1 + random.below(90)));
    (void)named.act(faulty, now.ledger, seed);
    now.disk.cut_power(random);
    const base::Status judged = judge(now.disk, now.ledger);
    ASSERT_TRUE(judged.ok()) << named.name << ", seed " << seed << ": " << judged.error().text();
  }
}

// P1 with a real process and a real disk, at some of the calls (all of them by =long).
TEST(StoreCampaign, KeepsPromisesWhenTheProcessIsKilled) {
  int points = 0;
  for (int n = 1;; n += is_long() ? 1 : 3) {
    const tests::TempFolder folder;
    const DomainKey key("k", base::Secret{});
    const auto open = [&](base::FileOps& files) {
      return Domain::open(files, base::system_random(), base::system_clock(), key,
                          {folder / "d", {}});
    };
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      FaultyFileOps faulty(base::posix_file_ops());
      faulty.exit_at(n);
      auto domain = open(faulty);
      for (int i = 0; domain.ok() && i < 4; ++i) {
        const std::string text = text_of("killed" + std::to_string(i), 3000);
        const auto ref = (*domain)->put(base::as_bytes(text));
        const bool is_done =
            ref.ok() && (i == 2 ? (*domain)->finish_segment() : (*domain)->sync()).ok();
        const std::string line = is_done ? to_text(*ref) : "";
        if (is_done) {
          (void)base::write_file_durably(base::posix_file_ops(), folder / std::to_string(i), line);
        }
      }
      domain = base::Error();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const auto domain = open(base::posix_file_ops());
    ASSERT_TRUE(domain.ok()) << domain.error().text();
    for (int i = 0; i < 4; ++i) {
      const auto line = base::read_file(base::posix_file_ops(), folder / std::to_string(i));
      if (!line.ok()) continue;
      const auto text = (*domain)->read_all(*parse_object_ref(*line));
      ASSERT_TRUE(text.ok()) << "killed at " << n << ": " << text.error().text();
      EXPECT_EQ(*text, text_of("killed" + std::to_string(i), 3000));
    }
    if (WEXITSTATUS(status) == 0) break;
    ASSERT_EQ(WEXITSTATUS(status), 75);
    ++points;
  }
  std::printf("killed at %d points\n", points);
}

// P4: each byte of keys and segments, changed in three ways, gives right data or a typed error, and
// what another byte's change costs is that object only or the whole domain, never wrong data.
TEST(StoreCampaign, GivesRightDataOrAnErrorForEveryChangedByte) {
  Start now = start();
  {
    tests::FixedRandom random(3);
    const auto all = open_all(now.disk, random);
    const auto domain = (*all).store->domain("b");
    const size_t size = is_long() ? 256 << 10 : 6'000;
    const std::string text = random.text(size);
    const auto ref = (*domain)->put(base::as_bytes(text));
    now.ledger.objects.push_back({"b", *ref, text});
  }
  now.disk.sync_all();
  std::erase_if(now.ledger.objects, [](const auto& object) { return object.domain_id != "b"; });
  uint64_t changed = 0, noticed = 0;
  const uint64_t step = is_long() ? 1 : 11;
  for (const std::string& path : now.disk.paths()) {
    if (path.find("/segments/a/") != std::string::npos || path.ends_with("/a.key")) continue;
    const size_t size = now.disk.bytes(path).size();
    for (uint64_t at = changed % step; at < size; at += step) {
      for (const int pattern : {0x01, 0x80, 0xff}) {
        VolatileFileOps& disk = now.disk;  // opening and reading change nothing on it
        disk.bytes(path)[at] = static_cast<char>(disk.bytes(path)[at] ^ pattern);
        tests::FixedRandom random(5);
        auto all = open_all(disk, random);
        bool is_noticed = !all.ok();
        if (all.ok()) {
          const base::Status checked = check_objects(*all->store, now.ledger);
          is_noticed = !checked.ok();
          if (is_noticed) {
            ASSERT_NE(checked.error().message, "Other bytes came back.") << path << " byte " << at;
          } else if (auto domain = all->store->domain("b"); domain.ok()) {
            const auto report = scrub(**domain, "");
            is_noticed = !report.ok() || !report->findings.empty();
          }
        }
        all = base::Error();
        disk.bytes(path)[at] = static_cast<char>(disk.bytes(path)[at] ^ pattern);
        ++changed;
        noticed += is_noticed ? 1 : 0;
        EXPECT_TRUE(is_noticed) << path << " byte " << at << " pattern " << pattern;
        if (!is_noticed && changed - noticed > 10) FAIL();
      }
    }
  }
  std::printf("%llu changes, %llu noticed\n", static_cast<unsigned long long>(changed),
              static_cast<unsigned long long>(noticed));
}

}  // namespace
}  // namespace mortise::store
