// What Arrow reads from, writes to and takes memory from: the host's files, and a pool with a
// bound. Errors of Arrow become failures here.
//
// Called by parquet_file.cpp and writer.cpp.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>
#include <mortise/cpp/files.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace mortise::format_parquet {

// Throws what a status says: CANCELLED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, else INVALID_ARGUMENT.
void check(const arrow::Status& status, const std::string& file);

template <class T>
T take(arrow::Result<T> result, const std::string& file) {
  check(result.status(), file);
  return std::move(result).ValueUnsafe();
}

// Refuses above limit_bytes: a page or dictionary that claims to be huge ends there.
class BoundedPool : public arrow::MemoryPool {
 public:
  explicit BoundedPool(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  using MemoryPool::Allocate;
  using MemoryPool::Free;
  using MemoryPool::Reallocate;
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override;
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** pointer) override;
  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override;
  int64_t bytes_allocated() const override { return used_; }
  int64_t total_bytes_allocated() const override { return total_; }
  int64_t num_allocations() const override { return count_; }
  std::string backend_name() const override { return "system"; }

 private:
  arrow::Status reserve(int64_t more);

  int64_t limit_bytes_;
  std::atomic<int64_t> used_{0}, total_{0}, count_{0};
};

// A file of the host as Arrow's. Reads may come from several threads.
class HostFile : public arrow::io::RandomAccessFile {
 public:
  explicit HostFile(const std::string& name, arrow::MemoryPool* pool);
  arrow::Status Close() override;
  bool closed() const override { return is_closed_; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Status Seek(int64_t position) override;
  arrow::Result<int64_t> GetSize() override { return size_bytes_; }
  arrow::Result<int64_t> Read(int64_t count, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t count) override;
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t count, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t count) override;

 private:
  sdk::File file_;
  arrow::MemoryPool* pool_;
  int64_t size_bytes_;
  int64_t at_ = 0;
  bool is_closed_ = false;
};

// A new file of the host; Close makes it visible, the destructor without it leaves nothing.
class HostSink : public arrow::io::OutputStream {
 public:
  explicit HostSink(std::string_view name) : file_(sdk::File::create(name)) {}
  arrow::Status Close() override { return {}; }  // publish() decides
  bool closed() const override { return false; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Status Write(const void* data, int64_t count) override;
  void publish() { file_.close(); }
  const std::string& name() const { return file_.name(); }

 private:
  sdk::File file_;
  int64_t at_ = 0;
};

}  // namespace mortise::format_parquet
