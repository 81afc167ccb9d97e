// mortise/cpp/format_rows.hpp: a dataset format whose rows are JSON objects: batches and cursors.
//
// A format derives from RowFormat and writes a RowReader, which gives one row after the other and
// can begin at any position it once had. Here the rows become batches {row: utf8, byte_offset:
// int64} and positions become cursors that are refused when damaged or of other files. See
// kind/format.h for what each call means.
#ifndef MORTISE_CPP_FORMAT_ROWS_HPP
#define MORTISE_CPP_FORMAT_ROWS_HPP

#include <mortise/cpp/files.hpp>
#include <mortise/cpp/format.hpp>
#include <mortise/cpp/json.hpp>

#include <charconv>
#include <optional>

namespace mortise::sdk {

struct JsonRow {
  std::string json;          // one object
  uint64_t byte_offset = 0;  // where it begins in its file
};

// Where a reader stands. What `at` and `part` mean is the reader's own affair.
struct RowPosition {
  uint64_t row = 1;  // number of the next row, from 1
  uint64_t at = 0;
  uint64_t part = 0;
};

// One pass over the rows of a shard. [serial]
class RowReader {
 public:
  virtual ~RowReader() = default;
  // The next row, into *out; false at the end. Throws Failure with file, row and byte.
  virtual bool next(JsonRow* out) = 0;
  // Behind the last row that next gave.
  virtual RowPosition position() const = 0;
};

// The files of a data set, with their sizes when it was opened.
struct RowFiles {
  std::vector<std::string> names;
  std::vector<uint64_t> sizes_bytes;

  // Throws INVALID_ARGUMENT for an empty list and what the host's files report.
  static RowFiles open(std::vector<std::string> names) {
    if (names.empty()) throw invalid_argument("There is no file to read.");
    RowFiles files;
    for (const std::string& name : names) {
      files.sizes_bytes.push_back(File::open(name).size_bytes());
    }
    files.names = std::move(names);
    return files;
  }
};

namespace detail {

inline uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return hash;
}

inline std::string cursor_text(uint64_t identity, uint32_t shard, const RowPosition& position) {
  std::string text = "rows/1 " + std::to_string(identity) + ' ' + std::to_string(shard) + ' ' +
                     std::to_string(position.row) + ' ' + std::to_string(position.at) + ' ' +
                     std::to_string(position.part);
  return text + ' ' + std::to_string(fnv1a(text));
}

// Throws DATA_LOSS for what cursor_text did not write for this identity and shard.
inline RowPosition parse_cursor(std::string_view text, uint64_t identity, uint32_t shard) {
  std::vector<uint64_t> numbers;
  const size_t mark = text.find(' ');
  const char* at = text.data() + std::min(mark, text.size());
  const char* end = text.data() + text.size();
  while (at != end && *at == ' ' && numbers.size() < 6) {
    const auto read = std::from_chars(at + 1, end, numbers.emplace_back());
    if (read.ec != std::errc()) break;
    at = read.ptr;
  }
  if (numbers.size() == 6) {
    const RowPosition position{numbers[2], numbers[3], numbers[4]};
    if (text == cursor_text(identity, shard, position)) return position;
  }
  throw data_loss("The cursor is damaged, or of other files, options or another shard.");
}

class RowStream : public FormatStream {
 public:
  RowStream(std::unique_ptr<RowReader> reader, uint64_t identity, const ScanOptions& options)
      : reader_(std::move(reader)),
        identity_(identity),
        shard_(options.shard_index),
        rows_max_(options.batch_rows_max == 0 ? 1024 : options.batch_rows_max),
        bytes_max_(options.batch_bytes_max == 0 ? 1 << 20 : options.batch_bytes_max) {}

  // Rows before a bad one come first; the call after them throws.
  bool next(Array* out) override {
    if (failure_) throw Failure(*failure_);
    TextBuilder rows;
    NumberBuilder<int64_t> offsets;
    try {
      for (uint64_t count = 0; count < rows_max_ && rows.size_bytes() < bytes_max_; ++count) {
        if (count % 256 == 0) check_cancelled();
        if (!reader_->next(&row_)) break;
        rows.append(row_.json);
        offsets.append(static_cast<int64_t>(row_.byte_offset));
      }
    } catch (const Failure& failure) {
      if (rows.length() == 0) throw;
      failure_ = failure;
    }
    const int64_t count = rows.length();
    if (count == 0) return false;
    *out = struct_array(count, make_vector(rows.finish(), offsets.finish()));
    return true;
  }
  std::string cursor() const override {
    return cursor_text(identity_, shard_, reader_->position());
  }

 private:
  std::unique_ptr<RowReader> reader_;
  uint64_t identity_;
  uint32_t shard_;
  uint64_t rows_max_;
  uint64_t bytes_max_;
  JsonRow row_;
  std::optional<Failure> failure_;  // waits for the rows before it to be taken
};

}  // namespace detail

class RowFormat : public Format {
 public:
  Schema schema() const override {
    return struct_schema(make_vector(make_schema("u", "row"), make_schema("l", "byte_offset")));
  }
  FormatFacts describe() const override {
    return {-1, static_cast<uint32_t>(files_.names.size())};  // a shard a file
  }
  std::unique_ptr<FormatStream> scan(const ScanOptions& options) const override {
    RowPosition from;
    const bool is_later = !options.cursor.empty();
    if (is_later) from = detail::parse_cursor(options.cursor, identity_, options.shard_index);
    auto reader = open_shard(options.shard_index, is_later ? &from : nullptr);
    return std::make_unique<detail::RowStream>(std::move(reader), identity_, options);
  }

 protected:
  // options: whatever else decides what the rows are, such as the configuration as text; a cursor
  // fits only the same files and options.
  RowFormat(RowFiles files, std::string_view options) : files_(std::move(files)) {
    std::string text(options);
    for (size_t i = 0; i < files_.names.size(); ++i) {
      text += '\n' + files_.names[i] + '\n' + std::to_string(files_.sizes_bytes[i]);
    }
    identity_ = detail::fnv1a(text);
  }
  const RowFiles& files() const { return files_; }

  // A reader of one shard; from: a position that such a reader had, NULL for the start. The format
  // outlives the reader. [parallel]
  virtual std::unique_ptr<RowReader> open_shard(uint32_t shard, const RowPosition* from) const = 0;

 private:
  RowFiles files_;
  uint64_t identity_;
};

// A size in bytes from the configuration. Throws INVALID_ARGUMENT below 1.
inline uint64_t size_option(Json config, std::string_view field, uint64_t otherwise) {
  const int64_t value = config.get(field, static_cast<int64_t>(otherwise));
  if (value >= 1) return static_cast<uint64_t>(value);
  throw invalid_argument(std::string(field) + " must be at least 1.")
      .at("", -1, -1, "/" + std::string(field));
}

// "a/b/c.json" -> "a/b"; "" for a name without folder.
inline std::string folder_of(std::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == name.npos ? std::string() : std::string(name.substr(0, slash));
}

// A name below a folder; the folder may be "".
inline std::string name_in(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + '/' + std::string(name);
}

}  // namespace mortise::sdk

#endif
