// Every code of schemas/checks.json is produced by rows that stand here, every code that they
// produce is in the table, and docs/checks.md is the table.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "ingest/ingest.h"
#include "schemas/schemas.h"
#include "tests/support/media_files.h"
#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using Rows = std::vector<std::string>;

struct Case {
  std::string code, task;
  Rows rows;
};

std::string vqa(const std::string& image, const std::string& rest) {
  return R"({"image_path":")" + image + R"(","question":"What?",)" + rest + "}";
}
std::string turns(const std::string& list, const std::string& rest = "") {
  return R"({"messages":[)" + list + "]" + rest + "}";
}
std::string boxes(const std::string& list, const std::string& rest = "") {
  return R"({"image_path":"good.png","objects":{"ref":["lung"],"bbox":[)" + list + "]" + rest +
         "}}";
}
std::string sound(const std::string& name, const std::string& rest = "") {
  return R"({"audio_path":")" + name + R"(","text":"words")" + rest + "}";
}
Rows labels(const std::vector<std::string>& values) {
  Rows rows;
  for (size_t i = 0; i < values.size(); ++i) {
    rows.push_back(R"({"text":"t)" + std::to_string(i) + R"(","label":)" + values[i] + "}");
  }
  return rows;
}

constexpr const char* kUser = R"({"role":"user","content":"Is it clear?"})";
constexpr const char* kAnswer = R"({"role":"assistant","content":"Yes."})";
constexpr const char* kLong =
    "The lungs are clear and no pleural effusion or pneumothorax is seen anywhere today";

std::string two(const std::string& a, const std::string& b) {
  return a + "," + b;
}

// Rows of one picture, or near copies of one text: some fall on each side of the holdout.
Rows many(const std::string& begin, size_t count) {
  Rows rows;
  for (size_t i = 0; i < count; ++i) {
    rows.push_back(begin + R"(,"n":)" + std::to_string(i) + "}");
  }
  return rows;
}

