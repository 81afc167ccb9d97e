// Delimited text: a header line with the column names, then a row a line; "|" unless configured.
//
// The example of a dataset format and its writer in C++. Each file is a shard; all columns are
// text; there is no quoting, so a value holds neither the delimiter nor a line end. The host calls
// it through mortise.dataset_format/1 and .writer/1.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/plugin.hpp>

#include "line_reader.h"

namespace {

using namespace mortise::sdk;

constexpr uint64_t kBatchRows = 1024;
constexpr std::string_view kCursorMark = "delimited/1";

using Fields = std::vector<std::string_view>;

Fields split(std::string_view line, char delimiter) {
  Fields fields;
  size_t begin = 0;
  for (size_t end; (end = line.find(delimiter, begin)) != std::string_view::npos; begin = end + 1) {
    fields.push_back(line.substr(begin, end - begin));
  }
  fields.push_back(line.substr(begin));
  return fields;
}

char delimiter_of(Json config) {
  return config.get("delimiter", "|")[0];
}

// A position: the next row and where it begins. The name and size say of which file.
struct Cursor {
  int64_t row = 1;
  uint64_t offset = 0;

  static Cursor parse(std::string_view text, const LineReader& reader) {
    const Fields parts = split(text, '\n');
    Cursor cursor;
    const bool is_ours = parts.size() == 5 && parts[0] == kCursorMark &&
                         parts[1] == reader.name() &&
                         parts[2] == std::to_string(reader.size_bytes());
    if (!is_ours || !read(parts[3], &cursor.row) || !read(parts[4], &cursor.offset) ||
        cursor.row < 1 || cursor.offset > reader.size_bytes()) {
      throw data_loss("The cursor is damaged or of another file.").at(reader.name());
    }
    return cursor;
  }
  std::string format(const LineReader& reader) const {
    return std::string(kCursorMark) + "\n" + reader.name() + "\n" +
           std::to_string(reader.size_bytes()) + "\n" + std::to_string(row) + "\n" +
           std::to_string(offset);
  }

 private:
  template <class Number>
  static bool read(std::string_view text, Number* out) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), *out);
    return result.ec == std::errc() && result.ptr == text.data() + text.size();
  }
};

class DelimitedStream : public FormatStream {
 public:
  DelimitedStream(const std::string& name, std::vector<std::string> columns, char delimiter,
                  const ScanOptions& options)
      : reader_(name, 0),
        columns_(std::move(columns)),
        delimiter_(delimiter),
        rows_max_(options.batch_rows_max == 0 ? kBatchRows : options.batch_rows_max),
        bytes_max_(options.batch_bytes_max) {
    if (!options.cursor.empty()) {
      const Cursor cursor = Cursor::parse(options.cursor, reader_);
      reader_ = LineReader(name, cursor.offset);
      row_ = cursor.row;
    } else {
      std::string_view header;
      reader_.next(-1, &header);
    }
  }

  bool next(Array* out) override {
    std::vector<TextBuilder> builders(columns_.size());
    uint64_t count = 0;
    uint64_t size_bytes = 0;
    std::string_view line;
    while (count < rows_max_ && (bytes_max_ == 0 || size_bytes < bytes_max_) &&
           reader_.next(row_, &line)) {
      if (count % 256 == 0) check_cancelled();
      const Fields fields = split(line, delimiter_);
      if (fields.size() != columns_.size()) refuse(fields.size());
      for (size_t i = 0; i < fields.size(); ++i) builders[i].append(fields[i]);
      size_bytes += line.size();
      ++count;
      ++row_;
    }
    if (count == 0) return false;
    std::vector<Array> arrays;
    for (TextBuilder& builder : builders) arrays.push_back(builder.finish());
    *out = struct_array(static_cast<int64_t>(count), std::move(arrays));
    return true;
  }

  std::string cursor() const override { return Cursor{row_, reader_.offset()}.format(reader_); }

 private:
  [[noreturn]] void refuse(size_t fields) const {
    throw invalid_argument("The row has " + std::to_string(fields) + " fields, the header has " +
                           std::to_string(columns_.size()) + ".")
        .at(reader_.name(), row_, static_cast<int64_t>(reader_.line_begin()))
        .with_hint("There is no quoting: a value may not hold the delimiter.");
  }

