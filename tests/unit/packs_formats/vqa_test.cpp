// The VQA pack: questions, annotations beside them, names of pictures.
#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatUnderTest;
using Texts = std::vector<std::string>;

constexpr const char* kQuestions =
    R"({"questions":[{"question_id":42001,"image_id":42,"question":"Big?"},
    {"image_id":7,"question_id":70,"question":"Red?"}],"data_subtype":"val2014"})";
constexpr const char* kAnnotations =
    R"({"info":{},"annotations":[{"question_id":70,"multiple_choice_answer":"no","answers":[{"answer":"no","answer_id":1}],"answer_type":"yes/no"},
    {"question_id":42001,"multiple_choice_answer":"yes","answers":[]}]})";

class FormatVqa : public testing::Test {
 protected:
  Texts rows(const std::string& config = "{}") { return pack_.rows_of({"d/q.json"}, config); }
  sdk::Failure failure(const std::string& config = "{}") {
    return pack_.read({"d/q.json"}, config).failure;
  }
  FormatUnderTest pack_{MORTISE_FORMAT_VQA};
};

TEST_F(FormatVqa, JoinsTheAnnotationsThatLieBesideTheQuestions) {
  pack_.files() = {{"d/q.json", kQuestions}, {"d/a.json", kAnnotations}, {"d/other.json", "[]"}};

  EXPECT_EQ(
      rows(),
      (Texts{
          R"({"question_id":42001,"image_id":42,"image_path":"COCO_val2014_000000000042.jpg","question":"Big?","output":"yes","answers":[]})",
          R"({"question_id":70,"image_id":7,"image_path":"COCO_val2014_000000000007.jpg","question":"Red?","output":"no","answers":[{"answer":"no","answer_id":1}],"answer_type":"yes/no"})"}));
}

TEST_F(FormatVqa, WithoutAnnotationsQuestionsAloneAreRows) {
  pack_.files() = {{"d/q.json", kQuestions}};

  const Texts found = rows(R"({"image_folder":"val2014"})");

  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(
      found[1],
      R"({"question_id":70,"image_id":7,"image_path":"val2014/COCO_val2014_000000000007.jpg","question":"Red?"})");
}

TEST_F(FormatVqa, AResultFileGivesTheAnswers) {
  pack_.files() = {
      {"d/q.json", kQuestions},
      {"d/r.json", R"([{"question_id":70,"answer":"a"},{"question_id":42001,"answer":"b"}])"}};

  const Texts found = rows(R"({"annotations":"r.json"})");

  ASSERT_EQ(found.size(), 2u);
  EXPECT_NE(found[0].find(R"("output":"b")"), std::string::npos);
}

TEST_F(FormatVqa, AQuestionWithoutAnnotationIsAnErrorWithItsByte) {
  pack_.files() = {
      {"d/q.json", kQuestions},
      {"d/a.json",
       R"({"annotations":[{"question_id":42001,"answers":[],"multiple_choice_answer":"x"}]})"}};

  const auto part = pack_.read({"d/q.json"});

  EXPECT_EQ(part.rows.size(), 1u);
  EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(part.failure.row, 2);
  EXPECT_EQ(part.failure.byte, 73);
  EXPECT_NE(part.failure.message.find("question 70 "), std::string::npos);
  EXPECT_EQ(rows(R"({"annotations":""})").size(), 2u);
}

TEST_F(FormatVqa, AmongSeveralAnnotationsTheSubsetDecidesOrTheUser) {
  pack_.files() = {{"d/q.json", kQuestions},
                   {"d/val2014_a.json", kAnnotations},
                   {"d/train2014_a.json", kAnnotations}};
  EXPECT_EQ(rows().size(), 2u);

  pack_.files()["d/val2014_b.json"] = kAnnotations;
  EXPECT_EQ(failure().code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(failure().hint.find("annotations"), std::string::npos);
}

TEST_F(FormatVqa, RefusesAnswersGivenTwiceAndPicturesWithoutName) {
  pack_.files() = {
      {"d/q.json", kQuestions},
      {"d/a.json",
       R"({"annotations":[{"question_id":1,"answers":[]},{"question_id":1,"answers":[]}]})"}};
  EXPECT_EQ(failure().file, "d/a.json");
  EXPECT_EQ(failure().field, "question_id");

  pack_.files() = {
      {"d/q.json", R"({"questions":[{"question_id":1,"image_id":2,"question":"x"}]})"}};
  EXPECT_EQ(failure().field, "image_id");
  EXPECT_EQ(rows(R"({"subset":"train2014"})").size(), 1u);
  pack_.files() = {{"d/q.json", R"({"questions":[{"question_id":1,"image_id":2)"}};
  EXPECT_EQ(failure().code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(FormatVqa, CursorsAreExact) {
  pack_.files() = {{"d/q.json", kQuestions}, {"d/a.json", kAnnotations}};
  ASSERT_EQ(pack_.open({"d/q.json"}).code, MORTISE_STATUS_OK);

  pack_.expect_exact_cursors();
}

}  // namespace
}  // namespace mortise
