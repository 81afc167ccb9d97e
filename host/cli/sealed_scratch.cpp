// See sealed_scratch.h. A frame's nonce is its number: the key serves this one file, and no frame
// is written twice.
#include "cli/sealed_scratch.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/clock.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

std::array<std::byte, 12> nonce_of(uint64_t frame) {
  std::array<std::byte, 12> nonce{};
  std::memcpy(nonce.data(), &frame, sizeof frame);
  return nonce;
}

}  // namespace

Result<std::shared_ptr<SealedScratch>> SealedScratch::create(const std::string& path) {
  base::FileOps& files = base::posix_file_ops();
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kTruncate));
  MORTISE_TRY(files.remove(path));
  base::Secret key;
  base::system_random().fill(key.writable());
  return std::shared_ptr<SealedScratch>(new SealedScratch(std::move(file), key));
}

Status SealedScratch::append(base::ByteView bytes) {
  while (!bytes.empty()) {
    const size_t now = std::min(bytes.size(), kFrameBytes - open_.size());
    open_.insert(open_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(now));
    bytes = bytes.subspan(now);
    size_bytes_ += now;
    if (open_.size() == kFrameBytes) MORTISE_TRY(write_frame());
  }
  return {};
}

Status SealedScratch::finish() {
  return open_.empty() ? Status() : write_frame();
}

Status SealedScratch::write_frame() {
  std::array<std::byte, kSealedBytes> sealed;
  const std::span<std::byte> out = std::span(sealed).first(open_.size() + base::AesGcm::kTagSize);
  cipher_.seal(nonce_of(frames_), open_, out);
  base::wipe(open_);
  open_.clear();
  ++frames_;
  return file_->write(out);
}

Result<size_t> SealedScratch::read_frame(uint64_t frame, std::span<std::byte> sealed) const {
  const std::scoped_lock lock(mutex_);
  return file_->read_at(frame * kSealedBytes, sealed);
}

Status SealedScratch::read_at(uint64_t offset, std::span<std::byte> buffer) const {
  if (offset > size_bytes_ || buffer.size() > size_bytes_ - offset) {
    return Error(Code::kOutOfRange, "The bytes that were put aside end before it.");
  }
  base::AesGcm cipher(key_.bytes().first<32>());
  std::array<std::byte, kSealedBytes> sealed;
  std::array<std::byte, kFrameBytes> plain;
  for (size_t done = 0; done < buffer.size();) {
    const uint64_t at = offset + done, frame = at / kFrameBytes;
    const size_t size = std::min<uint64_t>(kFrameBytes, size_bytes_ - frame * kFrameBytes);
    const std::span<std::byte> stored = std::span(sealed).first(size + base::AesGcm::kTagSize);
    MORTISE_ASSIGN(const size_t got, read_frame(frame, stored));
    if (got != stored.size() ||
        !cipher.open(nonce_of(frame), stored, std::span(plain).first(size))) {
      return Error(Code::kDataLoss, "The disk does not give back what an archive held.",
                   "Check the disk of MORTISE_HOME and run the command again.");
    }
    const size_t from = at % kFrameBytes, now = std::min(size - from, buffer.size() - done);
    std::memcpy(buffer.data() + done, plain.data() + from, now);
    done += now;
  }
  base::wipe(plain);
  return {};
}

}  // namespace mortise::cli