std::vector<Case> row_cases() {
  return {
      {"mapping_unsure", "vqa", {R"({"image":"good.png","query":"q","prompt":"p","answer":"a"})"}},
      {"row_unreadable", "sft", {turns(R"({"role":"alien","content":"x"})")}},
      {"schema_required", "vqa", {R"({"image_path":"good.png","question":"q"})"}},
      {"schema_anyOf", "vqa", {R"({"question":"q","output":"a"})"}},
      {"schema_type", "vqa", {vqa("good.png", R"("output":3)")}},
      {"schema_minLength", "vqa", {vqa("good.png", R"("output":"")")}},
      {"schema_maxLength", "vqa", {vqa(std::string(5000, 'a'), R"("output":"a")")}},
      {"schema_pattern", "vqa", {vqa("good.png", R"("output":"  ")")}},
      {"schema_enum", "sft", {turns(two(kUser, R"({"role":"gpt","content":"a","weight":2})"))}},
      {"schema_minItems", "sft", {turns("")}},
      {"schema_maxItems", "grounding", {boxes("[0,0,1,1,1]")}},
      {"schema_minimum", "tokens", {R"({"input_ids":[-1]})"}},
      {"schema_contains", "sft", {turns(kUser)}},
      {"schema_additionalProperties",
       "sft",
       {turns(two(kUser, R"({"role":"assistant","content":"a","mood":1})"))}},
      {"role_order", "sft", {turns(two(kUser, two(kUser, kAnswer)))}},
      {"empty_answer", "sft", {turns(two(kUser, R"({"role":"assistant","content":" "})"))}},
      {"media_count", "sft", {turns(two(R"({"role":"user","content":"<audio> what?"})", kAnswer))}},
      {"tools_unreadable", "chat", {turns(two(kUser, kAnswer), R"(,"tools":"no")")}},
      {"tool_call_unreadable",
       "chat",
       {turns(two(kUser, two(R"({"role":"tool_call","content":"f("})", kAnswer)))}},
      {"box_count", "grounding", {boxes("[0,0,1,1],[0,0,2,2]")}},
      {"box_order", "grounding", {boxes("[3,0,1,2]")}},
      {"box_range", "grounding", {boxes("[0,0,2,1]", R"(,"bbox_type":"norm1")")}},
      {"box_outside", "grounding", {boxes("[0,0,9,2]")}},
      {"blanks", "vqa", {vqa("good.png", R"("output":"a ")")}},
  };
}

std::vector<Case> media_cases() {
  return {
      {"media_name", "vqa", {vqa("../good.png", R"("output":"a")")}},
      {"media_missing", "vqa", {vqa("gone.png", R"("output":"a")")}},
      {"media_unreadable", "vqa", {vqa("folder.png", R"("output":"a")")}},
      {"media_empty", "vqa", {vqa("empty.png", R"("output":"a")")}},
      {"media_broken", "vqa", {vqa("cut.png", R"("output":"a")")}},
      {"media_short", "asr", {sound("short.wav")}},
      {"duration_wrong", "asr", {sound("second.wav", R"(,"duration":9.5)")}},
      {"same_picture",
       "vqa",
       {vqa("slope.png", R"("output":"a")"), vqa("bright.png", R"("output":"b")")}},
      {"leak_picture", "vqa", many(R"({"image_path":"good.png","question":"q","output":"a")", 12)},
  };
}

std::vector<Case> set_cases() {
  const std::string text = std::string(R"({"text":")") + kLong + "\"";
  return {
      {"duplicate_row", "pretrain", {R"({"text":"same"})", R"({"text":"same"})"}},
      {"near_duplicate", "pretrain", many(text, 2)},
      {"leak_row", "pretrain", many(text, 16)},
      {"label_single", "classification", labels({"\"a\"", "\"a\""})},
      {"label_rare", "classification", labels({"0", "0", "0", "0", "0", "0", "2"})},
      {"label_absent", "classification", labels({"0", "0", "0", "0", "0", "0", "2"})},
      {"too_long", "pretrain", {R"({"text":"one two three four"})"}},
      {"license_absent", "pretrain", {R"({"text":"a"})"}},
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = row_cases();
  for (auto more : {media_cases(), set_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

// A token for each word.
class WordCounter final : public TokenCounter {
 public:
  base::Result<std::vector<int64_t>> count(std::span<const std::string> texts) override {
    std::vector<int64_t> counts;
    for (const std::string& text : texts) {
      counts.push_back(1 + std::count(text.begin(), text.end(), ' '));
    }
    return counts;
  }
};

const base::Json& table() {
  static const base::Json checks(json(std::string(schemas::text("checks.json")))["checks"]);
  return checks;
}

class ChecksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/folder.png");
    write("good.png", grey_png(4, 9));
    write("slope.png", sloping_png(40, 0));
    write("bright.png", sloping_png(64, 20));
    write("cut.png", grey_png(64, 9).substr(0, 900));
    write("empty.png", "");
    write("short.wav", tests::wav_file({1, 2, 3}, 16000, 1));
    write("second.wav", tests::wav_file(std::vector<int16_t>(16000, 5), 16000, 1));
    paths_["folder.png"] = folder_ + "/folder.png";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& bytes) {
    paths_[name] = folder_ + "/" + name;
    ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), paths_[name], bytes).ok());
  }

  Report check(const std::string& task, const Rows& rows, bool patch = false) {
    const LocalFiles files(base::posix_file_ops(), paths_);
    WordCounter counter;
    IngestRequest request;
    request.task_type = task;
    request.rows_names = {"rows.jsonl"};
    request.upload = &files;
    request.patch = patch;
    if (patch) request.rows = &output_;
    request.set = {.tokens = &counter, .length_max = 3, .holdout_ratio = 0.5};
    FakeRows source({rows.begin(), rows.end()});
    auto result = run_ingest(source, request, {});
    EXPECT_TRUE(result.ok()) << result.error().text();
    return result.ok() ? std::move(result->report) : Report();
  }

  std::string folder_ = ::testing::TempDir() + "checks_" +
                        ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::map<std::string, std::string> paths_;
  MemoryOutput output_;
};

