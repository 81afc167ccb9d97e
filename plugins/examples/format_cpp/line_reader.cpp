// Lines of one file: see line_reader.h.
//
// The buffer holds what was read and not yet given; it grows by one piece until it has a whole
// line. Called by delimited_text.cpp, one thread at a time.
#include "line_reader.h"

#include <mortise/cpp/utf8.hpp>

namespace {

using namespace mortise::sdk;

constexpr uint64_t kPieceBytes = uint64_t{64} << 10;
constexpr uint64_t kLineBytesMax = uint64_t{1} << 20;

}  // namespace

LineReader::LineReader(std::string name, uint64_t offset)
    : file_(File::open(name)),
      size_bytes_(file_.size_bytes()),
      offset_(offset),
      read_to_(offset),
      line_begin_(offset) {}

bool LineReader::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kPieceBytes);
  const uint64_t count = file_.read_at(read_to_, buffer_.data() + kept, kPieceBytes);
  buffer_.resize(kept + count);
  read_to_ += count;
  return count > 0;
}

bool LineReader::next(int64_t row, std::string_view* line) {
  size_t end = buffer_.find('\n', begin_);
  while (end == std::string::npos && buffer_.size() - begin_ <= kLineBytesMax && fill()) {
    end = buffer_.find('\n', begin_);
  }
  const bool is_last = end == std::string::npos;
  if (is_last) end = buffer_.size();
  if (is_last && end == begin_) return false;
  const auto at = static_cast<int64_t>(offset_);
  if (end - begin_ > kLineBytesMax) {
    throw invalid_argument("The line is longer than " + std::to_string(kLineBytesMax) + " bytes.")
        .at(name(), row, at)
        .with_hint("Is this really delimited text?");
  }
  *line = std::string_view(buffer_).substr(begin_, end - begin_);
  line_begin_ = offset_;
  offset_ += line->size() + (is_last ? 0 : 1);
  begin_ = is_last ? end : end + 1;
  if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
  const int64_t invalid = find_invalid_utf8(*line);
  if (invalid >= 0) {
    throw invalid_argument("The line is not UTF-8.")
        .at(name(), row, at + invalid)
        .with_hint("Save the file as UTF-8.");
  }
  return true;
}
