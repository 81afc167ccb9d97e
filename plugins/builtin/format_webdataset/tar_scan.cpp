// Layout: POSIX.1-2017, pax interchange format, "ustar Interchange Format"; GNU tar manual, "Basic
// Tar Format" for 'L' and binary sizes.
#include "tar_scan.h"

#include <mortise/cpp/utf8.hpp>

#include <charconv>

namespace mortise::format_webdataset {
namespace {

constexpr uint64_t kExtensionMax = 64 << 10;

std::string_view text_field(std::string_view block, size_t at, size_t size) {
  const std::string_view field = block.substr(at, size);
  return field.substr(0, field.find('\0'));
}

// An octal number, ended by a space or NUL, or GNU's binary form; -1 when it is neither.
int64_t number_field(std::string_view block, size_t at, size_t size) {
  if (static_cast<uint8_t>(block[at]) == 0x80) {
    uint64_t value = 0;
    for (size_t i = at + 1; i < at + size; ++i) {
      if (value >> 55 != 0) return -1;
      value = value << 8 | static_cast<uint8_t>(block[i]);
    }
    return static_cast<int64_t>(value);
  }
  int64_t value = 0;
  bool is_seen = false;
  for (size_t i = at; i < at + size; ++i) {
    const char c = block[i];
    if (c >= '0' && c <= '7') {
      value = value * 8 + (c - '0');
      is_seen = true;
    } else if (c == '\0' || c == ' ') {
      if (is_seen) break;
    } else {
      return -1;
    }
  }
  return is_seen ? value : -1;
}

bool is_safe(std::string_view name) {
  if (name.empty() || name[0] == '/' ||
      name.find_first_of(std::string_view("\0\\", 2)) != name.npos ||
      sdk::find_invalid_utf8(name) >= 0) {
    return false;
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

bool is_header(std::string_view block) {
  if (block.size() < kBlock) return false;
  int64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<uint8_t>(block[i]);
  }
  return number_field(block, 148, 8) == sum;
}

TarScan::TarScan(const std::string& name, uint64_t offset)
    : file_(sdk::File::open(name)), size_bytes_(file_.size_bytes()), offset_(offset) {
  if (offset > size_bytes_ || offset % kBlock != 0) {
    throw sdk::data_loss("The cursor does not stand at a member of this archive.").at(name);
  }
}

void TarScan::fail(const std::string& words) const {
  throw sdk::invalid_argument("The archive is no tar that is read here: " + words)
      .at(file_.name(), -1, static_cast<int64_t>(offset_))
      .with_hint("Make it with tar --format=pax from plain files, without compression.");
}

void TarScan::pass_over(uint64_t size_bytes) {
  const uint64_t left = size_bytes_ - offset_;
  if (size_bytes > left) {
    throw sdk::data_loss("A member has " + std::to_string(size_bytes) + " bytes, and only " +
                         std::to_string(left) + " are left in the archive.")
        .at(file_.name(), -1, static_cast<int64_t>(offset_))
        .with_hint("The archive was cut off: copy it again.");
  }
  offset_ += size_bytes;
  offset_ = std::min(size_bytes_, (offset_ + kBlock - 1) / kBlock * kBlock);
}

// The header at offset_, which moves behind it; false at the end mark.
bool TarScan::read_header(std::string* block) {
  block->resize(kBlock);
  if (file_.read_at(offset_, block->data(), kBlock) < kBlock) {
    throw sdk::data_loss("The archive ends before its end mark.")
        .at(file_.name(), -1, static_cast<int64_t>(offset_))
        .with_hint("It was cut off: copy it again.");
  }
  if (block->find_first_not_of('\0') == block->npos) return false;
  if (!is_header(*block)) fail("the sum of a header is wrong.");
  offset_ += kBlock;
  return true;
}

std::string TarScan::read_extension(uint64_t size_bytes) {
  if (size_bytes > kExtensionMax) fail("an extension header is too long.");
  std::string content(size_bytes, '\0');
  const uint64_t at = offset_;
  pass_over(size_bytes);
  content.resize(file_.read_at(at, content.data(), size_bytes));
  return content;
}

void TarScan::read_pax(const std::string& records, Extended* out) {
  // "17 path=a/b.png\n"; the number counts the whole record.
  for (size_t at = 0; at < records.size();) {
    size_t size = 0;
    const char* begin = records.data() + at;
    const auto read = std::from_chars(begin, records.data() + records.size(), size);
    const auto digits = static_cast<size_t>(read.ptr - begin);
    if (read.ec != std::errc() || size <= digits + 1 || size > records.size() - at ||
        *read.ptr != ' ' || begin[size - 1] != '\n') {
      fail("a pax record is broken.");
    }
    const std::string_view record(begin + digits + 1, size - digits - 2);
    if (record.starts_with("GNU.sparse")) fail("a member is sparse.");
    if (record.starts_with("path=")) out->path = record.substr(5);
    if (record.starts_with("size=")) {
      const char* end = record.data() + record.size();
      const auto number = std::from_chars(record.data() + 5, end, out->size_bytes);
      if (number.ec != std::errc() || number.ptr != end) fail("a pax size is no number.");
      out->has_size = true;
    }
    at += size;
  }
}

bool TarScan::next(TarMember* out) {
  std::string block;
  Extended extended;
  out->begin = offset_;
  while (read_header(&block)) {
    const int64_t plain_size = number_field(block, 124, 12);
    if (plain_size < 0) fail("the size of a member is no number.");
    auto size = static_cast<uint64_t>(plain_size);
    const char type = block[156];
    if (type == 'x') {
      read_pax(read_extension(size), &extended);
      continue;
    }
    if (type == 'g') {
      Extended ignored;  // of the whole archive: comments and the like
      read_pax(read_extension(size), &ignored);
      continue;
    }
    if (type == 'L') {
      const std::string name = read_extension(size);
      extended.path = name.substr(0, name.find('\0'));
      continue;
    }
    if (extended.has_size) size = extended.size_bytes;
    std::string name(text_field(block, 0, 100));
    const std::string_view prefix = text_field(block, 345, 155);
    if (block.compare(257, 6, std::string_view("ustar\0", 6)) == 0 && !prefix.empty()) {
      name = std::string(prefix) + '/' + name;
    }
    if (!extended.path.empty()) name = extended.path;
    while (name.starts_with("./")) name.erase(0, 2);
    if (type == '5') {
      pass_over(size);
    } else if (type != '0' && type != '\0' && type != '7') {
      offset_ -= kBlock;
      fail("\"" + name.substr(0, 200) + "\" is a link, a device or sparse.");
    } else {
      if (!is_safe(name)) fail("a member's name is no relative path in UTF-8.");
      out->name = std::move(name);
      out->data = offset_;
      out->size_bytes = size;
      pass_over(size);
      return true;
    }
    extended = {};
    out->begin = offset_;
  }
  return false;
}

}  // namespace mortise::format_webdataset
