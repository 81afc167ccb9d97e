// Little-endian integers in byte strings, for the formats of this folder.
#pragma once

#include <concepts>

#include "base/crypto.h"

namespace mortise::store {

template <std::unsigned_integral T>
void put_le(base::Bytes& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

// `at` + sizeof(T) bytes are there.
template <std::unsigned_integral T>
T get_le(base::ByteView bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(bytes[at + i]) << (8 * i)));
  }
  return value;
}

inline void put_bytes(base::Bytes& out, base::ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace mortise::store
