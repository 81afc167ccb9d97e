// Each evil pack is found by the check that is for it, with the words that it deserves, and no host
// dies of it; each check finds at least one evil pack.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>

#include "tests/abi/evil/evil_pack.h"
#include "tests/support/temp_folder.h"

namespace mortise::plugin::kit {

// For GoogleTest's messages.
static void PrintTo(const Evil& evil, std::ostream* out) {
  *out << evil.fault << " (" << evil.check << ")";
}

namespace {

using testing::HasSubstr;

bool is_built(const Evil& evil) {
  return std::filesystem::exists(std::string(MORTISE_EVIL) + "/" + evil.library + ".so");
}

Report run(const Evil& evil, const std::string& root, const std::string& filter) {
  make_evil_pack(evil, root);
  KitOptions options;
  options.root = root;
  options.filter = filter;
  // A pack that hangs must not hold the test up; the others need less.
  options.time_limit_ms = evil.state == State::kTimeout ? 500 : 20'000;
  return run_kit(options).value();
}

class EvilPack : public testing::TestWithParam<Evil> {};

TEST_P(EvilPack, IsFoundByItsCheck) {
  const Evil& evil = GetParam();
  if (!is_built(evil)) GTEST_SKIP() << evil.library << " is not built here.";
  const tests::TempFolder folder;
  const Report report = run(evil, folder / "pack", evil.check);
  const ReportRow* row = report.find(evil.check);
  ASSERT_NE(row, nullptr) << report_text(report);
  EXPECT_EQ(row->outcome.state, evil.state) << report_text(report);
  EXPECT_THAT(row->outcome.message, HasSubstr(evil.words));
  EXPECT_FALSE(report.ok());
}

std::string name_of(const testing::TestParamInfo<Evil>& info) {
  std::string name = std::string(info.param.fault) + "_" + info.param.check;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Every, EvilPack, testing::ValuesIn(all_evils()), name_of);

TEST(Checks, AreEachFailedByAnEvilPack) {
  std::set<std::string> found;
  for (const Evil& evil : all_evils()) found.insert(evil.check);
  for (const Check& check : all_checks()) {
    EXPECT_TRUE(found.contains(check.name)) << check.name << " is failed by no evil pack";
  }
}

TEST(Checks, AreManyAndHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const Check& check : all_checks()) {
    EXPECT_TRUE(names.insert(check.name).second) << check.name;
    EXPECT_EQ(std::string(check.sentence).back(), '.') << check.name;
  }
  EXPECT_GE(names.size(), 60u);
}

// The whole kit over the packs that harm most: the host lives and reports every check.
TEST(Host, SurvivesTheWholeKitOverThePacksThatHarmMost) {
  for (const Evil& evil : all_evils()) {
    const std::string fault = evil.fault;
    const bool harms = fault == "aborts" || fault == "segfaults" || fault == "exits" ||
                       fault == "throws" || fault == "throws_at_entry" ||
                       fault == "frees_the_hosts_memory" || fault == "releases_its_input";
    if (!harms) continue;
    const tests::TempFolder folder;
    const Report report = run(evil, folder / "pack", "");
    EXPECT_FALSE(report.ok()) << fault;
    EXPECT_GE(report.rows.size(), 50u) << fault;
  }
}

// Without a fault the same pack is healthy: what the others fail of is the fault.
TEST(Host, FindsNothingInAnEvilPackWithoutAFault) {
  for (const auto& [example, library] :
       {std::pair("metric_cpp", "evil_metric"), std::pair("tokenizer_cpp", "evil_tokenizer"),
        std::pair("format_cpp", "evil_format"), std::pair("loss_cpp", "evil_loss"),
        std::pair("../packs/loss_dpo", "evil_preference"),
        std::pair("device_simulated", "evil_device")}) {
    const Evil healthy{"none",       example, library, "load.plugin_loads",
                       State::kPass, "",      nullptr, nullptr};
    if (!is_built(healthy)) continue;
    const tests::TempFolder folder;
    const Report report = run(healthy, folder / "pack", "");
    EXPECT_TRUE(report.ok()) << report_text(report);
  }
}

// The program itself, as a user meets it: the worker dies, the command says of what.
TEST(Worker, ThatDiesInAPackSaysPackSlotAndInput) {
  const auto segfaults = std::find_if(all_evils().begin(), all_evils().end(), [](const Evil& evil) {
    return std::string(evil.fault) == "segfaults";
  });
  const tests::TempFolder folder;
  std::filesystem::create_directories(folder / "packs");
  make_evil_pack(*segfaults, folder / "packs/evil");
  std::ofstream(folder / "predictions.jsonl") << "{\"text\":\"a\"}\n";
  std::ofstream(folder / "references.jsonl") << "{\"texts\":[\"a\"]}\n";
  const std::string command =
      "MORTISE_HOME=" + (folder / "home") + " MORTISE_PACK_PATH=" + (folder / "packs") + " " +
      MORTISE_PROGRAM + " metric score --json --metric com.example.exact_match --predictions " +
      (folder / "predictions.jsonl") + " --references " + (folder / "references.jsonl") +
      " 2>&1 >/dev/null";

  FILE* program = ::popen(command.c_str(), "r");
  ASSERT_NE(program, nullptr);
  std::string said;
  for (int c = std::fgetc(program); c != EOF; c = std::fgetc(program)) said += static_cast<char>(c);
  const int status = ::pclose(program);

  EXPECT_EQ(WEXITSTATUS(status), 1) << said;
  const auto error = base::parse_json(said);
  ASSERT_TRUE(error.ok()) << said;
  EXPECT_THAT((*error)["detail"].as_string(),
              HasSubstr("died with SIGSEGV in mortise.metric/1 update on " +
                        (folder / "predictions.jsonl from row 1: 1 rows.")));
  EXPECT_THAT((*error)["details"]["pack"].as_string(), HasSubstr("com.example.exact_match"));
}

}  // namespace
}  // namespace mortise::plugin::kit
