// Where a decoder reads from: bytes in memory or an open file, by position. Called by audio and
// video, whose libraries read and seek by callbacks. Knows nothing of formats.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::ingest {

class ByteSource {  // [serial]
 public:
  virtual ~ByteSource() = default;
  // Up to buffer.size() bytes at `offset`; fewer only at the end. Errors: those of the file.
  virtual base::Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) = 0;
  uint64_t size_bytes() const { return size_bytes_; }

  // The bytes must outlive the source.
  static std::unique_ptr<ByteSource> of_bytes(base::ByteView bytes);
  // The size is asked for once. Errors: those of the file.
  static base::Result<std::unique_ptr<ByteSource>> of_file(std::unique_ptr<base::File> file);

 protected:
  explicit ByteSource(uint64_t size_bytes) : size_bytes_(size_bytes) {}

 private:
  uint64_t size_bytes_;
};

// What the callbacks of a C library share: a source and a place in it. The first failed read is
// kept, for such a library answers with a code of its own. budget_bytes bounds all reads together:
// a hostile file can send a reader round and round.
struct ByteCursor {
  ByteSource* source = nullptr;
  uint64_t at = 0;
  uint64_t budget_bytes = 0;
  base::Status failure;

  // Bytes that were read; 0 at the end; -1 after a failure or with the budget spent.
  int64_t read(void* out, uint64_t size_bytes);
  // The new place; -1 outside of [0, size]. origin: SEEK_SET, SEEK_CUR or SEEK_END.
  int64_t seek(int64_t offset, int origin);
};

// What a reader may read of a source in all: each byte a few times, and small files freely.
uint64_t read_budget(const ByteSource& source);

}  // namespace mortise::ingest
