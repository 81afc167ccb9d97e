// Zstandard for pieces that fit in memory: the one door to libzstd. Contexts are kept between
// pieces. What is read may come from a stranger: it is decompressed straight into a buffer of the
// expected size, which is its window too, so no frame can ask for more memory.
#pragma once

#include "base/crypto.h"

namespace mortise::base {

class ZstdCompressor {  // [serial]
 public:
  explicit ZstdCompressor(int level);  // 1..19
  ~ZstdCompressor();
  ZstdCompressor(ZstdCompressor&&) noexcept;
  // One frame with its content size into `out`, which is replaced. False when it would have more
  // than `size_bytes_max` bytes: it does not pay.
  bool compress(ByteView plain, size_t size_bytes_max, Bytes& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ZstdDecompressor {  // [serial]
 public:
  ZstdDecompressor();
  ~ZstdDecompressor();
  ZstdDecompressor(ZstdDecompressor&&) noexcept;
  // One frame of exactly `plain.size()` bytes. Errors: DATA_LOSS.
  Status decompress(ByteView packed, std::span<std::byte> plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mortise::base
