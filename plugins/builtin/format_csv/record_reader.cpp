// A machine of four states over single bytes; raw_ keeps the record so that bad UTF-8 has its byte.
#include "record_reader.h"

#include <mortise/cpp/utf8.hpp>

namespace mortise::format_csv {

RecordReader::RecordReader(sdk::ByteReader bytes, const Dialect& dialect)
    : bytes_(std::move(bytes)), dialect_(dialect) {
  bytes_.skip_mark();
}

void RecordReader::fail(const std::string& message, const std::string& hint, uint64_t byte) const {
  throw sdk::invalid_argument(message)
      .at(bytes_.name(), -1, static_cast<int64_t>(byte))
      .with_hint(hint);
}

void RecordReader::start_record() {
  cells_.clear();
  raw_.clear();
  cell_.clear();
  state_ = State::kStart;
  has_return_ = false;
  was_quoted_ = false;
  begin_ = bytes_.offset();
}

void RecordReader::end_cell() {
  cells_.push_back(std::move(cell_));
  cell_.clear();
  state_ = State::kStart;
}

bool RecordReader::is_blank() const {
  return cells_.size() == 1 && cells_[0].empty() && !was_quoted_;
}

// Takes a byte that stands in no quotes; true when it ends the record.
bool RecordReader::take_outside(char c) {
  if (has_return_ && c != '\n') {
    if (state_ != State::kBehindQuote) cell_ += '\r';
    if (state_ == State::kStart) state_ = State::kPlain;
  }
  const bool was_return = std::exchange(has_return_, c == '\r');
  if (c == '\r') return false;
  if (c == '\n') {
    end_cell();
    return true;
  }
  if (c == dialect_.separator) {
    end_cell();
    return false;
  }
  if (c == '"' && dialect_.has_quotes && state_ == State::kStart) {
    state_ = State::kQuoted;
    was_quoted_ = true;
    quote_begin_ = begin_ + raw_.size();
    return false;
  }
  if (state_ == State::kBehindQuote && c == '"' && !was_return) {  // a doubled quote
    cell_ += '"';
    state_ = State::kQuoted;
    return false;
  }
  if (state_ == State::kBehindQuote) {
    fail("Text stands behind the quote that ends a cell.",
         "A quote inside a cell in quotes is written twice; with \"quotes\": false quotes are "
         "text.",
         begin_ + raw_.size());
  }
  state_ = State::kPlain;
  cell_ += c;
  return false;
}

bool RecordReader::take(char c) {
  if (state_ != State::kQuoted) return take_outside(c);
  if (c == '"') {
    state_ = State::kBehindQuote;
    return false;
  }
  if (c == '\n' && !dialect_.has_quoted_newlines) {
    fail("A line end stands in quotes.", "Leave out \"quoted_newlines\": false.",
         begin_ + raw_.size());
  }
  cell_ += c;
  return false;
}

void RecordReader::check_text() const {
  const int64_t invalid = sdk::find_invalid_utf8(raw_);
  if (invalid < 0) return;
  const bool is_utf16 = raw_.find('\0') != raw_.npos;
  fail("The row is not UTF-8.",
       is_utf16 ? "The file looks like UTF-16: save it as UTF-8." : "Save the file as UTF-8.",
       begin_ + static_cast<uint64_t>(invalid));
}

bool RecordReader::next() {
  do {
    start_record();
    bool is_ended = false;
    while (!is_ended) {
      const std::string_view window = bytes_.window();
      if (window.empty()) break;
      size_t count = 0;
      while (count < window.size() && !is_ended) {
        is_ended = take(window[count]);
        raw_ += window[count++];
      }
      bytes_.advance(count);
      if (raw_.size() <= dialect_.row_bytes_max) continue;
      throw sdk::resource_exhausted("The row is longer than " +
                                    std::to_string(dialect_.row_bytes_max) + " bytes.")
          .at(bytes_.name(), -1, static_cast<int64_t>(begin_))
          .with_hint("A quote may lack its end. Else raise row_bytes_max.");
    }
    if (!is_ended) {
      if (raw_.empty()) return false;
      if (state_ == State::kQuoted) {
        fail("The quote that begins here does not end.",
             "Close it; with \"quotes\": false quotes are text.", quote_begin_);
      }
      end_cell();
    }
  } while (is_blank());
  check_text();
  return true;
}

void RecordReader::skip_line() {
  for (;;) {
    const std::string_view window = bytes_.window();
    if (window.empty()) return;
    const size_t end = window.find('\n');
    bytes_.advance(end == window.npos ? window.size() : end + 1);
    if (end != window.npos) return;
  }
}

}  // namespace mortise::format_csv
