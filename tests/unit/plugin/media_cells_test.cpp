// Columns of media: what is taken from a checked array, what is refused.
#include "plugin/media_cells.h"

#include <gtest/gtest.h>
#include <mortise/cpp/media.hpp>

namespace mortise::plugin {
namespace {

using base::Code;

Column media_column(bool is_list) {
  const sdk::Schema schema = sdk::media_schema("image", MORTISE_MEDIA_IMAGE, is_list);
  return read_schema(*schema.get()).value();
}

TEST(MediaCells, ReadBytesRangesAndNulls) {
  sdk::MediumBuilder builder;
  builder.append({"a.png", "PIXELS", "", 0, 0});
  builder.append({"", "", "shard.tar", 512, 7});
  builder.append_null();
  const sdk::Array array = builder.finish();
  const Column column = media_column(false);

  ASSERT_TRUE(is_media(column));
  ASSERT_TRUE(check_media_column(column).ok());
  ASSERT_TRUE(check_array(column, *array.get()).ok());
  const MediaField first = media_at(column, *array.get(), 0).value();
  EXPECT_EQ(first.field, "image");
  EXPECT_EQ(first.items[0].name, "a.png");
  EXPECT_EQ(first.items[0].bytes, "PIXELS");
  const MediaField second = media_at(column, *array.get(), 1).value();
  EXPECT_EQ(second.items[0].member, "shard.tar");
  EXPECT_EQ(second.items[0].offset, 512);
  EXPECT_EQ(second.items[0].length, 7);
  EXPECT_TRUE(media_at(column, *array.get(), 2).value().items[0].is_null);
}

TEST(MediaCells, ReadListsWithGaps) {
  sdk::ListBuilder<sdk::MediumBuilder> builder;
  builder.items().append({"", "x", "", 0, 0});
  builder.end_row();
  builder.items().append_null();
  builder.items().append({"", "y", "", 0, 0});
  builder.end_row();
  const sdk::Array array = builder.finish();
  const Column column = media_column(true);

  ASSERT_TRUE(check_array(column, *array.get()).ok());
  const MediaField second = media_at(column, *array.get(), 1).value();
  ASSERT_EQ(second.items.size(), 2u);
  EXPECT_TRUE(second.is_list);
  EXPECT_TRUE(second.items[0].is_null);
  EXPECT_EQ(second.items[1].bytes, "y");
}

TEST(MediaCells, RefuseAMediumWithoutBytesAndRangeAndANegativeRange) {
  const Column column = media_column(false);
  const auto error_of = [&](const char* text) {
    const base::Json row = base::parse_json(text).value();
    Column whole{"", "+s", false, {column}, ""};
    const OwnedArray batch = make_rows(whole, std::span(&row, 1)).value();
    const auto media = media_at(column, *batch.get()->children[0], 0);
    return media.ok() ? base::Error() : media.error();
  };
  EXPECT_EQ(error_of(R"({"image":{"name":"a"}})").code, Code::kDataLoss);
  EXPECT_EQ(error_of(R"({"image":{"member":"a","offset":-1,"length":2}})").code, Code::kDataLoss);
  EXPECT_EQ(error_of(R"({"image":{"member":"a","offset":1}})").code, Code::kDataLoss);
  EXPECT_EQ(error_of(R"({"image":{"member":"a","bytes":"AA=="}})").field, "image");
}

TEST(MediaCells, RefuseAColumnOfAnotherType) {
  const Column text{"image", "u", true, {}, MORTISE_MEDIA_IMAGE};
  const auto checked = check_media_column(text);
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code, Code::kDataLoss);
  EXPECT_EQ(checked.error().field, "image");
  EXPECT_TRUE(check_media_column(Column{"image", "u", true, {}, "com.example.other"}).ok());
}

}  // namespace
}  // namespace mortise::plugin
