// A dataset format pack with files in memory, read through its C table: rows, cursors, errors.
#pragma once

#include <gtest/gtest.h>
#include <mortise/kind/format.h>
#include <mortise/cpp/arrow_read.hpp>

#include <ostream>
#include <vector>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise::packs_test {

struct FormatRow {
  std::string json;
  int64_t byte_offset = -1;
  bool operator==(const FormatRow&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const FormatRow& row) {
    return out << row.byte_offset << ": " << row.json;
  }
};

class FormatUnderTest {
 public:
  explicit FormatUnderTest(const std::string& library) : pack_(library) {}
  ~FormatUnderTest() { close(); }

  std::map<std::string, std::string>& files() { return pack_.files.content; }

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
    ArrowSchema schema{};
    mortise_format_facts facts{};
    facts.struct_size = sizeof(facts);
    EXPECT_EQ(table().describe(instance_, &schema, &facts, nullptr), MORTISE_STATUS_OK);
    schema.release(&schema);
    return facts.shards_count;
  }

  struct Part {
    std::vector<FormatRow> rows;
    std::string cursor;  // behind the rows
    sdk::Failure failure{MORTISE_STATUS_OK, ""};
  };

  // From the cursor on, `batches_max` batches of at most rows_max rows; 0: to the end.
  Part scan(uint32_t shard, const std::string& cursor, uint64_t rows_max, int batches_max = 0) {
    Part part;
    mortise_scan_options options{};
    options.struct_size = sizeof(options);
    options.shard_index = shard;
    options.cursor = sdk::bytes(cursor);
    options.batch_rows_max = rows_max;
    ArrowArrayStream stream{};
    part.failure = failure_of(
        [&](mortise_error* error) { return table().scan(instance_, &options, &stream, error); });
    if (part.failure.code != MORTISE_STATUS_OK) return part;
    for (int batch = 0; batches_max == 0 || batch < batches_max; ++batch) {
      if (!take(&stream, part.rows)) break;
    }
    part.failure = failure_of(
        [&](mortise_error* error) { return table().stream_error(instance_, &stream, error); });
    sdk::StringSink sink;
    EXPECT_EQ(table().cursor(instance_, &stream, sink.raw(), nullptr), MORTISE_STATUS_OK);
    part.cursor = sink.value();
    stream.release(&stream);
    return part;
  }

  // All rows of all shards, up to the first failure, which may be that of open.
  Part read(const std::vector<std::string>& names, const std::string& config = "{}") {
    Part all;
    all.failure = open(names, config);
    if (all.failure.code != MORTISE_STATUS_OK) return all;
    for (uint32_t shard = 0; shard < shards_count(); ++shard) {
      Part part = scan(shard, "", 0);
      all.rows.insert(all.rows.end(), part.rows.begin(), part.rows.end());
      all.failure = part.failure;
      if (all.failure.code != MORTISE_STATUS_OK) break;
    }
    return all;
  }

  std::vector<std::string> rows_of(const std::vector<std::string>& names,
                                   const std::string& config = "{}") {
    const Part part = read(names, config);
    EXPECT_EQ(part.failure.code, MORTISE_STATUS_OK) << part.failure.message;
    std::vector<std::string> rows;
    for (const FormatRow& row : part.rows) rows.push_back(row.json);
    return rows;
  }

  // A stream of its own for each row, each from the cursor before, gives what one stream gives.
  void expect_exact_cursors() {
    for (uint32_t shard = 0; shard < shards_count(); ++shard) {
      const Part whole = scan(shard, "", 0);
      std::vector<FormatRow> rows;
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

  uint32_t score(const std::string& name, const std::string& head, uint64_t size_bytes = 0) {
    mortise_format_sample sample{};
    sample.struct_size = sizeof(sample);
    sample.name = sdk::text(name);
    sample.head = sdk::bytes(std::string_view(head).substr(0, 64 << 10));
    sample.size_bytes = size_bytes == 0 ? head.size() : size_bytes;
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
  static bool take(ArrowArrayStream* stream, std::vector<FormatRow>& rows) {
    ArrowArray batch{};
    if (stream->get_next(stream, &batch) != 0 || batch.release == nullptr) return false;
    const sdk::StructView view(&batch, 2);
    const auto texts = view.column<sdk::TextView>(0, "row");
    const auto offsets = view.column<sdk::NumberView<int64_t>>(1, "byte_offset");
    for (int64_t i = 0; i < view.size(); ++i) rows.push_back({std::string(texts[i]), offsets[i]});
    batch.release(&batch);
    return true;
  }

  PackUnderTest pack_;
  mortise_format_instance* instance_ = nullptr;
};

}  // namespace mortise::packs_test
