// Reports in their three forms, the runner's limits, and the reader of ELF files on hostile bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "plugin/kit/child.h"
#include "plugin/kit/elf_file.h"
#include "plugin/kit/kit.h"
#include "tests/support/temp_folder.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using testing::HasSubstr;

Report sample_report() {
  Report report;
  report.root = "/packs/x";
  report.pack = "com.example.x 1.0.0";
  report.seed = 7;
  report.rows = {{"com.example.x", "load.a", "All is well.", {}, 0.5},
                 {"com.example.x", "use.b", "It <works>.", fail("1 < 2 & \"3\"\x01"), 0.25},
                 {"com.example.x", "use.c", "It lives.", {State::kCrash, "died"}, 0},
                 {"com.example.x", "use.d", "It ends.", {State::kTimeout, "hung"}, 0},
                 {"com.example.x", "use.e", "It is there.", skip("not here"), 0},
                 {"com.example.x", "use.f", "It is nice.", warn("not so nice"), 0}};
  return report;
}

TEST(Report, CountsOutcomesAndIsNotOkWhenOneIsBad) {
  const Report report = sample_report();
  EXPECT_EQ(report.count(State::kPass), 1);
  EXPECT_EQ(report.count(State::kTimeout), 1);
  EXPECT_FALSE(report.ok());
  Report good;
  EXPECT_FALSE(good.ok()) << "nothing was checked";
  good.rows = {report.rows[0], report.rows[4], report.rows[5]};
  EXPECT_TRUE(good.ok());
}

TEST(Report, AsTextGivesTheSentenceOfWhatFailedAndASummary) {
  const std::string text = report_text(sample_report());
  EXPECT_THAT(text, HasSubstr("  fail      use.b   1 < 2"));
  EXPECT_THAT(text, HasSubstr("expected: It <works>."));
  EXPECT_THAT(text, HasSubstr("com.example.x 1.0.0: 1 pass, 1 warn, 1 fail, 1 skip, 1 crash, "
                              "1 time-out, seed 7"));
}

TEST(Report, AsJsonHasEveryCheckAndTheSummary) {
  const base::Json json = report_json(sample_report());
  EXPECT_EQ(json["checks"].size(), 6u);
  EXPECT_EQ(json["checks"].at(3)["outcome"].as_string(), "time-out");
  EXPECT_EQ(json["summary"]["crash"].as_int(), 1);
  EXPECT_FALSE(json["ok"].as_bool(true));
  EXPECT_EQ(json["seed"].as_int(), 7);
}

TEST(Report, AsJunitEscapesAndSortsFailuresFromErrors) {
  const std::string xml = report_junit(sample_report());
  EXPECT_THAT(xml, HasSubstr("tests=\"6\" failures=\"1\" errors=\"2\" skipped=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"1 &lt; 2 &amp; &#34;3&#34; \" type=\"fail\"/>"));
  EXPECT_THAT(xml, HasSubstr("<error message=\"hung\" type=\"time-out\"/>"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"not here\"/>"));
}

TEST(Kit, RefusesAFilterThatNamesNoCheck) {
  KitOptions options;
  options.root = "/nowhere";
  options.filter = "no such check";
  const auto report = run_kit(options);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::kInvalidArgument);
}

TEST(Kit, ReportsAFolderWithoutAManifest) {
  KitOptions options;
  options.root = "/nowhere";
  const auto report = run_kit(options);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->rows.size(), 1u);
  EXPECT_EQ(report->rows[0].check, "load.manifest_is_sound");
  EXPECT_EQ(report->rows[0].outcome.state, State::kFail);
}

TEST(Kit, StopsWhenItIsCancelled) {
  KitOptions options;
  options.root = std::string(MORTISE_BUILD) + "/example_packs/metric_c_smallest";
  options.is_cancelled = [] { return true; };
  const auto report = run_kit(options);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::kCancelled);
}

