// Where an object is cut. FastCDC (Xia et al., USENIX ATC 2016) with normalised chunking: a rolling
// sum of a table that is keyed by the domain, so that sizes of chunks tell nothing to who knows a
// file; a stricter mask before the mean size, a looser one after it. And the look at the first
// bytes that says whether cutting by content and compressing pay at all. Pure functions.
#pragma once

#include "base/crypto_seal.h"

namespace mortise::store {

constexpr size_t kCutSizeMin = 64u << 10, kCutSizeMean = 256u << 10, kCutSizeMax = 1u << 20;

class Chunker {  // [parallel]
 public:
  // The table: 256 numbers of 8 bytes, little endian, from HKDF-Expand-SHA-512(gear key, "gear").
  explicit Chunker(const base::Secret& gear_key);
  // The size of the first chunk of `data`, at most kCutSizeMax; data.size() when no cut is in it
  // (the caller gives at least kCutSizeMax bytes, or the end of the object).
  size_t cut(base::ByteView data) const;

 private:
  std::array<uint64_t, 256> gear_;
};

// Whether these first bytes of an object begin a format that is compressed already or is read at
// random: JPEG, PNG, GIF, WebP, WAV, AVI, MP4/MOV, Matroska, MP3, Ogg, FLAC, gzip, zip, zstd, xz,
// bzip2, lz4, 7z.
bool is_compressed_format(base::ByteView start);

}  // namespace mortise::store
