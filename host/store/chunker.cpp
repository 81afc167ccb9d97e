// See chunker.h.
#include "store/chunker.h"

#include <algorithm>
#include <string_view>

namespace mortise::store {
namespace {

// The mean of 2^18 bytes, two bits stricter before it and two looser after it; the top bits of the
// sum depend on the last 64 bytes.
constexpr uint64_t kStrictMask = ~UINT64_C(0) << (64 - 20);
constexpr uint64_t kLooseMask = ~UINT64_C(0) << (64 - 16);

struct Magic {
  size_t offset;
  std::string_view bytes;
};
using namespace std::string_view_literals;
constexpr Magic kMagics[] = {
    {0, "\xff\xd8\xff"sv},  // JPEG
    {0, "\x89PNG\r\n\x1a\n"sv},
    {0, "GIF87a"sv},
    {0, "GIF89a"sv},  //
    {8, "WEBP"sv},
    {8, "WAVE"sv},
    {8, "AVI "sv},  // in RIFF
    {4, "ftyp"sv},
    {4, "moov"sv},              // MP4, MOV
    {0, "\x1a\x45\xdf\xa3"sv},  // Matroska, WebM
    {0, "ID3"sv},
    {0, "\xff\xfb"sv},
    {0, "\xff\xf3"sv},  // MP3
    {0, "\xff\xf2"sv},
    {0, "OggS"sv},
    {0, "fLaC"sv},  //
    {0, "\x1f\x8b"sv},
    {0, "PK\x03\x04"sv},
    {0, "\x28\xb5\x2f\xfd"sv},  // gzip zip zstd
    {0,
     "\xfd"
     "7zXZ\0"sv},
    {0, "BZh"sv},
    {0, "\x04\x22\x4d\x18"sv},  // xz bzip2 lz4
    {0, "7z\xbc\xaf\x27\x1c"sv},
};

}  // namespace

Chunker::Chunker(const base::Secret& gear_key) {
  const base::Bytes table =
      base::hkdf_expand_sha512(gear_key.bytes(), base::as_bytes("gear"), 256 * 8);
  for (size_t i = 0; i < gear_.size(); ++i) {
    gear_[i] = 0;
    for (size_t b = 8; b-- > 0;) {
      gear_[i] = gear_[i] << 8 | std::to_integer<uint64_t>(table[i * 8 + b]);
    }
  }
}

size_t Chunker::cut(base::ByteView data) const {
  if (data.size() <= kCutSizeMin) return data.size();
  const size_t end = std::min(data.size(), kCutSizeMax), mean = std::min(end, kCutSizeMean);
  uint64_t sum = 0;
  size_t i = kCutSizeMin;
  for (; i < mean; ++i) {
    sum = (sum << 1) + gear_[std::to_integer<size_t>(data[i])];
    if ((sum & kStrictMask) == 0) return i + 1;
  }
  for (; i < end; ++i) {
    sum = (sum << 1) + gear_[std::to_integer<size_t>(data[i])];
    if ((sum & kLooseMask) == 0) return i + 1;
  }
  return end;
}

bool is_compressed_format(base::ByteView start) {
  const std::string_view text = base::as_text(start);
  return std::ranges::any_of(kMagics, [&](const Magic& magic) {
    return text.size() > magic.offset && text.substr(magic.offset).starts_with(magic.bytes);
  });
}

}  // namespace mortise::store