TEST(Kit, GivesTheSameReportInProcess) {
  KitOptions options;
  options.root = std::string(MORTISE_BUILD) + "/example_packs/metric_c_smallest";
  options.filter = "metric.";
  const Report outside = run_kit(options).value();
  options.in_process = true;
  const Report inside = run_kit(options).value();
  ASSERT_EQ(inside.rows.size(), outside.rows.size());
  for (size_t i = 0; i < inside.rows.size(); ++i) {
    EXPECT_EQ(inside.rows[i].outcome.state, outside.rows[i].outcome.state) << inside.rows[i].check;
  }
}

Outcome run_child(const std::function<Outcome()>& body, int64_t time_limit_ms) {
  const tests::TempFolder folder;
  auto child = Child::start(body, folder.path(), time_limit_ms);
  return child.value().wait({}).value();
}

TEST(Child, BringsTheOutcomeBack) {
  const Outcome outcome = run_child([] { return warn("so so"); }, 5000);
  EXPECT_EQ(outcome.state, State::kWarn);
  EXPECT_EQ(outcome.message, "so so");
}

TEST(Child, TellsADeathFromATimeOut) {
  const Outcome died = run_child([]() -> Outcome { ::_exit(9); }, 5000);
  EXPECT_EQ(died.state, State::kCrash);
  EXPECT_THAT(died.message, HasSubstr("exit code 9"));
  const Outcome hung = run_child(
      []() -> Outcome {
        for (;;) ::pause();
      },
      200);
  EXPECT_EQ(hung.state, State::kTimeout);
}

// While another is waited for, its time may run out; what it said before that counts.
TEST(Child, IsReadAfterItsTimeWhenItWasDoneInTime) {
  const tests::TempFolder folder;
  auto child = Child::start([] { return fail(std::string(1 << 20, 'x')); }, folder.path(), 200);
  ASSERT_TRUE(child.ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const auto outcome = child->wait({});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->state, State::kFail) << outcome->message;
}

// Its process group goes with it.
TEST(Child, IsKilledWithItsObject) {
  const tests::TempFolder folder;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    auto child = Child::start(
        [&]() -> Outcome {
          ::close(ends[0]);
          for (;;) ::pause();
        },
        folder.path(), 60'000);
    ASSERT_TRUE(child.ok());
    ::close(ends[1]);
  }
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);  // the last writer is gone
  ::close(ends[0]);
}

TEST(ElfFile, ReadsTheExportsOfAPack) {
  const auto facts = read_elf(std::string(MORTISE_BUILD) +
                              "/example_packs/metric_c_smallest/lib/metric_c_smallest.so");
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_THAT(facts->exports, testing::ElementsAre("mortise_entry_1"));
  EXPECT_THAT(facts->run_path, testing::ElementsAre("$ORIGIN"));
  EXPECT_FALSE(facts->has_executable_stack);
}

TEST(ElfFile, RefusesCutAndChangedFilesWithoutHarm) {
  const tests::TempFolder folder;
  const std::string path = folder / "cut.so";
  std::ifstream whole_file(
      std::string(MORTISE_BUILD) + "/example_packs/metric_c_smallest/lib/metric_c_smallest.so",
      std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(whole_file)), {});
  const auto read = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return read_elf(path).ok();
  };
  EXPECT_FALSE(read(""));
  EXPECT_FALSE(read("#!/bin/sh\n"));
  EXPECT_FALSE(read(whole.substr(0, whole.size() / 2)));
  uint64_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::string changed = whole;
    for (int i = 0; i < 8; ++i) {
      state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
      // Mostly the head and the section headers, where offsets are.
      const size_t place =
          i % 2 == 0 ? (state >> 33) % 64 : whole.size() - 1 - (state >> 33) % (whole.size() / 3);
      changed[place] = static_cast<char>(state >> 56);
    }
    (void)read(changed);  // any answer but a crash or an endless loop
  }
}

}  // namespace
}  // namespace mortise::plugin::kit
