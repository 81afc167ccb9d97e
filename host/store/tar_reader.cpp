// See tar_reader.h. Layout: POSIX.1-2017, pax interchange format, "ustar Interchange Format".
#include "store/tar_reader.h"

#include <algorithm>
#include <charconv>

#include "base/file_ops.h"

namespace mortise::store {
namespace {

using base::Code;
using base::Error;
using base::Status;

constexpr size_t kBlock = 512;
constexpr uint64_t kExtensionMax = 64u << 10;

std::string text_field(const std::string& block, size_t at, size_t size) {
  const std::string field = block.substr(at, size);
  return field.substr(0, std::min(field.find('\0'), field.size()));
}

// An octal number, ended by a space or NUL; -1 when it is none.
int64_t octal_field(const std::string& block, size_t at, size_t size) {
  int64_t value = 0;
  bool seen = false;
  for (size_t i = at; i < at + size; ++i) {
    const char c = block[i];
    if (c >= '0' && c <= '7') {
      value = value * 8 + (c - '0');
      seen = true;
    } else if (c == '\0' || c == ' ') {
      if (seen) break;
    } else {
      return -1;
    }
  }
  return seen ? value : -1;
}

// The sum of all bytes, those of the sum itself taken as spaces.
int64_t checksum_of(const std::string& block) {
  int64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

}  // namespace

Error TarReader::fault(std::string what) const {
  Error error(Code::kInvalidArgument, "The bundle is no tar archive that is taken here: " + what,
              "Make it with tar --format=pax from plain files.");
  return std::move(error.at_byte(static_cast<int64_t>(header_at_)));
}

Status TarReader::read_pax(const std::string& records) {
  // "17 path=a/b.png\n", the number counts the whole record.
  for (size_t at = 0; at < records.size();) {
    size_t size = 0;
    const char* begin = records.data() + at;
    const char* end = records.data() + records.size();
    const auto parsed = std::from_chars(begin, end, size);
    const auto digits = static_cast<size_t>(parsed.ptr - begin);
    if (parsed.ec != std::errc() || size <= digits + 1 || size > records.size() - at ||
        *parsed.ptr != ' ' || begin[size - 1] != '\n') {
      return fault("a pax record is broken.");
    }
    const std::string record(begin + digits + 1, begin + size - 1);
    if (record.starts_with("path=")) next_name_ = record.substr(5);
    if (record.starts_with("size=")) {
      const char* stop = record.data() + record.size();
      const auto number = std::from_chars(record.data() + 5, stop, next_size_);
      if (number.ec != std::errc() || number.ptr != stop || next_size_ < 0) {
        return fault("a pax size is no number.");
      }
    }
    at += size;
  }
  return {};
}

Status TarReader::take_block() {
  if (block_.find_first_not_of('\0') == std::string::npos) {
    part_ = Part::kEnd;
    return {};
  }
  if (octal_field(block_, 148, 8) != checksum_of(block_)) {
    return fault("the checksum of a header is wrong.");
  }
  int64_t size = octal_field(block_, 124, 12);
  const char type = block_[156];
  const bool is_extension = type == 'x' || type == 'g' || type == 'L';
  if (!is_extension && next_size_ >= 0) size = next_size_;
  if (size < 0) return fault("the size of an entry is no number.");
  std::string name = text_field(block_, 0, 100);
  const std::string prefix = text_field(block_, 345, 155);
  if (block_.compare(257, 5, "ustar") == 0 && block_[262] == '\0' && !prefix.empty()) {
    name = prefix + "/" + name;
  }
  if (!is_extension && !next_name_.empty()) name = next_name_;
  return start_entry(type, static_cast<uint64_t>(size), std::move(name));
}

Status TarReader::start_entry(char type, uint64_t size_bytes, std::string name) {
  rest_ = size_bytes;
  padding_ = (kBlock - size_bytes % kBlock) % kBlock;
  is_file_ = type == '0' || type == '\0';
  if (type == 'x' || type == 'g' || type == 'L') {
    if (size_bytes > kExtensionMax) return fault("an extension header is too long.");
    extension_.clear();
    extension_type_ = type;
    part_ = Part::kExtension;
  } else if (is_file_) {
    while (name.starts_with("./")) name.erase(0, 2);
    MORTISE_TRY(base::check_relative_path(name));
    if (++files_ > files_max_) {
      return Error(Code::kResourceExhausted,
                   "The bundle has more than " + std::to_string(files_max_) + " files.");
    }
    MORTISE_TRY(hooks_.begin_file(name, size_bytes));
    part_ = Part::kData;
  } else if (type == '5') {
    part_ = Part::kData;  // a folder comes into being with its files
  } else {
    return fault("\"" + name + "\" is a link or a device.");
  }
  return rest_ == 0 ? end_entry() : Status();
}

Status TarReader::end_entry() {
  if (part_ == Part::kExtension) {
    part_ = Part::kHeader;
    if (extension_type_ == 'x') return read_pax(extension_);
    if (extension_type_ == 'L') {
      next_name_ = extension_.substr(0, std::min(extension_.find('\0'), extension_.size()));
    }
    return {};
  }
  part_ = Part::kHeader;
  next_name_.clear();
  next_size_ = -1;
  return is_file_ ? hooks_.end_file() : Status();
}

Status TarReader::take(base::ByteView piece) {
  while (!piece.empty()) {
    size_t used = 0;
    if (rest_ > 0) {
      used = std::min<uint64_t>(rest_, piece.size());
      const base::ByteView data = piece.first(used);
      rest_ -= used;
      if (part_ == Part::kExtension) extension_.append(base::as_text(data));
      if (part_ == Part::kData && is_file_) MORTISE_TRY(hooks_.data(data));
      if (rest_ == 0) MORTISE_TRY(end_entry());
    } else if (padding_ > 0) {
      used = std::min<uint64_t>(padding_, piece.size());
      padding_ -= used;
    } else if (part_ == Part::kEnd) {
      used = piece.size();  // what pads the archive to its record
    } else {
      used = std::min(kBlock - block_.size(), piece.size());
      block_.append(base::as_text(piece.first(used)));
      if (block_.size() == kBlock) {
        header_at_ = offset_ + used - kBlock;
        MORTISE_TRY(take_block());
        block_.clear();
      }
    }
    offset_ += used;
    piece = piece.subspan(used);
  }
  return {};
}

Status TarReader::finish() {
  if (part_ == Part::kEnd) return {};
  return Error(Code::kInvalidArgument,
               "The bundle ends before its end mark, after " + std::to_string(offset_) + " bytes.",
               "It was cut off: send it again. Nothing of it was kept.")
      .at_byte(static_cast<int64_t>(offset_));
}

}  // namespace mortise::store
