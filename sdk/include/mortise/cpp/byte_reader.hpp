// mortise/cpp/byte_reader.hpp: a file from any byte on, in blocks; memory is one block.
//
// Used by formats that cut records out of large files (json_walk.hpp, CSV). A reader over bytes in
// memory serves probe. One reader is used by one thread at a time.
#ifndef MORTISE_CPP_BYTE_READER_HPP
#define MORTISE_CPP_BYTE_READER_HPP

#include <mortise/cpp/files.hpp>

#include <algorithm>
#include <optional>

namespace mortise::sdk {

class ByteReader {
 public:
  static constexpr uint64_t kBlockBytes = uint64_t{1} << 20;

  // The file `name` from byte `offset` on. Throws what the host's files report.
  explicit ByteReader(const std::string& name, uint64_t offset = 0)
      : name_(name), file_(File::open(name)), size_bytes_(file_->size_bytes()), begin_(offset) {}

  // The beginning of a file, as probe gives it; `bytes` must outlive the reader.
  static ByteReader over(std::string_view bytes) { return ByteReader(bytes); }

  const std::string& name() const { return name_; }
  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t offset() const { return begin_ + at_; }  // of the next byte

  // The bytes that can be read without reading more; empty at the end of the file. Valid until the
  // next call of window() or peek(). Throws DATA_LOSS when the file became shorter, CANCELLED.
  std::string_view window() {
    if (at_ == held().size()) fill();
    return held().substr(at_);
  }
  // The next byte without reading it; -1 at the end.
  int peek() {
    const std::string_view left = window();
    return left.empty() ? -1 : static_cast<unsigned char>(left[0]);
  }
  // Reads `count` bytes of the window.
  void advance(size_t count) { at_ += count; }

  // Reads over a UTF-8 byte order mark when it stands at the start of the file.
  void skip_mark() {
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    if (offset() == 0 && window().substr(0, kMark.size()) == kMark) advance(kMark.size());
  }

 private:
  explicit ByteReader(std::string_view bytes) : size_bytes_(bytes.size()), memory_(bytes) {}

  std::string_view held() const { return file_ ? std::string_view(buffer_) : memory_; }

  void fill() {
    if (!file_ || offset() >= size_bytes_) return;
    check_cancelled();
    begin_ += at_;
    at_ = 0;
    buffer_.resize(std::min(kBlockBytes, size_bytes_ - begin_));
    buffer_.resize(file_->read_at(begin_, buffer_.data(), buffer_.size()));
    if (!buffer_.empty()) return;
    throw data_loss("The file ends at byte " + std::to_string(begin_) + ", but had " +
                    std::to_string(size_bytes_) + " bytes when it was opened.")
        .at(name_, -1, static_cast<int64_t>(begin_));
  }

  std::string name_;
  std::optional<File> file_;
  uint64_t size_bytes_;
  std::string_view memory_;
  std::string buffer_;
  uint64_t begin_ = 0;  // byte of the file at which buffer_ begins
  size_t at_ = 0;       // in buffer_ or memory_
};

}  // namespace mortise::sdk

#endif
