// SHA-256 (FIPS 180-4), for fingerprints. Not for secrets.
#pragma once

#include <string>
#include <string_view>

namespace mortise::tokenizers {

// 64 lower-case hex digits. [any]
std::string sha256_hex(std::string_view bytes);

}  // namespace mortise::tokenizers
