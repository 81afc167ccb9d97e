// See byte_source.h.
#include "ingest/byte_source.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace mortise::ingest {

using base::Result;

namespace {

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(base::ByteView bytes) : ByteSource(bytes.size()), bytes_(bytes) {}
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t size = std::min<size_t>(buffer.size(), bytes_.size() - offset);
    if (size > 0) std::memcpy(buffer.data(), bytes_.data() + offset, size);
    return size;
  }

 private:
  base::ByteView bytes_;
};

class FileSource final : public ByteSource {
 public:
  FileSource(std::unique_ptr<base::File> file, uint64_t size_bytes)
      : ByteSource(size_bytes), file_(std::move(file)) {}
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    size_t done = 0;
    while (done < buffer.size()) {
      MORTISE_ASSIGN(const size_t size, file_->read_at(offset + done, buffer.subspan(done)));
      if (size == 0) break;
      done += size;
    }
    return done;
  }

 private:
  std::unique_ptr<base::File> file_;
};

}  // namespace

std::unique_ptr<ByteSource> ByteSource::of_bytes(base::ByteView bytes) {
  return std::make_unique<MemorySource>(bytes);
}

Result<std::unique_ptr<ByteSource>> ByteSource::of_file(std::unique_ptr<base::File> file) {
  MORTISE_ASSIGN(const uint64_t size_bytes, file->size());
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(std::move(file), size_bytes));
}

int64_t ByteCursor::read(void* out, uint64_t size_bytes) {
  if (!failure.ok() || size_bytes > budget_bytes) return -1;
  const auto got = source->read_at(at, {static_cast<std::byte*>(out), size_bytes});
  if (!got.ok()) {
    failure = got.error();
    return -1;
  }
  at += *got;
  budget_bytes -= *got;
  return static_cast<int64_t>(*got);
}

int64_t ByteCursor::seek(int64_t offset, int origin) {
  const auto size = static_cast<int64_t>(source->size_bytes());
  const int64_t from = origin == SEEK_SET   ? 0
                       : origin == SEEK_CUR ? static_cast<int64_t>(at)
                                            : size;
  if (offset > size - from || offset < -from) return -1;
  at = static_cast<uint64_t>(from + offset);
  return from + offset;
}

uint64_t read_budget(const ByteSource& source) {
  constexpr uint64_t kFree = UINT64_C(64) << 20;
  return kFree + 8 * std::min(source.size_bytes(), UINT64_MAX / 16);
}

}  // namespace mortise::ingest
