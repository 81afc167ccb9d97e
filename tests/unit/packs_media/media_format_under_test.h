// A format pack with media, read through its C tables with files in memory: rows as text, media as
// text beside them, cursors, errors, the writer.
#pragma once

#include <gtest/gtest.h>
#include <mortise/kind/format_writer.h>
#include <mortise/cpp/media.hpp>

#include <optional>
#include <vector>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise::packs_test {

class MediaFormatUnderTest {
 public:
  // pack: folder below build/packs; library: the file in its lib/, the pack's name when empty.
  explicit MediaFormatUnderTest(const std::string& pack, const std::string& library = {})
      : pack_(std::string(MORTISE_PACKS) + "/" + pack + "/lib/" +
              (library.empty() ? pack : library) + ".so") {}
  ~MediaFormatUnderTest() { close(); }

  std::map<std::string, std::string>& files() { return pack_.files.content; }
  const PackUnderTest& pack() const { return pack_; }

  sdk::Failure open(const std::vector<std::string>& names, const std::string& config = "{}") {
    close();
    std::vector<mortise_text> uris;
    for (const std::string& name : names) uris.push_back(sdk::text(name));
    return failure_of([&](mortise_error* error) {
      return table().open(uris.data(), static_cast<uint32_t>(uris.size()), sdk::text(config),
                          &instance_, error);
    });
  }
  void close() {
    if (instance_ != nullptr) table().close(instance_);
    instance_ = nullptr;
  }
  uint32_t shards_count() {
    schema_.reset();
    mortise_format_facts facts{};
    facts.struct_size = sizeof(facts);
    EXPECT_EQ(table().describe(instance_, schema_.get(), &facts, nullptr), MORTISE_STATUS_OK);
    return facts.shards_count;
  }

  struct Part {
    std::vector<std::string> rows;  // JSON; " image=bytes" behind it for each medium
    std::vector<int64_t> offsets;
    std::string cursor;
    sdk::Failure failure{MORTISE_STATUS_OK, ""};
  };

  // From the cursor on, `batches_max` batches of at most rows_max rows; 0: to the end.
  Part scan(uint32_t shard, const std::string& cursor = "", uint64_t rows_max = 0,
            int batches_max = 0) {
    Part part;
    mortise_scan_options options{};
    options.struct_size = sizeof(options);
    options.shard_index = shard;
    options.cursor = sdk::bytes(cursor);
    options.batch_rows_max = rows_max;
    sdk::ArrayStream stream;
    part.failure = failure_of([&](mortise_error* error) {
      return table().scan(instance_, &options, stream.get(), error);
    });
    if (part.failure.code != MORTISE_STATUS_OK) return part;
    for (int batch = 0; batches_max == 0 || batch < batches_max; ++batch) {
      sdk::Array array;
      if (stream.get()->get_next(stream.get(), array.get()) != 0 || array.is_released()) break;
      take(array, &part);
    }
    part.failure = failure_of(
        [&](mortise_error* error) { return table().stream_error(instance_, stream.get(), error); });
    sdk::StringSink sink;
    EXPECT_EQ(table().cursor(instance_, stream.get(), sink.raw(), nullptr), MORTISE_STATUS_OK);
    part.cursor = sink.value();
    return part;
  }

  // All rows of all shards, up to the first failure, which may be that of open.
  Part read(const std::vector<std::string>& names, const std::string& config = "{}") {
    Part all;
    all.failure = open(names, config);
    if (all.failure.code != MORTISE_STATUS_OK) return all;
    for (uint32_t shard = 0; shard < shards_count(); ++shard) {
      Part part = scan(shard);
      all.rows.insert(all.rows.end(), part.rows.begin(), part.rows.end());
      all.offsets.insert(all.offsets.end(), part.offsets.begin(), part.offsets.end());
      all.failure = part.failure;
      if (all.failure.code != MORTISE_STATUS_OK) break;
    }
    return all;
  }
  std::vector<std::string> rows_of(const std::vector<std::string>& names,
                                   const std::string& config = "{}") {
    const Part part = read(names, config);
    EXPECT_EQ(part.failure.code, MORTISE_STATUS_OK) << part.failure.message;
    return part.rows;
  }

