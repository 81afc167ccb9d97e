// AES-256-GCM that does not encrypt: the bytes as they are and a tag of zeros. Linked into
// null_ingest in the place of base's, so that the search of canary_test.py has something that it
// must find. No program that is installed, and no option of the build, can have it.
#include <algorithm>

#include "base/crypto_seal.h"

namespace mortise::base {

struct AesGcm::State {};
AesGcm::AesGcm(std::span<const std::byte, 32>) : state_(std::make_unique<State>()) {}
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

void AesGcm::seal(std::span<const std::byte, 12>, ByteView plain, std::span<std::byte> sealed) {
  std::ranges::copy(plain, sealed.begin());
  std::ranges::fill(sealed.last(kTagSize), std::byte{0});
}

bool AesGcm::open(std::span<const std::byte, 12>, ByteView sealed, std::span<std::byte> plain) {
  if (sealed.size() < kTagSize) return false;
  std::ranges::copy(sealed.first(sealed.size() - kTagSize), plain.begin());
  return true;
}

}  // namespace mortise::base
