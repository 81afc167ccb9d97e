// The face of the pack: mortise.dataset_format/1 for CSV and its kin. Every cell is a text.
// Columns: row, utf8, an object of the row's cells; byte_offset, int64, where it begins.
#include <mortise/cpp/format_rows.hpp>
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "guess.h"
#include "record_reader.h"

namespace mortise::format_csv {
namespace {

constexpr size_t kColumnsMax = 16384;

// A range of bytes of one file; holds the records that begin in it.
struct Shard {
  uint32_t file = 0;
  uint64_t rows_begin = 0;  // where the rows of the file begin, behind its header
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Table {
  Dialect dialect;
  bool has_header = true;
  std::vector<std::string> columns;
};

struct Header {
  std::vector<std::string> columns;  // empty for an empty file
  uint64_t end = 0;                  // where the rows begin
};

// From the first record of a file.
Header read_header(const std::string& name, const Table& table) {
  RecordReader reader(sdk::ByteReader(name), table.dialect);
  if (!reader.next()) return {};
  Header header{reader.cells(), table.has_header ? reader.offset() : 0};
  std::vector<std::string>& columns = header.columns;
  const auto refuse = [&](const std::string& message, const std::string& field) {
    throw sdk::invalid_argument(message)
        .at(name, -1, static_cast<int64_t>(reader.begin()), field)
        .with_hint("Mend the header, or read the file with \"header\": false.");
  };
  if (columns.size() > kColumnsMax) {
    refuse("The row has " + std::to_string(columns.size()) + " cells; the limit is " +
               std::to_string(kColumnsMax) + ".",
           "");
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!table.has_header || columns[i].empty()) columns[i] = "col" + std::to_string(i + 1);
  }
  std::vector<std::string> sorted = columns;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) refuse("Two columns are named \"" + *twice + "\".", *twice);
  return header;
}

class TableReader : public sdk::RowReader {
 public:
  TableReader(const std::string& name, const Table& table, const Shard& shard,
              const sdk::RowPosition* from)
      : table_(table), shard_(shard), reader_(start(name, table, shard, from)) {
    if (from != nullptr) {
      position_ = *from;
      return;
    }
    if (shard.begin > 0) reader_.skip_line();
    position_.at = reader_.offset();
  }

  bool next(sdk::JsonRow* out) override {
    try {
      if (reader_.offset() >= shard_.end || !reader_.next() || reader_.begin() >= shard_.end) {
        return false;
      }
      check_width();
    } catch (const sdk::Failure& failure) {
      throw failure.at(reader_.name(), row_number(), failure.byte, failure.field);
    }
    sdk::JsonObject row;
    for (size_t i = 0; i < table_.columns.size(); ++i) {
      row.text(table_.columns[i], reader_.cells()[i]);
    }
    out->json = row.finish();
    out->byte_offset = reader_.begin();
    ++position_.row;
    position_.at = reader_.offset();
    return true;
  }
  sdk::RowPosition position() const override { return position_; }

 private:
  static RecordReader start(const std::string& name, const Table& table, const Shard& shard,
                            const sdk::RowPosition* from) {
    // One byte before, so that a line that begins at the cut is found.
    const uint64_t begin = shard.begin == 0 ? 0 : shard.begin - 1;
    return RecordReader(sdk::ByteReader(name, from == nullptr ? begin : from->at), table.dialect);
  }

  void check_width() const {
    const size_t width = reader_.cells().size();
    if (width == table_.columns.size()) return;
    throw sdk::invalid_argument("The row has " + std::to_string(width) + " cells, the " +
                                (table_.has_header ? "header" : "first row") + " has " +
                                std::to_string(table_.columns.size()) + ".")
        .at(reader_.name(), -1, static_cast<int64_t>(reader_.begin()))
        .with_hint(
            "Put a cell that holds the separator in quotes; if the separator is another "
            "one, say which: the configuration's member \"separator\".");
  }

