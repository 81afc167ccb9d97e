// The COCO pack: captions, boxes, joins, what is missing.
#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatUnderTest;
using namespace std::string_literals;
using Texts = std::vector<std::string>;

class FormatCoco : public testing::Test {
 protected:
  FormatUnderTest::Part read(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.json"] = text;
    return pack_.read({"a.json"}, config);
  }
  Texts rows(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.json"] = text;
    return pack_.rows_of({"a.json"}, config);
  }
  FormatUnderTest pack_{MORTISE_FORMAT_COCO};
};

constexpr const char* kCaptions =
    R"({"annotations":[{"id":1,"image_id":9,"caption":"A bowl."},{"id":3,"image_id":4,"caption":"x"},
    {"id":2,"image_id":9,"caption":"Soup."}],
    "images":[{"id":9,"file_name":"9.jpg","width":640,"height":480},{"id":4,"file_name":"4.jpg"}]})";

constexpr const char* kBoxes =
    R"({"info":{},"images":[{"id":5,"file_name":"b.jpg"},{"id":1,"file_name":"a.jpg","width":100}],
    "categories":[{"id":18,"name":"dog"},{"id":3,"name":"big \"cat\""}],
    "annotations":[{"id":7,"image_id":1,"category_id":18,"bbox":[10.5,20,30,40.25],"iscrowd":0},
    {"id":9,"image_id":1,"category_id":3,"segmentation":[]}, {"id":8,"image_id":1,"category_id":3,"bbox":[0,0,1,1]}]})";

TEST_F(FormatCoco, EachCaptionIsARowWithItsPicture) {
  EXPECT_EQ(
      rows(kCaptions),
      (Texts{
          R"({"image_id":9,"image_path":"9.jpg","width":640,"height":480,"annotation_id":1,"caption":"A bowl."})",
          R"({"image_id":4,"image_path":"4.jpg","annotation_id":3,"caption":"x"})",
          R"({"image_id":9,"image_path":"9.jpg","width":640,"height":480,"annotation_id":2,"caption":"Soup."})"}));
}

TEST_F(FormatCoco, EachPictureIsARowWithItsBoxesAsCorners) {
  EXPECT_EQ(
      rows(kBoxes, R"({"image_folder":"train"})"),
      (Texts{
          R"({"image_id":5,"image_path":"train/b.jpg","annotations":[],"objects":{"ref":[],"bbox":[],"bbox_type":"real"}})",
          R"({"image_id":1,"image_path":"train/a.jpg","width":100,"annotations":[)"
          R"({"category":"dog","id":7,"image_id":1,"category_id":18,"bbox":[10.5,20,30,40.25],"iscrowd":0},)"
          R"({"category":"big \"cat\"","id":9,"image_id":1,"category_id":3,"segmentation":[]},)"
          R"({"category":"big \"cat\"","id":8,"image_id":1,"category_id":3,"bbox":[0,0,1,1]}],)"
          R"("objects":{"ref":["dog","big \"cat\""],"bbox":[[10.5,20,40.5,60.25],[0,0,1,1]],"bbox_type":"real"}})"}));
}

TEST_F(FormatCoco, WithoutAnnotationsPicturesAloneAreRows) {
  EXPECT_EQ(rows(R"({"images":[{"id":1,"coco_url":"u/val2017/1.jpg"}]})"),
            Texts{R"({"image_id":1,"image_path":"val2017/1.jpg"})"});
}

TEST_F(FormatCoco, AnAnnotationOfAMissingPictureIsNamed) {
  const auto failure =
      read(
          R"({"images":[{"id":1,"file_name":"a"}],"annotations":[{"id":7,"image_id":2,"caption":"x"}]})")
          .failure;

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure.message, "The annotation 7 is of image 2, which is not among the images.");
  EXPECT_EQ(failure.field, "image_id");
  EXPECT_EQ(failure.byte, 52);
}

TEST_F(FormatCoco, RefusesWhatDoesNotJoinOrIsNoBox) {
  const std::string images =
      R"({"images":[{"id":1,"file_name":"a"}],"categories":[{"id":1,"name":"c"}],)";
  for (const std::string& bad :
       {R"({"images":[{"id":1,"file_name":"a"},{"id":1,"file_name":"b"}]})"s,
        R"({"images":[{"id":"1","file_name":"a"}]})"s, R"({"images":[{"id":1}]})"s,
        R"({"annotations":[]})"s, R"({"images":[)"s, R"({"images":[{"id":1,"file_name":"a"}]} x)"s,
        images + R"("annotations":[{"id":1,"image_id":1,"category_id":2,"bbox":[1,2,3,4]}]})",
        images + R"("annotations":[{"id":1,"image_id":1,"bbox":[1,2,3,4]}]})",
        images + R"("annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,2,3]}]})",
        images + R"("annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,2,-3,4]}]})",
        images + R"("annotations":[{"id":1,"image_id":1,"caption":"x"},{"id":2,"image_id":1}]})",
        images + R"("annotations":[7]})"}) {
    const auto failure = read(bad).failure;
    EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT) << bad;
    EXPECT_EQ(failure.file, "a.json") << bad;
    EXPECT_GE(failure.byte, 0) << bad;
  }
}

TEST_F(FormatCoco, CursorsAreExact) {
  pack_.files() = {{"a.json", kCaptions}, {"b.json", kBoxes}};
  ASSERT_EQ(pack_.open({"a.json", "b.json"}).code, MORTISE_STATUS_OK);

  pack_.expect_exact_cursors();
}

}  // namespace
}  // namespace mortise
