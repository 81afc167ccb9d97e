// See arrow_files.h. Failures of the host cross Arrow as its IOError and come out with their words.
#include "arrow_files.h"

#include <arrow/buffer.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace mortise::format_parquet {
namespace {

template <class Body>
arrow::Status as_status(Body&& body) {
  try {
    body();
    return {};
  } catch (const sdk::Failure& failure) {
    if (failure.code == MORTISE_STATUS_CANCELLED) return arrow::Status::Cancelled(failure.message);
    return arrow::Status::IOError(failure.message);
  }
}

}  // namespace

void check(const arrow::Status& status, const std::string& file) {
  if (status.ok()) return;
  const std::string words = status.message().substr(0, 1000);
  if (status.IsCancelled()) throw sdk::Failure(MORTISE_STATUS_CANCELLED, words).at(file);
  if (status.IsOutOfMemory() || status.IsCapacityError()) {
    throw sdk::resource_exhausted("The file needs more memory than is allowed: " + words)
        .at(file)
        .with_hint("Raise memory_bytes_max, or write the file with smaller row groups and pages.");
  }
  if (status.IsNotImplemented()) {
    throw sdk::unimplemented("The Parquet file uses what is not read here: " + words).at(file);
  }
  throw sdk::invalid_argument("The Parquet file is damaged or is none: " + words)
      .at(file)
      .with_hint("Write or copy the file again.");
}

arrow::Status BoundedPool::reserve(int64_t more) {
  if ((used_ += more) <= limit_bytes_) return {};
  used_ -= more;
  return arrow::Status::OutOfMemory("at most ", limit_bytes_, " bytes are given");
}

// Plain malloc with room to align: aligned allocations leave remainders of every size behind, which
// the C library then keeps.
arrow::Status BoundedPool::Allocate(int64_t size, int64_t alignment, uint8_t** out) {
  if (size < 0) return arrow::Status::Invalid("a negative size is asked for");
  ARROW_RETURN_NOT_OK(reserve(size));
  const auto step = static_cast<size_t>(alignment);
  void* base = std::malloc(static_cast<size_t>(size) + step + sizeof(void*));
  if (base == nullptr) {
    used_ -= size;
    return arrow::Status::OutOfMemory("malloc of ", size, " bytes failed");
  }
  const auto first = reinterpret_cast<uintptr_t>(base) + sizeof(void*);
  *out = reinterpret_cast<uint8_t*>((first + step - 1) / step * step);
  std::memcpy(*out - sizeof(void*), &base, sizeof(void*));
  total_ += size;
  ++count_;
  return {};
}

arrow::Status BoundedPool::Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                                      uint8_t** pointer) {
  uint8_t* moved = nullptr;
  ARROW_RETURN_NOT_OK(Allocate(new_size, alignment, &moved));
  std::memcpy(moved, *pointer, static_cast<size_t>(std::min(old_size, new_size)));
  Free(*pointer, old_size, alignment);
  *pointer = moved;
  return {};
}

void BoundedPool::Free(uint8_t* buffer, int64_t size, int64_t) {
  void* base = nullptr;
  std::memcpy(&base, buffer - sizeof(void*), sizeof(void*));
  std::free(base);
  used_ -= size;
}

HostFile::HostFile(const std::string& name, arrow::MemoryPool* pool)
    : file_(sdk::File::open(name)),
      pool_(pool),
      size_bytes_(static_cast<int64_t>(file_.size_bytes())) {}

arrow::Status HostFile::Close() {
  is_closed_ = true;
  return {};
}

arrow::Status HostFile::Seek(int64_t position) {
  if (position < 0 || position > size_bytes_) return arrow::Status::IOError("seek past the file");
  at_ = position;
  return {};
}

arrow::Result<int64_t> HostFile::ReadAt(int64_t position, int64_t count, void* out) {
  if (position < 0 || count < 0) return arrow::Status::IOError("a read at a negative place");
  uint64_t read = 0;
  ARROW_RETURN_NOT_OK(as_status([&] {
    sdk::check_cancelled();
    read = file_.read_at(static_cast<uint64_t>(position), out, static_cast<uint64_t>(count));
  }));
  return static_cast<int64_t>(read);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> HostFile::ReadAt(int64_t position, int64_t count) {
  if (position < 0 || count < 0) return arrow::Status::IOError("a read at a negative place");
  count = std::min(count, std::max<int64_t>(size_bytes_ - position, 0));
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(count, pool_));
  ARROW_ASSIGN_OR_RAISE(const int64_t read, ReadAt(position, count, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(read));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<int64_t> HostFile::Read(int64_t count, void* out) {
  ARROW_ASSIGN_OR_RAISE(const int64_t read, ReadAt(at_, count, out));
  at_ += read;
  return read;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> HostFile::Read(int64_t count) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(at_, count));
  at_ += buffer->size();
  return buffer;
}

arrow::Status HostSink::Write(const void* data, int64_t count) {
  const std::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(count));
  ARROW_RETURN_NOT_OK(as_status([&] { file_.write(bytes); }));
  at_ += count;
  return {};
}

}  // namespace mortise::format_parquet
