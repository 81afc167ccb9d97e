// Shards, cursors and the stream of rows of a set of JSONL files.
//
// Called by plugin.cpp. A shard is a range of bytes of one file and holds the lines that begin in
// it, so the shards together hold every line once, wherever they cut. Knows nothing of probing.
#pragma once

#include <mortise/cpp/format.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "line_reader.h"

namespace mortise::format_jsonl {

struct Shard {
  uint32_t file_index = 0;
  uint64_t begin = 0;  // bytes
  uint64_t end = 0;
};

// The files of a data set and how they are cut.
struct FileSet {
  std::vector<std::string> names;
  std::vector<uint64_t> sizes_bytes;
  std::vector<Shard> shards;
  uint64_t row_bytes_max = 0;

  // A hash over names and sizes: a cursor of other files is refused.
  uint64_t identity() const;
};

// Asks the host for the sizes and cuts each file into pieces of shard_bytes. Throws NOT_FOUND.
FileSet open_files(std::vector<std::string> names, uint64_t shard_bytes, uint64_t row_bytes_max);

class RowStream : public sdk::FormatStream {
 public:
  // files must outlive the stream. Throws DATA_LOSS for a cursor that is damaged, of other files or
  // of another shard.
  RowStream(const FileSet& files, const sdk::ScanOptions& options);

  // Rows before a bad one come first; the call after them throws with file, row and byte.
  bool next(sdk::Array* out) override;
  std::string cursor() const override;

 private:
  bool take_row(sdk::TextBuilder& rows, sdk::NumberBuilder<int64_t>& offsets);
  sdk::Failure located(const sdk::Failure& failure, uint64_t line_begin) const;
  int64_t row_number(uint64_t line_begin) const;
  uint64_t parse_cursor(const std::string& text) const;

  const FileSet& files_;
  uint32_t shard_index_;
  uint64_t rows_max_;
  uint64_t bytes_max_;
  std::unique_ptr<LineReader> reader_;
  std::optional<sdk::Failure> failure_;  // waits for the rows before it to be taken
};

}  // namespace mortise::format_jsonl
