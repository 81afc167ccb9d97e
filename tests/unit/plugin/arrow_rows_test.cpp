#include "plugin/arrow_rows.h"

#include <gtest/gtest.h>

namespace mortise::plugin {
namespace {

using base::Code;
using base::Json;

Column some_columns() {
  const Column item = {"item", "i", false, {}, ""};
  return {"",
          "+s",
          false,
          {{"text", "u", true, {}, ""},
           {"wide", "U", true, {}, ""},
           {"bytes", "z", true, {}, ""},
           {"small", "c", true, {}, ""},
           {"big", "L", true, {}, ""},
           {"real", "g", true, {}, ""},
           {"flag", "b", true, {}, ""},
           {"ids", "+l", true, {item}, ""},
           {"box", "+s", true, {{"x", "l", true, {}, ""}}, "mortise.image"}},
          ""};
}

Json full_row() {
  return Json::object({{"text", "h\u00e9"},
                       {"wide", "w"},
                       {"bytes", "AAE="},
                       {"small", -128},
                       {"big", UINT64_MAX},
                       {"real", 0.5},
                       {"flag", true},
                       {"ids", Json::array({1, 2, 3})},
                       {"box", Json::object({{"x", 7}})}});
}

Json empty_row() {
  Json row = Json::object();
  for (const Column& column : some_columns().children) row[column.name] = Json();
  return row;
}

TEST(MakeRows, GivesBackWhatItWasGiven) {
  const std::vector<Json> rows = {full_row(), empty_row(), full_row()};

  const auto array = make_rows(some_columns(), rows);

  ASSERT_TRUE(array.ok()) << array.error().text();
  ASSERT_TRUE(check_array(some_columns(), *array->get()).ok());
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(row_of(some_columns(), *array->get(), i), rows[static_cast<size_t>(i)]) << i;
  }
}

TEST(MakeRows, ReadsASlice) {
  auto array = make_rows(some_columns(), std::vector<Json>{empty_row(), full_row()}).value();
  array->offset = 1;
  array->length = 1;
  array->null_count = -1;

  ASSERT_TRUE(check_array(some_columns(), *array.get()).ok());
  EXPECT_EQ(row_of(some_columns(), *array.get(), 0), full_row());
}

TEST(MakeRows, TakesAMissingMemberForNullAndIgnoresOthers) {
  const auto array =
      make_rows(some_columns(), std::vector<Json>{Json::object({{"unknown", 1}})}).value();

  EXPECT_EQ(row_of(some_columns(), *array.get(), 0), empty_row());
}

TEST(MakeRows, NamesRowAndColumnOfEveryMisfit) {
  const std::pair<const char*, Json> misfits[] = {
      {"text", 1},    {"bytes", "?"}, {"small", 128},
      {"small", 1.5}, {"big", -1},    {"real", "x"},
      {"flag", 1},    {"ids", "x"},   {"ids", Json::array({"x"})},
      {"box", 3}};
  for (const auto& [name, value] : misfits) {
    Json row = full_row();
    row[name] = value;

    const auto array = make_rows(some_columns(), std::vector<Json>{row});

    ASSERT_FALSE(array.ok()) << name;
    EXPECT_EQ(array.error().code, Code::kInvalidArgument);
    EXPECT_EQ(array.error().row, 1);
    EXPECT_TRUE(array.error().field.starts_with(name)) << array.error().field;
  }
}

TEST(MakeRows, RefusesANullWhereTheSchemaAllowsNone) {
  Column columns = some_columns();
  columns.children[0].is_nullable = false;

  const auto array = make_rows(columns, std::vector<Json>{full_row(), empty_row()});

  ASSERT_FALSE(array.ok());
  EXPECT_EQ(array.error().row, 2);
  EXPECT_EQ(array.error().field, "text");
}

TEST(Schema, RoundTripsThroughArrow) {
  const OwnedSchema schema = make_schema(some_columns());

  const auto column = read_schema(*schema.get());

  ASSERT_TRUE(column.ok()) << column.error().text();
  ASSERT_EQ(column->children.size(), 9u);
  EXPECT_EQ(column->children[7].children[0].format, "i");
  EXPECT_EQ(column->children[8].extension, "mortise.image");
  EXPECT_FALSE(column->is_nullable);
}

TEST(Schema, RefusesUnknownFormatsAndMissingChildren) {
  OwnedSchema strange = make_schema({"when", "tdD", true, {}, ""});
  EXPECT_EQ(read_schema(*strange.get()).error().field, "when");

  OwnedSchema list = make_schema({"ids", "+l", true, {}, ""});
  EXPECT_EQ(read_schema(*list.get()).error().code, Code::kInvalidArgument);

  ArrowSchema released{};
  EXPECT_FALSE(read_schema(released).ok());
}

// Each change of a good array that check_array must see.
TEST(CheckArray, SeesEveryBrokenCount) {
  const Column column = {"ids", "+l", false, {{"item", "i", false, {}, ""}}, ""};
  const std::vector<std::vector<int32_t>> lists = {{1, 2}, {3}};
  const auto refused = [&](auto change) {
    OwnedArray array = make_id_lists(lists);
    change(*array.get());
    const auto status = check_array(column, *array.get());
    EXPECT_TRUE(status.ok() || status.error().code == Code::kDataLoss);
    return !status.ok();
  };

  EXPECT_FALSE(refused([](ArrowArray&) {}));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.length = -1; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.offset = -1; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.null_count = 3; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.null_count = 1; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.n_buffers = 1; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.buffers[1] = nullptr; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.children[0]->length = 2; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.children[0]->buffers[1] = nullptr; }));
  static const int32_t shrinking[] = {0, 3, 2}, negative[] = {-1, 0, 1};
  EXPECT_TRUE(refused([](ArrowArray& array) { array.buffers[1] = shrinking; }));
  EXPECT_TRUE(refused([](ArrowArray& array) { array.buffers[1] = negative; }));
}

TEST(ArrowOwner, ReleasesOnceAndMoves) {
  static int releases = 0;
  ArrowArray plain{};
  plain.release = [](ArrowArray* array) {
    ++releases;
    array->release = nullptr;
  };
  {
    OwnedArray first(plain);
    OwnedArray second(std::move(first));
    EXPECT_FALSE(first.is_set());
    EXPECT_TRUE(second.is_set());
  }
  EXPECT_EQ(releases, 1);
}

}  // namespace
}  // namespace mortise::plugin
