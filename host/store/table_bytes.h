// Little-endian numbers in the tables that are objects themselves. Called by row_table, name_table.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/crypto.h"
#include "store/object_ref.h"

namespace mortise::store {

template <class T>
void append_number(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));  // the ABI and the formats are little-endian only
  out.append(bytes, sizeof(T));
}

template <class T>
T number_at(base::ByteView bytes, size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// 48 bytes: id, size, kind, and a number of the table's own.
constexpr size_t kRefSize = 48;

inline void append_ref(std::string& out, const ObjectRef& ref, uint32_t own) {
  out.append(base::as_text(ref.id));
  append_number<uint64_t>(out, ref.size_bytes);
  append_number<uint32_t>(out, static_cast<uint32_t>(ref.kind));
  append_number<uint32_t>(out, own);
}

inline ObjectRef ref_at(base::ByteView bytes, size_t offset) {
  ObjectRef ref;
  std::memcpy(ref.id.data(), bytes.data() + offset, ref.id.size());
  ref.size_bytes = number_at<uint64_t>(bytes, offset + 32);
  ref.kind =
      number_at<uint32_t>(bytes, offset + 40) == 0 ? ObjectKind::kSingle : ObjectKind::kRecipe;
  return ref;
}

}  // namespace mortise::store
