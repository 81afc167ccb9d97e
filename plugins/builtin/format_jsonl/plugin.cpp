// The face of the pack: mortise.dataset_format/1 and its writer for JSONL, one JSON object a line.
// Columns: row, utf8, the object as it stands; byte_offset, int64, where it begins in its file.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/plugin.hpp>

#include "row_check.h"
#include "row_stream.h"
#include "writer.h"

namespace mortise::format_jsonl {
namespace {

constexpr int64_t kRowBytesMax = int64_t{8} << 20;
constexpr int64_t kShardBytes = int64_t{64} << 20;
// Of a file that is named as JSONL and does not look like it, above what any other text may claim:
// the reader says where and how it is broken, which "no format takes it" does not.
constexpr uint32_t kBrokenScore = 85;

uint64_t read_size(sdk::Json config, const char* field, int64_t otherwise) {
  const int64_t value = config.get(field, otherwise);
  if (value >= 1) return static_cast<uint64_t>(value);
  throw sdk::invalid_argument(std::string(field) + " must be at least 1.")
      .at("", -1, -1, "/" + std::string(field));
}

bool is_row(std::string_view line) {
  try {
    check_row(line);
    return true;
  } catch (const sdk::Failure&) {
    return false;
  }
}

// Looks at the first lines that lie in the sample as a whole, three at most.
sdk::ProbeResult probe_lines(std::string_view head, bool is_whole, bool is_named) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  int rows = 0;
  while (!head.empty() && rows < 3) {
    const size_t end = head.find('\n');
    if (end == head.npos && !is_whole) break;
    const std::string_view line = trimmed(head.substr(0, end));
    head.remove_prefix(end == head.npos ? head.size() : end + 1);
    if (line.empty()) continue;
    if (!is_row(line)) {
      return {is_named ? kBrokenScore : 0u,
              "Line " + std::to_string(rows + 1) + " is not one whole JSON object."};
    }
    ++rows;
  }
  if (rows == 0 && trimmed(head).empty()) {
    return {is_named ? 50u : 0u, "The file is empty."};
  }
  if (rows == 0) {  // one long line, cut by the sample
    const bool opens = trimmed(head).starts_with('{');
    return {is_named ? kBrokenScore : (opens ? 20u : 0u),
            "The first line is longer than the sample."};
  }
  if (rows == 1) return {is_named ? 90u : 40u, "The one line is a JSON object."};
  return {is_named ? 100u : 90u, "Each of the first lines is a JSON object."};
}

class Jsonl : public sdk::Format {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    const bool is_named = sample.name.ends_with(".jsonl") || sample.name.ends_with(".ndjson");
    return probe_lines(sample.head, sample.head.size() >= sample.size_bytes, is_named);
  }

  Jsonl(std::vector<std::string> uris, sdk::Json config)
      : files_(open_files(std::move(uris), read_size(config, "shard_bytes", kShardBytes),
                          read_size(config, "row_bytes_max", kRowBytesMax))) {}

  sdk::Schema schema() const override {
    return sdk::struct_schema(
        sdk::make_vector(sdk::make_schema("u", "row"), sdk::make_schema("l", "byte_offset")));
  }
  sdk::FormatFacts describe() const override {
    return {-1, static_cast<uint32_t>(files_.shards.size())};
  }
  std::unique_ptr<sdk::FormatStream> scan(const sdk::ScanOptions& options) const override {
    return std::make_unique<RowStream>(files_, options);
  }

 private:
  FileSet files_;
};

}  // namespace
}  // namespace mortise::format_jsonl

using mortise::format_jsonl::Jsonl;
using mortise::format_jsonl::JsonlWriter;

MORTISE_PLUGIN("mortise.format_jsonl",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<Jsonl>()},
               {MORTISE_KIND_DATASET_FORMAT_WRITER,
                mortise::sdk::format_writer_table<JsonlWriter>()});
