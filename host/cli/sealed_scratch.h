// Bytes put aside for the length of one command, which no one can read on the disk: a file without
// a name, in frames of AES-256-GCM under a key that only this process has. What `dataset upload`
// takes an archive apart into.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/crypto_seal.h"
#include "base/file_ops.h"

namespace mortise::cli {

class SealedScratch {
 public:
  // path: in an existing folder, on the disk that is to hold the bytes; what is there is replaced,
  // and the name is gone when this returns. Errors: of the disk.
  static base::Result<std::shared_ptr<SealedScratch>> create(const std::string& path);

  // Errors: of the disk. [serial], and all of it before the first read_at().
  base::Status append(base::ByteView bytes);
  base::Status finish();  // the last append

  uint64_t size_bytes() const { return size_bytes_; }
  // Fills the buffer. Errors: OUT_OF_RANGE when it does not end within the bytes; DATA_LOSS when
  // the disk gives others than were put there. [parallel]
  base::Status read_at(uint64_t offset, std::span<std::byte> buffer) const;

 private:
  // Small, as the files of a bundle are read one by one and most of them are.
  static constexpr size_t kFrameBytes = 16u << 10;
  static constexpr size_t kSealedBytes = kFrameBytes + base::AesGcm::kTagSize;

  SealedScratch(std::unique_ptr<base::File> file, const base::Secret& key)
      : file_(std::move(file)), key_(key), cipher_(key_.bytes().first<32>()) {}
  base::Status write_frame();
  base::Result<size_t> read_frame(uint64_t frame, std::span<std::byte> sealed) const;

  std::unique_ptr<base::File> file_;
  base::Secret key_;
  base::AesGcm cipher_;  // of append
  base::Bytes open_;     // plain bytes of the last frame, not written yet
  uint64_t size_bytes_ = 0, frames_ = 0;
  mutable std::mutex mutex_;  // of file_
};

}  // namespace mortise::cli
