// The records of separated text (RFC 4180): cells in quotes, doubled quotes, line ends in cells.
//
// Called by plugin.cpp. Blank lines are no records; "\r\n" and "\n" end one; a lone "\r" is text.
// Memory is one block and one record. Knows nothing of headers or JSON.
#pragma once

#include <mortise/cpp/byte_reader.hpp>

#include <string>
#include <vector>

namespace mortise::format_csv {

struct Dialect {
  char separator = ',';
  bool has_quotes = true;           // " encloses cells
  bool has_quoted_newlines = true;  // a line end may stand in quotes
  uint64_t row_bytes_max = uint64_t{64} << 20;
};

class RecordReader {
 public:
  // Begins at the reader's offset, which must be the start of a record.
  RecordReader(sdk::ByteReader bytes, const Dialect& dialect);

  // The next record; false at the end. Throws INVALID_ARGUMENT with the byte: a quote without end,
  // text behind one, not UTF-8; RESOURCE_EXHAUSTED for a record over the limit.
  bool next();
  const std::vector<std::string>& cells() const { return cells_; }
  uint64_t begin() const { return begin_; }            // byte of the last record
  uint64_t offset() const { return bytes_.offset(); }  // behind it and its line end
  const std::string& name() const { return bytes_.name(); }

  // Reads to the start of the next line.
  void skip_line();

 private:
  enum class State { kStart, kPlain, kQuoted, kBehindQuote };

  void start_record();
  bool take(char c);
  bool take_outside(char c);
  void end_cell();
  bool is_blank() const;
  void check_text() const;
  [[noreturn]] void fail(const std::string& message, const std::string& hint, uint64_t byte) const;

  sdk::ByteReader bytes_;
  Dialect dialect_;
  std::vector<std::string> cells_;
  std::string raw_;  // the record as it stands
  std::string cell_;
  State state_ = State::kStart;
  bool has_return_ = false;  // "\r" was read, which may begin a line end
  bool was_quoted_ = false;
  uint64_t begin_ = 0;
  uint64_t quote_begin_ = 0;
};

}  // namespace mortise::format_csv
