// Reads blocks of 1 MiB; the buffer grows only as far as one line needs.
#include "line_reader.h"

namespace mortise::format_jsonl {
namespace {

constexpr uint64_t kBlockBytes = uint64_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

LineReader::LineReader(const std::string& name, uint64_t offset, uint64_t line_bytes_max)
    : file_(sdk::File::open(name)),
      size_bytes_(file_.size_bytes()),
      offset_(offset),
      line_bytes_max_(line_bytes_max),
      buffer_begin_(offset) {
  skip_mark();
}

void LineReader::skip_mark() {
  if (offset_ != 0) return;
  char head[3];
  const uint64_t read = file_.read_at(0, head, sizeof(head));
  if (std::string_view(head, read) != kByteOrderMark) return;
  offset_ = kByteOrderMark.size();
  is_behind_mark_ = true;
  buffer_begin_ = offset_;
}

bool LineReader::read_more() {
  const uint64_t at = buffer_begin_ + buffer_.size();
  if (at >= size_bytes_) return false;
  const size_t old = buffer_.size();
  buffer_.resize(old + std::min(kBlockBytes, size_bytes_ - at));
  const uint64_t read = file_.read_at(at, buffer_.data() + old, buffer_.size() - old);
  buffer_.resize(old + read);
  if (read == 0) {
    throw sdk::data_loss("The file ends at byte " + std::to_string(at) + ", but had " +
                         std::to_string(size_bytes_) + " bytes when it was opened.")
        .at(name(), -1, static_cast<int64_t>(at));
  }
  return true;
}

bool LineReader::next(Line* out) {
  size_t begin = offset_ - buffer_begin_;
  if (begin >= kBlockBytes) {
    buffer_.erase(0, begin);
    buffer_begin_ = offset_;
    begin = 0;
  }
  size_t searched = begin;
  size_t end = buffer_.find('\n', searched);
  while (end == buffer_.npos) {
    searched = buffer_.size();
    if (searched - begin > line_bytes_max_ || !read_more()) break;
    end = buffer_.find('\n', searched);
  }
  const bool has_end = end != buffer_.npos;
  if (!has_end) end = buffer_.size();
  if (end == begin && !has_end) return false;
  if (end - begin > line_bytes_max_) {
    throw sdk::resource_exhausted("The line is longer than " + std::to_string(line_bytes_max_) +
                                  " bytes.")
        .at(name(), -1, static_cast<int64_t>(offset_))
        .with_hint("Put large media in files of their own and name them in the row.");
  }
  is_behind_mark_ = false;
  out->begin = offset_;
  out->text = std::string_view(buffer_).substr(begin, end - begin);
  if (out->text.ends_with('\r')) out->text.remove_suffix(1);
  offset_ += end - begin + (has_end ? 1 : 0);
  return true;
}

uint64_t LineReader::find_line_start(uint64_t offset) {
  if (offset == 0 || offset >= size_bytes_) return std::min(offset, size_bytes_);
  std::string block(1 << 16, '\0');
  for (uint64_t at = offset - 1; at < size_bytes_;) {
    const uint64_t read = file_.read_at(at, block.data(), block.size());
    const size_t end = std::string_view(block.data(), read).find('\n');
    if (end != std::string_view::npos) return at + end + 1;
    if (read == 0) break;
    at += read;
  }
  return size_bytes_;
}

}  // namespace mortise::format_jsonl
