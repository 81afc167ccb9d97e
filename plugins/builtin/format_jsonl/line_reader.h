// The lines of a file from any byte on, with bounded memory.
//
// Called by row_stream.cpp. Knows line ends, the byte order mark and nothing of JSON. One reader is
// used by one thread at a time.
#pragma once

#include <mortise/cpp/files.hpp>

#include <string>
#include <string_view>

namespace mortise::format_jsonl {

struct Line {
  std::string_view text;  // without its end; valid until the next call
  uint64_t begin = 0;     // byte of the file
};

class LineReader {
 public:
  // Begins at `offset`, which must be the start of a line (see find_line_start).
  LineReader(const std::string& name, uint64_t offset, uint64_t line_bytes_max);

  // The next line, into *out; false at the end of the file. A byte order mark at the start of the
  // file belongs to no line. Throws RESOURCE_EXHAUSTED with the byte of a line that is too long,
  // and what the host's files report.
  bool next(Line* out);

  uint64_t offset() const { return offset_; }  // where the next line begins
  // The same, but 0 behind a byte order mark: there the first line counts as beginning at 0.
  uint64_t line_start() const { return is_behind_mark_ ? 0 : offset_; }
  uint64_t size_bytes() const { return size_bytes_; }
  const std::string& name() const { return file_.name(); }

  // The first byte at or after `offset` where a line starts; the size of the file when there is
  // none.
  uint64_t find_line_start(uint64_t offset);

 private:
  bool read_more();
  void skip_mark();

  sdk::File file_;
  uint64_t size_bytes_;
  uint64_t offset_;
  uint64_t line_bytes_max_;
  bool is_behind_mark_ = false;  // no line was read since the byte order mark
  std::string buffer_;           // bytes of the file from buffer_begin_ on
  uint64_t buffer_begin_;
};

}  // namespace mortise::format_jsonl