TEST_F(ChecksTest, EachCodeOfTheTableIsProducedAndNoOther) {
  std::set<std::string> known, covered;
  std::map<std::string, std::string> severities;
  for (const base::Json& one : table().items()) {
    if (one["of"].as_string() == "change") continue;  // change_test's
    known.insert(one["code"].as_string());
    severities[one["code"].as_string()] = one["severity"].as_string();
  }
  for (const Case& one : all_cases()) {
    SCOPED_TRACE(one.code);
    const Report report = check(one.task, one.rows);
    EXPECT_TRUE(report.codes.contains(one.code)) << report.to_json().dump(1);
    covered.insert(one.code);
    for (const auto& [code, count] : report.codes) EXPECT_TRUE(known.contains(code)) << code;
    EXPECT_EQ(report.accepted, report.bad_rows_count == 0 && report.rows_count > 0);
    for (const Finding& finding : report.findings) {
      EXPECT_EQ(finding.severity, severities[finding.code]) << finding.code;
      EXPECT_FALSE(finding.hint.empty()) << finding.code;
      EXPECT_FALSE(finding.message.empty()) << finding.code;
    }
  }
  EXPECT_EQ(covered, known);
}

TEST_F(ChecksTest, ThePageOfCodesIsTheTable) {
  std::string page = base::read_file(base::posix_file_ops(), MORTISE_CHECKS_PAGE).value();
  size_t lines = 0;
  for (const base::Json& one : table().items()) {
    std::string mend = one["mend"]["en"].as_string();
    for (size_t at; (at = mend.find("{task}")) != mend.npos;) mend.replace(at, 6, "TASK");
    const std::string line = "| `" + one["code"].as_string() + "` | " +
                             one["severity"].as_string() + " | " + one["means"]["en"].as_string() +
                             " | " + mend + " |\n";
    EXPECT_NE(page.find(line), page.npos) << line;
    EXPECT_FALSE(one["means"]["zh"].as_string().empty());
    EXPECT_FALSE(one["mend"]["zh"].as_string().empty());
    ++lines;
  }
  size_t listed = 0;
  for (size_t at = page.find("\n| `"); at != page.npos; at = page.find("\n| `", at + 1)) ++listed;
  EXPECT_EQ(listed, lines) << "a code stands in docs/checks.md that the table lacks";
}

TEST_F(ChecksTest, AnUnsureMappingNamesTheCandidatesAndTheFlag) {
  const Report report = check("vqa", row_cases()[0].rows);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].message,
            "The columns \"query\" and \"prompt\" could both be \"question\".");
  EXPECT_EQ(report.findings[0].hint, "Choose with --map question=query.");
  EXPECT_FALSE(report.accepted);
}

TEST_F(ChecksTest, MechanicalPatchesMakeAMendedCopy) {
  const Report report = check("grounding",
                              {R"({"image_path":".\\good.png","objects":{"ref":["a"],)"
                               R"("bbox":[[3,0,1,2]]}})"},
                              true);
  EXPECT_TRUE(report.accepted) << report.to_json().dump(1);
  EXPECT_EQ(report.bad_rows_count, 0);
  EXPECT_TRUE(report.findings.at(0).is_mended);
  EXPECT_EQ(output_.rows, R"({"image_path":"good.png","objects":{"bbox":[[1,0,3,2]],"ref":["a"]}})"
                          "\n");
  EXPECT_FALSE(check("grounding", {boxes("[0,0,9,2]")}, true).accepted);
}

TEST_F(ChecksTest, LabelsAndLengthsAreCounted) {
  const Report report = check("classification", labels({"0", "0", "1", "1"}));
  EXPECT_EQ(report.statistics["labels"]["labels"]["1"], base::Json(2));
  EXPECT_EQ(report.statistics["labels"]["entropy"], base::Json(1.0));
  EXPECT_EQ(report.statistics["lengths"]["rows_count"], base::Json(4));
  EXPECT_EQ(report.statistics["lengths"]["max"], base::Json(1));
  EXPECT_EQ(report.statistics["lengths"]["too_long_count"], base::Json(0));
}

TEST_F(ChecksTest, ALicenceFileOrFieldIsFound) {
  EXPECT_EQ(check("pretrain", {R"({"text":"a","license":"CC-BY-4.0"})"})
                .statistics["license"]["rows"]["CC-BY-4.0"],
            base::Json(1));
  write("LICENSE", "Apache");
  const Report report = check("pretrain", {R"({"text":"a"})"});
  EXPECT_EQ(report.statistics["license"]["file"], base::Json("LICENSE"));
  EXPECT_FALSE(report.codes.contains("license_absent"));
}

}  // namespace
}  // namespace mortise::ingest