  LineReader reader_;
  std::vector<std::string> columns_;
  char delimiter_;
  uint64_t rows_max_;
  uint64_t bytes_max_;
  int64_t row_ = 1;  // of the next line, from 1, the header not counted
};

class DelimitedText : public Format {
 public:
  static ProbeResult probe(const FormatSample& sample) {
    const std::string_view first = sample.head.substr(0, sample.head.find('\n'));
    const size_t bars = split(first, '|').size() - 1;
    if (bars == 0 || !is_utf8(first)) return {0, "The first line holds no \"|\"."};
    return {40, "The first line holds " + std::to_string(bars) + " \"|\"."};
  }

  DelimitedText(std::vector<std::string> uris, Json config)
      : uris_(std::move(uris)), delimiter_(delimiter_of(config)) {
    if (uris_.empty()) throw invalid_argument("There is no file.");
    for (const std::string& uri : uris_) {
      const std::vector<std::string> columns = read_header(uri);
      if (columns_.empty()) columns_ = columns;
      if (columns != columns_) {
        throw invalid_argument("The header line differs from that of " + uris_[0] + ".")
            .at(uri, -1, 0);
      }
    }
  }

  Schema schema() const override {
    std::vector<Schema> fields;
    for (const std::string& name : columns_) fields.push_back(make_schema("u", name));
    return struct_schema(std::move(fields));
  }
  FormatFacts describe() const override { return {-1, static_cast<uint32_t>(uris_.size())}; }
  std::unique_ptr<FormatStream> scan(const ScanOptions& options) const override {
    return std::make_unique<DelimitedStream>(uris_[options.shard_index], columns_, delimiter_,
                                             options);
  }

 private:
  std::vector<std::string> read_header(const std::string& uri) const {
    LineReader reader(uri, 0);
    std::string_view line;
    if (!reader.next(-1, &line)) {
      throw invalid_argument("The file is empty, expected a header line.").at(uri, -1, 0);
    }
    const Fields names = split(line, delimiter_);
    return {names.begin(), names.end()};
  }

  std::vector<std::string> uris_;
  std::vector<std::string> columns_;
  char delimiter_;
};

class DelimitedWriter : public FormatWriter {
 public:
  DelimitedWriter(std::string_view uri, const ArrowSchema& schema, Json config)
      : file_(File::create(uri)), delimiter_(delimiter_of(config)) {
    std::string header;
    for (int64_t i = 0; i < schema.n_children; ++i) {
      check_format(*schema.children[i], "u");
      columns_.emplace_back(schema_name(*schema.children[i]));
      add_value(columns_.back(), i, -1, &header);
    }
    file_.write(header + "\n");
  }

  void append(const StructView& batch) override {
    std::vector<TextView> views;
    for (size_t i = 0; i < columns_.size(); ++i) {
      views.push_back(batch.column<TextView>(static_cast<int64_t>(i), columns_[i]));
    }
    std::string lines;
    for (int64_t row = 0; row < batch.size(); ++row) {
      for (size_t i = 0; i < views.size(); ++i) {
        add_value(views[i][row], static_cast<int64_t>(i), rows_ + row + 1, &lines);
      }
      lines += '\n';
    }
    file_.write(lines);
    rows_ += batch.size();
  }

  void commit() override { file_.close(); }

 private:
  void add_value(std::string_view value, int64_t column, int64_t row, std::string* line) const {
    const char refused[] = {delimiter_, '\n', '\r'};
    if (value.find_first_of(std::string_view(refused, sizeof(refused))) != std::string_view::npos) {
      throw invalid_argument("A value holds the delimiter or a line end, which cannot be written.")
          .at(file_.name(), row, -1, columns_[static_cast<size_t>(column)]);
    }
    if (column > 0) *line += delimiter_;
    *line += value;
  }

  File file_;
  char delimiter_;
  std::vector<std::string> columns_;
  int64_t rows_ = 0;
};

}  // namespace

MORTISE_PLUGIN("com.example.format_delimited",
               {MORTISE_KIND_DATASET_FORMAT, format_table<DelimitedText>()},
               {MORTISE_KIND_DATASET_FORMAT_WRITER, format_writer_table<DelimitedWriter>()});
