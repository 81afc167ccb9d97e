// The cursor is the byte where the next line begins, with what it belongs to and a check. The
// number of a row is counted only when an error needs it.
#include "row_stream.h"

#include <mortise/cpp/services.hpp>

#include <algorithm>
#include <charconv>

#include "row_check.h"

namespace mortise::format_jsonl {
namespace {

constexpr uint64_t kBatchRows = 1024;
constexpr uint64_t kBatchBytes = uint64_t{1} << 20;
constexpr std::string_view kCursorMark = "mortise.format_jsonl/1";

uint64_t hash_of(std::string_view text, uint64_t hash = 0xCBF29CE484222325u) {  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return hash;
}

std::string cursor_text(uint32_t shard_index, uint64_t offset, uint64_t identity) {
  std::string text = std::string(kCursorMark) + ' ' + std::to_string(shard_index) + ' ' +
                     std::to_string(offset) + ' ' + std::to_string(identity);
  return text + ' ' + std::to_string(hash_of(text));
}

}  // namespace

uint64_t FileSet::identity() const {
  uint64_t hash = hash_of("");
  for (size_t i = 0; i < names.size(); ++i) {
    hash = hash_of(names[i] + '\n' + std::to_string(sizes_bytes[i]) + '\n', hash);
  }
  return hash;
}

FileSet open_files(std::vector<std::string> names, uint64_t shard_bytes, uint64_t row_bytes_max) {
  constexpr uint64_t kShardsMax = 1 << 20;
  if (names.empty()) throw sdk::invalid_argument("There is no file to read.");
  FileSet files;
  files.names = std::move(names);
  files.row_bytes_max = row_bytes_max;
  for (uint32_t i = 0; i < files.names.size(); ++i) {
    const uint64_t size = sdk::File::open(files.names[i]).size_bytes();
    files.sizes_bytes.push_back(size);
    uint64_t begin = 0;
    do {
      const uint64_t end = size - begin > shard_bytes ? begin + shard_bytes : size;
      files.shards.push_back({i, begin, end});
      begin = end;
    } while (begin < size && files.shards.size() < kShardsMax);
    files.shards.back().end = size;
  }
  return files;
}

RowStream::RowStream(const FileSet& files, const sdk::ScanOptions& options)
    : files_(files),
      shard_index_(options.shard_index),
      rows_max_(options.batch_rows_max == 0 ? kBatchRows : options.batch_rows_max),
      bytes_max_(options.batch_bytes_max == 0 ? kBatchBytes : options.batch_bytes_max) {
  const Shard& shard = files_.shards[shard_index_];
  const std::string& name = files_.names[shard.file_index];
  LineReader probe(name, shard.begin, files_.row_bytes_max);
  uint64_t begin = probe.find_line_start(shard.begin);
  if (!options.cursor.empty()) {
    begin = parse_cursor(options.cursor);
    const bool is_start =
        begin == 0 || begin == probe.size_bytes() || probe.find_line_start(begin) == begin;
    if (begin > probe.size_bytes() || begin < shard.begin || !is_start) {
      throw sdk::data_loss("The cursor does not stand at a line of this file.").at(name);
    }
  }
  reader_ = std::make_unique<LineReader>(name, begin, files_.row_bytes_max);
}

uint64_t RowStream::parse_cursor(const std::string& text) const {
  const std::string start = std::string(kCursorMark) + ' ' + std::to_string(shard_index_) + ' ';
  uint64_t offset = 0;
  if (text.starts_with(start)) {
    std::from_chars(text.data() + start.size(), text.data() + text.size(), offset);
  }
  if (text != cursor_text(shard_index_, offset, files_.identity())) {
    throw sdk::data_loss("The cursor is damaged, or of other files or another shard.")
        .at(files_.names[files_.shards[shard_index_].file_index]);
  }
  return offset;
}

std::string RowStream::cursor() const {
  return cursor_text(shard_index_, reader_->line_start(), files_.identity());
}

// Counts the rows before, so it costs a pass over the file: for errors only.
int64_t RowStream::row_number(uint64_t line_begin) const {
  LineReader reader(reader_->name(), 0, files_.row_bytes_max);
  int64_t row = 1;
  Line line;
  try {
    while (reader.offset() < line_begin && reader.next(&line)) row += is_blank(line.text) ? 0 : 1;
  } catch (const sdk::Failure&) {
    return -1;  // a line before, in another shard, is too long to be counted
  }
  return row;
}

sdk::Failure RowStream::located(const sdk::Failure& failure, uint64_t line_begin) const {
  const int64_t inside = std::max<int64_t>(failure.byte, 0);
  sdk::Failure result = failure;
  result.file = reader_->name();
  result.row = row_number(line_begin);
  result.byte = static_cast<int64_t>(line_begin) + inside;
  return result;
}

// Appends the next row of the shard; false at its end.
bool RowStream::take_row(sdk::TextBuilder& rows, sdk::NumberBuilder<int64_t>& offsets) {
  const uint64_t end = files_.shards[shard_index_].end;
  Line line;
  while (reader_->line_start() < end) {
    const uint64_t begin = reader_->offset();
    try {
      if (!reader_->next(&line)) return false;
    } catch (const sdk::Failure& failure) {
      sdk::Failure result = failure;
      result.row = row_number(begin);
      throw result;
    }
    if (is_blank(line.text)) continue;
    const std::string_view row = trimmed(line.text);
    const uint64_t row_begin = line.begin + static_cast<uint64_t>(row.data() - line.text.data());
    try {
      check_row(row);
    } catch (const sdk::Failure& failure) {
      throw located(failure, row_begin);
    }
    rows.append(row);
    offsets.append(static_cast<int64_t>(row_begin));
    return true;
  }
  return false;
}

bool RowStream::next(sdk::Array* out) {
  if (failure_) throw sdk::Failure(*failure_);
  sdk::TextBuilder rows;
  sdk::NumberBuilder<int64_t> offsets;
  try {
    for (uint64_t count = 0; count < rows_max_ && rows.size_bytes() < bytes_max_; ++count) {
      if (count % 256 == 0) sdk::check_cancelled();
      if (!take_row(rows, offsets)) break;
    }
  } catch (const sdk::Failure& failure) {
    if (rows.length() == 0) throw;
    failure_ = failure;
  }
  const int64_t count = rows.length();
  if (count == 0) return false;
  *out = sdk::struct_array(count, sdk::make_vector(rows.finish(), offsets.finish()));
  return true;
}

}  // namespace mortise::format_jsonl
