// See split.h.
#include "job/split.h"

#include <array>

#include "base/crypto.h"

namespace mortise::job {

bool is_held_out(std::string_view canonical_row, double ratio, uint64_t seed) {
  std::array<std::byte, 8> key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(seed >> (8 * i));
  const base::Digest digest = base::hmac_sha256(key, base::as_bytes(canonical_row));
  uint64_t bits = 0;
  for (size_t i = 0; i < 8; ++i) bits = bits << 8 | static_cast<uint64_t>(digest[i]);
  return static_cast<double>(bits >> 11) * 0x1p-53 < ratio;
}

}  // namespace mortise::job