  // A stream of its own for each row, each from the cursor before, gives what one stream gives.
  void expect_exact_cursors() {
    for (uint32_t shard = 0; shard < shards_count(); ++shard) {
      const Part whole = scan(shard);
      std::vector<std::string> rows;
      std::string cursor;
      for (;;) {
        const Part part = scan(shard, cursor, 1, 1);
        ASSERT_EQ(part.failure.code, MORTISE_STATUS_OK) << part.failure.message;
        if (part.rows.empty()) break;
        rows.insert(rows.end(), part.rows.begin(), part.rows.end());
        cursor = part.cursor;
      }
      EXPECT_EQ(rows, whole.rows) << "shard " << shard;
    }
  }

  // Writes every batch of what is open to `name`.
  sdk::Failure copy_to(const std::string& name) {
    const auto& writer =
        pack_.get<mortise_dataset_format_writer>(MORTISE_KIND_DATASET_FORMAT_WRITER);
    const uint32_t shards = shards_count();
    mortise_format_writer_instance* out = nullptr;
    sdk::Failure failure = failure_of([&](mortise_error* error) {
      return writer.open(sdk::text(name), schema_.get(), sdk::text("{}"), &out, error);
    });
    for (uint32_t shard = 0; shard < shards && failure.code == MORTISE_STATUS_OK; ++shard) {
      mortise_scan_options options{};
      options.struct_size = sizeof(options);
      options.shard_index = shard;
      sdk::ArrayStream stream;
      EXPECT_EQ(table().scan(instance_, &options, stream.get(), nullptr), MORTISE_STATUS_OK);
      for (;;) {
        sdk::Array array;
        if (stream.get()->get_next(stream.get(), array.get()) != 0 || array.is_released()) break;
        failure = failure_of(
            [&](mortise_error* error) { return writer.append(out, array.get(), error); });
        if (failure.code != MORTISE_STATUS_OK) break;
      }
    }
    if (out == nullptr) return failure;
    if (failure.code != MORTISE_STATUS_OK) {
      writer.abort(out);
      return failure;
    }
    return failure_of([&](mortise_error* error) { return writer.commit(out, error); });
  }

  uint32_t score(const std::string& name, const std::string& head) {
    mortise_format_sample sample{};
    sample.struct_size = sizeof(sample);
    sample.name = sdk::text(name);
    sample.head = sdk::bytes(std::string_view(head).substr(0, 64 << 10));
    sample.size_bytes = head.size();
    uint32_t result = 101;
    sdk::StringSink reason;
    EXPECT_EQ(table().probe(&sample, &result, reason.raw(), nullptr), MORTISE_STATUS_OK);
    EXPECT_FALSE(reason.value().empty());
    return result;
  }

 private:
  const mortise_dataset_format& table() const {
    return pack_.get<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT);
  }
  std::string bytes_of(const sdk::Medium& medium) {
    if (medium.member.empty()) return std::string(medium.bytes);
    return files()[std::string(medium.member)].substr(static_cast<size_t>(medium.offset),
                                                      static_cast<size_t>(medium.length));
  }
  void take(const sdk::Array& array, Part* part) {
    const sdk::StructView view(array.get());
    const auto texts = view.column<sdk::TextView>(0, "row");
    const auto offsets = view.column<sdk::NumberView<int64_t>>(1, "byte_offset");
    for (int64_t row = 0; row < view.size(); ++row) {
      std::string text(texts[row]);
      for (int64_t c = 2; c < view.columns_count(); ++c) {
        const ArrowSchema& column = *schema_.get()->children[c];
        const std::string mark = " " + std::string(sdk::schema_name(column)) + "=";
        if (std::string_view(column.format) == "+l") {
          const auto lists = view.column<sdk::ListView<sdk::MediumView>>(c, "media");
          for (int64_t i = lists.begin(row); i < lists.end(row); ++i) {
            text += mark + (lists.items().is_null(i) ? "(null)" : bytes_of(lists.items()[i]));
          }
        } else {
          const auto media = view.column<sdk::MediumView>(c, "media");
          if (!media.is_null(row)) text += mark + bytes_of(media[row]);
        }
      }
      part->rows.push_back(std::move(text));
      part->offsets.push_back(offsets[row]);
    }
  }

  PackUnderTest pack_;
  mortise_format_instance* instance_ = nullptr;
  sdk::Schema schema_;
};

}  // namespace mortise::packs_test