  // Counts the rows of the shards before, so it costs a pass over them: for errors only.
  int64_t row_number() const {
    const auto in_shard = static_cast<int64_t>(position_.row);
    RecordReader reader(sdk::ByteReader(reader_.name(), shard_.rows_begin), table_.dialect);
    int64_t before = 0;
    try {
      while (reader.offset() < shard_.begin && reader.next() && reader.begin() < shard_.begin) {
        ++before;
      }
    } catch (const sdk::Failure&) {
      return -1;  // a row before, in another shard, cannot be counted
    }
    return before + in_shard;
  }

  const Table& table_;
  Shard shard_;
  RecordReader reader_;
  sdk::RowPosition position_;  // at: the byte behind the last row; row: from 1 in the shard
};

class SeparatedText : public sdk::RowFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    return probe_separated(sample.name, sample.head, sample.head.size() >= sample.size_bytes);
  }

  SeparatedText(std::vector<std::string> uris, sdk::Json config)
      : RowFormat(sdk::RowFiles::open(std::move(uris)), config) {
    table_.has_header = config.get("header", true);
    Dialect& dialect = table_.dialect;
    dialect.has_quotes = config.get("quotes", true);
    dialect.has_quoted_newlines = dialect.has_quotes && config.get("quoted_newlines", true);
    dialect.row_bytes_max = sdk::size_option(config, "row_bytes_max", uint64_t{64} << 20);
    const std::string_view separator = config.get("separator", "");
    dialect.separator = separator.size() == 1 ? separator[0] : find_separator();
    if (separator.size() > 1 || dialect.separator == '"' || dialect.separator == '\n') {
      throw sdk::invalid_argument("The separator must be one ASCII character other than a quote.")
          .at("", -1, -1, "/separator");
    }
    const uint64_t shard_bytes = sdk::size_option(config, "shard_bytes", uint64_t{64} << 20);
    for (uint32_t i = 0; i < files().names.size(); ++i) cut(i, take_header(i), shard_bytes);
  }

  sdk::FormatFacts describe() const override { return {-1, static_cast<uint32_t>(shards_.size())}; }

 protected:
  std::unique_ptr<sdk::RowReader> open_shard(uint32_t shard,
                                             const sdk::RowPosition* from) const override {
    const Shard& range = shards_[shard];
    return std::make_unique<TableReader>(files().names[range.file], table_, range, from);
  }

 private:
  char find_separator() const {
    const sdk::File file = sdk::File::open(files().names[0]);
    std::string head(std::min<uint64_t>(files().sizes_bytes[0], 64 << 10), '\0');
    head.resize(file.read_at(0, head.data(), head.size()));
    const bool is_whole = head.size() >= files().sizes_bytes[0];
    return guess_separator(head, is_whole, table_.dialect.has_quotes).separator;
  }
  // Gives where the rows begin.
  uint64_t take_header(uint32_t file) {
    const std::string& name = files().names[file];
    Header header = read_header(name, table_);
    if (table_.columns.empty()) table_.columns = header.columns;
    if (header.columns.empty() || header.columns == table_.columns) return header.end;
    throw sdk::invalid_argument("The columns differ from those of " + files().names[0] + ".")
        .at(name, -1, 0)
        .with_hint("Files that are read together have the same header.");
  }
  // A cut is safe only where a line end cannot stand in quotes.
  void cut(uint32_t file, uint64_t rows_begin, uint64_t shard_bytes) {
    constexpr size_t kShardsMax = 1 << 20;
    const bool is_safe = !table_.dialect.has_quoted_newlines;
    const uint64_t size = files().sizes_bytes[file];
    uint64_t begin = rows_begin;
    while (is_safe && size - begin > shard_bytes && shards_.size() < kShardsMax) {
      shards_.push_back({file, rows_begin, begin, begin + shard_bytes});
      begin += shard_bytes;
    }
    shards_.push_back({file, rows_begin, begin, size});
  }

  Table table_;
  std::vector<Shard> shards_;
};

}  // namespace
}  // namespace mortise::format_csv

using mortise::format_csv::SeparatedText;

MORTISE_PLUGIN("mortise.format_csv",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<SeparatedText>()});
