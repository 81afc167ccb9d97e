// What sealing needs beside crypto.h, behind the same door to OpenSSL: a secret that is wiped, an
// AES-256-GCM key set up once for many nonces, an HMAC key used again and again, HKDF-SHA-512,
// scrypt, and XAES-256-GCM (c2sp.org/XAES-256-GCM) for small secrets under a long-lived key.
#pragma once

#include "base/crypto.h"

namespace mortise::base {

void wipe(std::span<std::byte> bytes);  // not removed by the optimiser

// 32 bytes that are wiped when it dies or is assigned to.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::span<const std::byte, 32> bytes);
  Secret(const Secret& other) = default;
  Secret& operator=(const Secret& other) = default;
  ~Secret() { wipe(bytes_); }
  ByteView bytes() const { return bytes_; }
  std::span<std::byte, 32> writable() { return bytes_; }

 private:
  std::array<std::byte, 32> bytes_{};
};

// One AES-256-GCM key, expanded once. Nonces are 12 bytes, tags 16, no additional data. [serial]
class AesGcm {
 public:
  static constexpr size_t kTagSize = 16;
  explicit AesGcm(std::span<const std::byte, 32> key);
  ~AesGcm();
  AesGcm(AesGcm&&) noexcept;
  AesGcm& operator=(AesGcm&&) noexcept;
  // `sealed` has plain.size() + 16 bytes and does not overlap `plain`.
  void seal(std::span<const std::byte, 12> nonce, ByteView plain, std::span<std::byte> sealed);
  // `plain` has sealed.size() - 16 bytes; false and wiped when the tag does not match.
  bool open(std::span<const std::byte, 12> nonce, ByteView sealed, std::span<std::byte> plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HMAC-SHA-256 under one key, whose two first blocks are hashed once. [parallel]
class HmacSha256 {
 public:
  explicit HmacSha256(ByteView key);
  ~HmacSha256();
  HmacSha256(HmacSha256&&) noexcept;
  Digest of(ByteView data) const;
  Digest of(std::span<const ByteView> parts) const;  // of the parts end to end

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Bytes hkdf_sha512(ByteView key, ByteView salt, ByteView info, size_t size_bytes);
// The second half of HKDF alone; `key` is uniformly random.
Bytes hkdf_expand_sha512(ByteView key, ByteView info, size_t size_bytes);

// scrypt: memory 128 * r * n bytes. Errors: INVALID_ARGUMENT when n is not a power of two of
// 2^10..2^20, r not 1..32, p not 1..16, or the memory over 1 GiB.
struct ScryptCost {
  uint64_t n = 1u << 15;
  uint32_t r = 8, p = 3;
};
Result<Secret> scrypt(std::string_view passphrase, ByteView salt, const ScryptCost& cost);

// XAES-256-GCM: a nonce of 24 random bytes, 2^80 messages under a key. The result of opening has
// the bytes without the tag of 16. Errors: INVALID_ARGUMENT for a wrong size of key or nonce,
// DATA_LOSS when the tag does not match.
Result<Bytes> seal_xaes_gcm(ByteView key32, ByteView nonce24, ByteView aad, ByteView plain);
Result<Bytes> open_xaes_gcm(ByteView key32, ByteView nonce24, ByteView aad, ByteView sealed);

}  // namespace mortise::base
