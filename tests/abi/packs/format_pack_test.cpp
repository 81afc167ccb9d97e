// The example format: rows, exact resume, projection, errors with row and byte, the writer.
#include "mortise/cpp/arrow_build.hpp"
#include "mortise/cpp/arrow_read.hpp"
#include "mortise/kind/format.h"
#include "mortise/kind/format_writer.h"
#include "tests/abi/fake_host.h"

namespace mortise::abi {
namespace {

using Rows = std::vector<std::vector<std::string>>;

class DelimitedPack : public ::testing::Test {
 protected:
  DelimitedPack() : pack_(std::string(MORTISE_PACKS) + "/format_cpp/lib/format_cpp.so", host_) {
    table_ = pack_.table<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT);
    writer_ = pack_.table<mortise_dataset_format_writer>(MORTISE_KIND_DATASET_FORMAT_WRITER);
  }
  ~DelimitedPack() override { table_->close(instance_); }

  sdk::Failure open(const std::string& content, const char* config = "{}") {
    host_.stored["t"] = content;
    const mortise_text uri = sdk::text("t");
    return reported([&](mortise_error* error) {
      return table_->open(&uri, 1, sdk::text(config), &instance_, error);
    });
  }
  sdk::Failure scan(mortise_scan_options options, sdk::ArrayStream* out) {
    options.struct_size = sizeof(options);
    return reported(
        [&](mortise_error* error) { return table_->scan(instance_, &options, out->get(), error); });
  }
  // The rows of at most batches_max further batches.
  Rows read(sdk::ArrayStream* stream, int batches_max = 1000) {
    Rows rows;
    for (int b = 0; b < batches_max; ++b) {
      sdk::Array batch;
      error_number_ = stream->get()->get_next(stream->get(), batch.get());
      if (error_number_ != 0 || batch.is_released()) break;
      const sdk::StructView view(batch.get());
      for (int64_t r = 0; r < view.size(); ++r) {
        rows.emplace_back();
        for (int64_t c = 0; c < view.columns_count(); ++c) {
          rows.back().emplace_back(view.column<sdk::TextView>(c, "")[r]);
        }
      }
    }
    return rows;
  }
  std::string cursor(sdk::ArrayStream* stream) {
    sdk::StringSink sink(4096);
    EXPECT_EQ(table_->cursor(instance_, stream->get(), sink.raw(), sdk::ErrorCollector().raw()), 0);
    return sink.value();
  }

