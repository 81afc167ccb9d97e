// Lines of one file, with the byte at which each begins.
//
// Used by delimited_text.cpp. Reads in pieces through mortise.files/1; a line is at most 1 MiB.
// Knows nothing of columns.
#pragma once

#include <mortise/cpp/files.hpp>

class LineReader {
 public:
  // Starts at byte `offset` of the file. Throws what the host reports.
  LineReader(std::string name, uint64_t offset);

  // The next line without "\n" or "\r\n" into *line, valid until the next call; false at the end.
  // Throws INVALID_ARGUMENT with file, `row` and byte for a line that is too long or not UTF-8.
  bool next(int64_t row, std::string_view* line);

  const std::string& name() const { return file_.name(); }
  // Byte of the file at which the last line began, and at which the next one begins.
  uint64_t line_begin() const { return line_begin_; }
  uint64_t offset() const { return offset_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  bool fill();

  mortise::sdk::File file_;
  uint64_t size_bytes_;
  uint64_t offset_;      // of the next line
  uint64_t read_to_;     // bytes of the file that are in buffer_ or behind it
  uint64_t line_begin_;  // of the last line
  std::string buffer_;
  size_t begin_ = 0;  // of the next line, in buffer_
};
