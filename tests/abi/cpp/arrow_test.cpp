// Builders and views of Arrow arrays, and owners of the C structs.
#include "mortise/arrow.h"

#include <gtest/gtest.h>

#include "mortise/cpp/arrow_build.hpp"
#include "mortise/cpp/arrow_read.hpp"

namespace mortise::sdk {
namespace {

Array words(std::initializer_list<const char*> list) {
  TextBuilder builder;
  for (const char* word : list) {
    if (word == nullptr) {
      builder.append_null();
    } else {
      builder.append(word);
    }
  }
  return builder.finish();
}

TEST(TextBuilder, GivesBackWhatWasAppended) {
  const Array array = words({"a", "", nullptr, "bcd"});

  const TextView view(array.get());

  ASSERT_EQ(view.size(), 4);
  EXPECT_EQ(view[0], "a");
  EXPECT_EQ(view[1], "");
  EXPECT_FALSE(view.is_null(1));
  EXPECT_TRUE(view.is_null(2));
  EXPECT_EQ(view[3], "bcd");
  EXPECT_EQ(array.get()->null_count, 1);
}

TEST(TextBuilder, IsEmptyAfterFinish) {
  TextBuilder builder;
  builder.append("x");
  builder.finish();

  const Array second = builder.finish();

  EXPECT_EQ(TextView(second.get()).size(), 0);
  EXPECT_NE(second.get()->buffers[1], nullptr);
}

TEST(BoolBuilder, PacksBitsOverAByte) {
  BoolBuilder builder;
  for (int i = 0; i < 19; ++i) {
    if (i == 11) {
      builder.append_null();
    } else {
      builder.append(i % 3 == 0);
    }
  }
  const Array array = builder.finish();

  const BoolView view(array.get());

  for (int i = 0; i < 19; ++i) {
    if (i == 11) {
      EXPECT_TRUE(view.is_null(i));
    } else {
      EXPECT_EQ(view[i], i % 3 == 0) << i;
    }
  }
}

TEST(NumberBuilder, AppendsManyAtOnceAmongNulls) {
  NumberBuilder<int32_t> builder;
  std::vector<int32_t> many(21);
  for (int32_t i = 0; i < 21; ++i) many[static_cast<size_t>(i)] = i;
  for (const size_t count : {0u, 3u, 21u, 5u}) {
    builder.append_null();
    builder.append_all(many.data(), count);
  }
  const Array array = builder.finish();
  const NumberView<int32_t> view(array.get());
  ASSERT_EQ(view.size(), 33);
  for (int64_t row = 0; row < 33; ++row) {
    EXPECT_EQ(view.is_null(row), row == 0 || row == 1 || row == 5 || row == 27) << row;
  }
  EXPECT_EQ(view[26], 20);
  EXPECT_EQ(view[28], 0);
}

TEST(ListBuilder, KeepsRowsApart) {
  ListBuilder<NumberBuilder<int32_t>> builder;
  builder.items().append(7);
  builder.items().append(8);
  builder.end_row();
  builder.end_row();
  builder.append_null();
  builder.items().append(9);
  builder.end_row();
  const Array array = builder.finish();

  const ListView<NumberView<int32_t>> view(array.get());

  ASSERT_EQ(view.size(), 4);
  EXPECT_EQ(view.end(0) - view.begin(0), 2);
  EXPECT_EQ(view.begin(1), view.end(1));
  EXPECT_TRUE(view.is_null(2));
  EXPECT_EQ(view.items()[view.begin(3)], 9);
}

TEST(StructView, CutsColumnsToASlice) {
  TextBuilder text;
  NumberBuilder<double> number;
  for (int i = 0; i < 5; ++i) {
    text.append(std::string(1, static_cast<char>('a' + i)));
    number.append(i);
  }
  Array batch = struct_array(5, make_vector(text.finish(), number.finish()));
  batch.get()->offset = 2;
  batch.get()->length = 2;

  const StructView view(batch.get(), 2);
  const auto letters = view.column<TextView>(0, "letter");

  ASSERT_EQ(letters.size(), 2);
  EXPECT_EQ(letters[0], "c");
  EXPECT_EQ(view.column<NumberView<double>>(1, "number")[1], 3.0);
}

TEST(StructView, RefusesAShortColumn) {
  Array batch = struct_array(2, make_vector(words({"a", "b"})));
  batch.get()->children[0]->length = 1;

  const StructView view(batch.get());

  EXPECT_THROW(view.column<TextView>(0, "letter"), Failure);
  EXPECT_THROW(view.column<TextView>(1, "absent"), Failure);
}

TEST(TextView, RefusesFallingOffsets) {
  Array array = words({"aa", "bb"});
  int32_t offsets[] = {0, 3, 2};
  array.get()->buffers[1] = offsets;

  EXPECT_THROW(TextView(array.get(), "x"), Failure);
}

TEST(TextView, RefusesNegativeLengthAndWrongBufferCount) {
  Array array = words({"a"});
  array.get()->length = -1;
  EXPECT_THROW(TextView(array.get(), "x"), Failure);
  array.get()->length = 1;
  array.get()->n_buffers = 2;
  EXPECT_THROW(TextView(array.get(), "x"), Failure);
  array.get()->n_buffers = 3;
  EXPECT_NO_THROW(TextView(array.get(), "x"));
}

TEST(ListView, RefusesOffsetsPastTheItems) {
  ListBuilder<NumberBuilder<int32_t>> builder;
  builder.items().append(1);
  builder.end_row();
  Array array = builder.finish();
  array.get()->children[0]->length = 0;

  EXPECT_THROW((ListView<NumberView<int32_t>>(array.get(), "ids")), Failure);
}

TEST(ArrayView, RefusesAReleasedArray) {
  Array array = words({"a"});
  const ArrowArray raw = *array.get();
  array.reset();

  EXPECT_THROW(TextView(array.get(), "x"), Failure);
  EXPECT_NE(raw.release, nullptr);
}

TEST(ArrowOwner, MovedChildOutlivesItsParent) {
  Array batch = struct_array(1, make_vector(words({"kept"}), words({"gone"})));
  const Array child(batch.get()->children[0]);

  batch.reset();

  EXPECT_EQ(TextView(child.get())[0], "kept");
}

TEST(Schema, KeepsNamesFlagsAndMetadata) {
  const Schema schema = struct_schema(
      make_vector(make_schema("u", "text", true),
                  make_schema("+s", "image", false, make_vector(make_schema("z", "bytes")),
                              {{"ARROW:extension:name", MORTISE_EXTENSION_IMAGE}})));

  const Schema copy = copy_schema(*schema.get());

  EXPECT_EQ(find_field(*copy.get(), "image"), 1);
  EXPECT_EQ(find_field(*copy.get(), "none"), -1);
  EXPECT_EQ(copy.get()->children[0]->flags, ARROW_FLAG_NULLABLE);
  EXPECT_EQ(find_metadata(*copy.get()->children[1], "ARROW:extension:name"), "mortise.image");
  EXPECT_EQ(find_metadata(*copy.get()->children[0], "ARROW:extension:name"), "");
  EXPECT_NO_THROW(check_format(*copy.get()->children[0], "u"));
  EXPECT_THROW(check_format(*copy.get()->children[0], "l"), Failure);
}

TEST(StructArray, RefusesColumnsOfDifferentLengths) {
  EXPECT_THROW(struct_array(2, make_vector(words({"a", "b"}), words({"c"}))), Failure);
}

}  // namespace
}  // namespace mortise::sdk
