// Sealing of one message, exactly C2SP chunked-encryption (c2sp.org/chunked-encryption@v1) with
// HKDF-Expand-SHA-512 and AEAD_AES_256_GCM:
//
//   salt (24 random bytes) || commitment (32) || frames
//   key (32) || base nonce (12) || commitment (32) = HKDF-Expand(input key, "c2sp.org/chunked-
//       encryption@v1+AEAD_AES_256_GCM" 0x00 salt context)
//   frame k: 16 KiB of plaintext (the last one shorter, perhaps empty) and its tag of 16 bytes,
//       nonce = base nonce XOR k, no additional data
//
// Used for chunks (segment.h) and whole files (sealed_files.h). Knows nothing of files.
#pragma once

#include <string_view>

#include "base/crypto_seal.h"

namespace mortise::store {

constexpr size_t kFrameSize = 16384;
constexpr size_t kSaltSize = 24;
constexpr size_t kSealHeadSize = 56;  // salt and commitment
constexpr size_t kSealedFrameSize = kFrameSize + base::AesGcm::kTagSize;

constexpr uint64_t sealed_size(uint64_t plain_size) {
  return kSealHeadSize + plain_size + (plain_size / kFrameSize + 1) * base::AesGcm::kTagSize;
}

struct SealKeys;  // what the input key, the context and the salt give

// Seals a message frame by frame. [serial]
class Sealer {
 public:
  // `salt` is random and of this message alone.
  Sealer(const base::Secret& input_key, std::string_view context,
         std::span<const std::byte, kSaltSize> salt);
  std::span<const std::byte, kSealHeadSize> head() const { return head_; }  // salt, commitment
  // The next frame: kFrameSize bytes, or fewer (also none) for the last one, which every message
  // has. `out` has plain.size() + 16 bytes.
  void seal_frame(base::ByteView plain, std::span<std::byte> out);

 private:
  Sealer(const SealKeys& keys, std::span<const std::byte, kSaltSize> salt);
  base::AesGcm cipher_;
  std::array<std::byte, 12> base_nonce_;
  std::array<std::byte, kSealHeadSize> head_;
  uint64_t index_ = 0;
};

// A whole message. `out` has sealed_size(plain.size()) bytes.
void seal(const base::Secret& input_key, std::string_view context,
          std::span<const std::byte, kSaltSize> salt, base::ByteView plain,
          std::span<std::byte> out);

// A sealed message whose key was derived and whose commitment matched. [serial]
class Unsealer {
 public:
  // `head` is the first 56 bytes. Errors: DATA_LOSS when the commitment does not match: the bytes
  // are damaged or belong to another key, domain or chunk.
  static base::Result<Unsealer> open(const base::Secret& input_key, std::string_view context,
                                     std::span<const std::byte, kSealHeadSize> head);
  // `plain` has sealed.size() - 16 bytes. False when the tag does not match; nothing is in `plain`.
  bool open_frame(uint64_t index, base::ByteView sealed, std::span<std::byte> plain);
  // All frames of a message of plain.size() bytes; `frames` comes after the head. Also the order
  // and the end are authenticated. Errors: DATA_LOSS.
  base::Status open_all(base::ByteView frames, std::span<std::byte> plain);

 private:
  Unsealer(base::AesGcm cipher, std::array<std::byte, 12> base_nonce)
      : cipher_(std::move(cipher)), base_nonce_(base_nonce) {}
  base::AesGcm cipher_;
  std::array<std::byte, 12> base_nonce_;
};

}  // namespace mortise::store
