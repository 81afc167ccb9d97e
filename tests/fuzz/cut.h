// A reader of a stream gives the same however its bytes come: for fuzzers of what is read in
// pieces.
#pragma once

#include <cstdlib>
#include <string>

#include "base/crypto.h"

namespace mortise::fuzz {

// What a reader made of the bytes, as text.
struct Seen {
  std::string text;
  base::Status begin(const std::string& name) {
    text += "[" + name + "]";
    return {};
  }
  base::Status data(base::ByteView piece) {
    text += base::as_text(piece);
    return {};
  }
  base::Status end() {
    text += "|";
    return {};
  }
  std::string whole(bool is_liked) const { return is_liked ? text + "." : "refused"; }
};

// read(bytes, cut) reads them in two pieces. The first byte chooses the cut, which changes nothing.
template <class Read>
int same_however_cut(const uint8_t* data, size_t size, const Read& read) {
  const base::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const size_t cut = size == 0 ? 0 : size * data[0] / 256;
  if (read(bytes, cut) != read(bytes, size)) std::abort();
  return 0;
}

}  // namespace mortise::fuzz
