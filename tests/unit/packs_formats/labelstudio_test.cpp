// The Label Studio pack: results by kind, boxes, several annotations, media names.
#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatUnderTest;
using Texts = std::vector<std::string>;

class FormatLabelStudio : public testing::Test {
 protected:
  Texts rows(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.json"] = text;
    return pack_.rows_of({"a.json"}, config);
  }
  sdk::Failure failure(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.json"] = text;
    return pack_.read({"a.json"}, config).failure;
  }
  // An export of one task with one annotation that has these results.
  static std::string with(const std::string& results) {
    return R"([{"id":1,"data":{"image":"/data/upload/3/ab-x.png","text":"t"},"annotations":[{"id":5,"result":[)" +
           results + "]}]}]";
  }
  FormatUnderTest pack_{MORTISE_FORMAT_LABELSTUDIO};
};

constexpr const char* kStart =
    R"({"task_id":1,"annotation_id":5,"image_path":"ab-x.png","text":"t")";

TEST_F(FormatLabelStudio, ChoicesAndTextsAreMembersNamedByTheirControl) {
  EXPECT_EQ(rows(with(R"({"type":"choices","from_name":"kind","value":{"choices":["cat"]}},
                         {"type":"textarea","from_name":"transcription","value":{"text":["a","b"]}},
                         {"type":"textarea","from_name":"text","value":{"text":"c"}},
                         {"type":"rating","from_name":"stars","value":{"rating":4}})")),
            Texts{kStart +
                  std::string(
                      R"(,"kind":"cat","stars":4,"text_result":"c","transcription":["a","b"]})")});
}

TEST_F(FormatLabelStudio, PercentBoxesBecomeCornersInPixelsOrOfTheWhole) {
  const std::string box =
      R"({"type":"rectanglelabels","from_name":"b","original_width":200,"original_height":100,
          "value":{"x":10,"y":20,"width":50,"height":30,"rotation":0,"rectanglelabels":["cat"]}})";
  EXPECT_EQ(
      rows(with(box)),
      Texts{kStart +
            std::string(
                R"(,"objects":{"ref":["cat"],"bbox":[[20,20,120,50]],"bbox_type":"real"}})")});
  EXPECT_EQ(
      rows(with(box), R"({"boxes":"norm","media_folder":"m"})"),
      Texts{
          R"({"task_id":1,"annotation_id":5,"image_path":"m/ab-x.png","text":"t","objects":{"ref":["cat"],"bbox":[[0.1,0.2,0.6,0.5]],"bbox_type":"norm1"}})"});
}

TEST_F(FormatLabelStudio, ATurnedBoxIsTheUprightOneAroundIt) {
  EXPECT_EQ(
      rows(with(
          R"({"type":"rectanglelabels","from_name":"b","original_width":200,"original_height":100,
                          "value":{"x":50,"y":20,"width":20,"height":10,"rotation":90,"rectanglelabels":["cat"]}})")),
      Texts{kStart +
            std::string(
                R"(,"objects":{"ref":["cat"],"bbox":[[90,20,100,60]],"bbox_type":"real"}})")});
}

TEST_F(FormatLabelStudio, EachAnnotationIsARowAndATaskWithoutOneToo) {
  EXPECT_EQ(
      rows(
          R"([{"id":1,"data":{"audio":"/data/local-files/?d=s/a.wav"},"annotations":[{"id":5,"result":[]},
                      {"id":6,"was_cancelled":true,"result":[{"type":"labels","from_name":"l","value":{"start":1}}]}]},
                     {"id":2,"data":{"n":1.5},"annotations":[]}])"),
      (Texts{
          R"({"task_id":1,"annotation_id":5,"audio_path":"s/a.wav"})",
          R"({"task_id":1,"annotation_id":6,"audio_path":"s/a.wav","was_cancelled":true,"regions":[{"type":"labels","from_name":"l","value":{"start":1}}]})",
          R"({"task_id":2,"n":1.5})"}));
}

TEST_F(FormatLabelStudio, RefusesWhatItCannotReadWithRowByteAndField) {
  const sdk::Failure no_size = failure(with(
      R"({"type":"rectanglelabels","value":{"x":10,"y":20,"width":50,"height":30,"rectanglelabels":["c"]}})"));
  EXPECT_EQ(no_size.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(no_size.field, "/annotations/0/result/0");
  EXPECT_EQ(no_size.row, 1);
  EXPECT_EQ(no_size.byte, 1);
  for (const std::string& bad :
       {std::string("{}"), std::string("[{\"id\":1}]"), std::string("[{\"data\":{}},"),
        std::string("[7]"), std::string(R"([{"data":{"image":"a","img":"b"}}])"),
        with(R"({"from_name":"x"})"), with(R"({"type":"choices","value":{"choices":["c"]}})")}) {
    EXPECT_EQ(failure(bad).code, MORTISE_STATUS_INVALID_ARGUMENT) << bad;
    EXPECT_EQ(failure(bad).file, "a.json") << bad;
  }
}

TEST_F(FormatLabelStudio, CursorsAreExactInsideATaskToo) {
  pack_.files()["a.json"] =
      R"([{"data":{"n":1},"annotations":[{"id":1,"result":[]},{"id":2,"result":[]},{"id":3,"result":[]}]},
          {"data":{"n":2}},{"data":{"n":3},"annotations":[{"id":4,"result":[]},{"id":5,"result":[]}]}])";
  ASSERT_EQ(pack_.open({"a.json"}).code, MORTISE_STATUS_OK);

  pack_.expect_exact_cursors();
}

}  // namespace
}  // namespace mortise