  FakeHost host_;
  LoadedPack pack_;
  const mortise_dataset_format* table_;
  const mortise_dataset_format_writer* writer_;
  mortise_format_instance* instance_ = nullptr;
  int error_number_ = 0;
};

const char kText[] = "q|a\n1|x\n2|\r\n3|\xC3\xA9\n4|y";

TEST_F(DelimitedPack, ReadsEveryRow) {
  ASSERT_EQ(open(kText).message, "");
  sdk::ArrayStream stream;
  ASSERT_EQ(scan({}, &stream).message, "");

  EXPECT_EQ(read(&stream), (Rows{{"1", "x"}, {"2", ""}, {"3", "\xC3\xA9"}, {"4", "y"}}));
  EXPECT_EQ(error_number_, 0);
}

TEST_F(DelimitedPack, ResumesFromTheCursorAfterEachBatch) {
  open(kText);
  sdk::ArrayStream whole_stream;
  scan({}, &whole_stream);
  const Rows whole = read(&whole_stream);

  for (int cut = 0; cut <= 4; ++cut) {
    mortise_scan_options options{};
    options.batch_rows_max = 1;
    sdk::ArrayStream first;
    scan(options, &first);
    Rows rows = read(&first, cut);
    const std::string position = cursor(&first);
    options.cursor = sdk::bytes(position);
    sdk::ArrayStream second;
    ASSERT_EQ(scan(options, &second).message, "");
    for (auto& row : read(&second)) rows.push_back(row);
    EXPECT_EQ(rows, whole) << "cut after " << cut;
  }
}

TEST_F(DelimitedPack, RefusesCursorsThatAreDamagedOrOfAnotherFile) {
  open(kText);
  sdk::ArrayStream stream;
  scan({}, &stream);
  read(&stream, 1);
  const std::string position = cursor(&stream);
  mortise_scan_options options{};

  for (const std::string& bad : {position + "0", position.substr(1), std::string("\n\n\n\n")}) {
    options.cursor = sdk::bytes(bad);
    sdk::ArrayStream none;
    EXPECT_EQ(scan(options, &none).code, MORTISE_STATUS_DATA_LOSS) << bad;
    EXPECT_TRUE(none.is_released());
  }
}

TEST_F(DelimitedPack, GivesOnlyTheColumnsAskedFor) {
  open(kText);
  const mortise_text columns[] = {sdk::text("a")};
  mortise_scan_options options{};
  options.columns = columns;
  options.columns_count = 1;
  sdk::ArrayStream stream;
  ASSERT_EQ(scan(options, &stream).message, "");
  sdk::Schema schema;
  stream.get()->get_schema(stream.get(), schema.get());

  EXPECT_EQ(sdk::find_field(*schema.get(), "a"), 0);
  EXPECT_EQ(schema.get()->n_children, 1);
  EXPECT_EQ(read(&stream), (Rows{{"x"}, {""}, {"\xC3\xA9"}, {"y"}}));
}

TEST_F(DelimitedPack, RefusesUnknownColumnsShardsAndFlags) {
  open(kText);
  const mortise_text columns[] = {sdk::text("none")};
  mortise_scan_options column{}, shard{}, flags{}, reserved{};
  column.columns = columns;
  column.columns_count = 1;
  shard.shard_index = 1;
  flags.flags = 4;
  reserved.reserved[1] = 1;
  sdk::ArrayStream none;

  EXPECT_EQ(scan(column, &none).field, "none");
  EXPECT_EQ(scan(shard, &none).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(scan(flags, &none).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(scan(reserved, &none).code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(DelimitedPack, BadRowEndsTheStreamWithRowAndByte) {
  open("q|a\n1|x\nonly one\n2|y\n");
  sdk::ArrayStream stream;
  mortise_scan_options options{};
  options.batch_rows_max = 1;
  scan(options, &stream);

  EXPECT_EQ(read(&stream).size(), 1u);
  const auto failure = reported(
      [&](mortise_error* error) { return table_->stream_error(instance_, stream.get(), error); });

  EXPECT_EQ(error_number_, EINVAL);
  EXPECT_EQ(failure.row, 2);
  EXPECT_EQ(failure.byte, 8);
  EXPECT_EQ(failure.file, "t");
  EXPECT_STREQ(stream.get()->get_last_error(stream.get()), failure.message.c_str());
  EXPECT_EQ(read(&stream).size(), 0u);
  EXPECT_EQ(error_number_, EINVAL);
}

TEST_F(DelimitedPack, BadUtf8IsNamedByByte) {
  open("q|a\n1|\xFF\n");
  sdk::ArrayStream stream;
  scan({}, &stream);
  read(&stream);

  const auto failure = reported(
      [&](mortise_error* error) { return table_->stream_error(instance_, stream.get(), error); });

  EXPECT_EQ(failure.byte, 6);
  EXPECT_EQ(failure.row, 1);
}

TEST_F(DelimitedPack, OpenRefusesEmptyAndMissingFiles) {
  EXPECT_EQ(open("").code, MORTISE_STATUS_INVALID_ARGUMENT);
  const mortise_text uri = sdk::text("missing");
  const auto failure = reported([&](mortise_error* error) {
    return table_->open(&uri, 1, sdk::text(""), &instance_, error);
  });
  EXPECT_EQ(failure.code, MORTISE_STATUS_NOT_FOUND);
}

TEST_F(DelimitedPack, ReleasesItsFileWithTheStream) {
  open(kText);
  {
    sdk::ArrayStream stream;
    scan({}, &stream);
    EXPECT_EQ(host_.open_files["t"], 1);
  }
  EXPECT_EQ(host_.open_files["t"], 0);
}

TEST_F(DelimitedPack, CancelStopsTheStream) {
  open(kText);
  sdk::ArrayStream stream;
  scan({}, &stream);
  host_.is_cancelled = true;

  read(&stream);

  EXPECT_EQ(error_number_, ECANCELED);
}

TEST_F(DelimitedPack, WriterShowsTheFileAfterCommitOnly) {
  const auto schema =
      sdk::struct_schema(sdk::make_vector(sdk::make_schema("u", "q"), sdk::make_schema("u", "a")));
  sdk::TextBuilder q, a;
  q.append("1");
  a.append("x");
  const sdk::Array batch = sdk::struct_array(1, sdk::make_vector(q.finish(), a.finish()));
  sdk::ErrorCollector error;
  mortise_format_writer_instance* out = nullptr;

  writer_->open(sdk::text("new"), schema.get(), sdk::text("{}"), &out, error.raw());
  writer_->append(out, batch.get(), error.raw());
  EXPECT_EQ(host_.stored.count("new"), 0u);
  EXPECT_EQ(writer_->commit(out, error.raw()), MORTISE_STATUS_OK);

  EXPECT_EQ(host_.stored["new"], "q|a\n1|x\n");
}

TEST_F(DelimitedPack, WriterLeavesNothingAfterAbortAndRefusesValuesItCannotHold) {
  const auto schema = sdk::struct_schema(sdk::make_vector(sdk::make_schema("u", "q")));
  sdk::TextBuilder q;
  q.append("a|b");
  const sdk::Array batch = sdk::struct_array(1, sdk::make_vector(q.finish()));
  mortise_format_writer_instance* out = nullptr;
  sdk::ErrorCollector unused;
  writer_->open(sdk::text("new"), schema.get(), sdk::text("{}"), &out, unused.raw());

  const auto failure =
      reported([&](mortise_error* error) { return writer_->append(out, batch.get(), error); });
  writer_->abort(out);

  EXPECT_EQ(failure.row, 1);
  EXPECT_EQ(failure.field, "q");
  EXPECT_EQ(host_.stored.count("new"), 0u);
  EXPECT_EQ(host_.open_files["new"], 0);
}

}  // namespace
}  // namespace mortise::abi
