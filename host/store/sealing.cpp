// See sealing.h.
#include "store/sealing.h"

#include <algorithm>
#include <string>

namespace mortise::store {

struct SealKeys {
  base::Secret key;
  std::array<std::byte, 12> base_nonce;
  std::array<std::byte, 32> commitment;
};

namespace {

using base::ByteView;

SealKeys derive(const base::Secret& input_key, std::string_view context, ByteView salt) {
  std::string info = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM";
  info += '\0';
  info += base::as_text(salt);
  info += context;
  base::Bytes bytes =
      base::hkdf_expand_sha512(input_key.bytes(), base::as_bytes(info), 32 + 12 + 32);
  SealKeys derived;
  std::copy_n(bytes.begin(), 32, derived.key.writable().begin());
  std::copy_n(bytes.begin() + 32, 12, derived.base_nonce.begin());
  std::copy_n(bytes.begin() + 44, 32, derived.commitment.begin());
  base::wipe(bytes);
  return derived;
}

std::span<const std::byte, 32> key_of(const SealKeys& derived) {
  return derived.key.bytes().first<32>();
}

std::array<std::byte, 12> nonce_of(const std::array<std::byte, 12>& base_nonce, uint64_t index) {
  std::array<std::byte, 12> nonce = base_nonce;
  for (size_t i = 0; i < 8; ++i) nonce[11 - i] ^= static_cast<std::byte>(index >> (8 * i));
  return nonce;
}

}  // namespace

Sealer::Sealer(const base::Secret& input_key, std::string_view context,
               std::span<const std::byte, kSaltSize> salt)
    : Sealer(derive(input_key, context, salt), salt) {}

Sealer::Sealer(const SealKeys& keys, std::span<const std::byte, kSaltSize> salt)
    : cipher_(key_of(keys)), base_nonce_(keys.base_nonce) {
  std::ranges::copy(salt, head_.begin());
  std::ranges::copy(keys.commitment, head_.begin() + kSaltSize);
}

void Sealer::seal_frame(ByteView plain, std::span<std::byte> out) {
  cipher_.seal(nonce_of(base_nonce_, index_++), plain, out);
}

void seal(const base::Secret& input_key, std::string_view context,
          std::span<const std::byte, kSaltSize> salt, ByteView plain, std::span<std::byte> out) {
  Sealer sealer(input_key, context, salt);
  std::ranges::copy(sealer.head(), out.begin());
  out = out.subspan(kSealHeadSize);
  for (;;) {
    const size_t size = std::min(plain.size(), kFrameSize);
    sealer.seal_frame(plain.first(size), out.first(size + base::AesGcm::kTagSize));
    if (size < kFrameSize) break;
    plain = plain.subspan(size);
    out = out.subspan(kSealedFrameSize);
  }
}

base::Result<Unsealer> Unsealer::open(const base::Secret& input_key, std::string_view context,
                                      std::span<const std::byte, kSealHeadSize> head) {
  const SealKeys derived = derive(input_key, context, head.first<kSaltSize>());
  if (!base::equal_constant_time(derived.commitment, head.last<32>())) {
    return base::Error(base::Code::kDataLoss, "A sealed chunk does not match its key commitment.",
                       "It is damaged, or sealed for another key or place. Restore it from a "
                       "backup.");
  }
  return Unsealer(base::AesGcm(key_of(derived)), derived.base_nonce);
}

bool Unsealer::open_frame(uint64_t index, ByteView sealed, std::span<std::byte> plain) {
  return cipher_.open(nonce_of(base_nonce_, index), sealed, plain);
}

base::Status Unsealer::open_all(ByteView frames, std::span<std::byte> plain) {
  const auto damaged = [](uint64_t index) {
    return base::Error(base::Code::kDataLoss,
                       "Frame " + std::to_string(index) +
                           " of a sealed chunk does not match its authentication tag.",
                       "Restore the segment from a backup.");
  };
  if (frames.size() != sealed_size(plain.size()) - kSealHeadSize) return damaged(0);
  const std::span<std::byte> whole = plain;
  for (uint64_t index = 0;; ++index) {
    const size_t size = std::min(plain.size(), kFrameSize);
    if (!open_frame(index, frames.first(size + base::AesGcm::kTagSize), plain.first(size))) {
      base::wipe(whole);
      return damaged(index);
    }
    if (size < kFrameSize) return {};
    plain = plain.subspan(size);
    frames = frames.subspan(kSealedFrameSize);
  }
}

}  // namespace mortise::store
