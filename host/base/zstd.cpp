// libzstd behind two small classes. See zstd.h.
#include "base/zstd.h"

#include <zstd.h>

#include <new>

namespace mortise::base {

struct ZstdCompressor::State {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  State() = default;
  State(const State&) = delete;
  ~State() { ZSTD_freeCCtx(context); }
};

ZstdCompressor::ZstdCompressor(int level) : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
  (void)ZSTD_CCtx_setParameter(state_->context, ZSTD_c_compressionLevel, level);
}
ZstdCompressor::~ZstdCompressor() = default;
ZstdCompressor::ZstdCompressor(ZstdCompressor&&) noexcept = default;

bool ZstdCompressor::compress(ByteView plain, size_t size_bytes_max, Bytes& out) {
  out.resize(size_bytes_max);
  const size_t size =
      ZSTD_compress2(state_->context, out.data(), out.size(), plain.data(), plain.size());
  if (ZSTD_isError(size)) return false;  // with these arguments: the output is too small
  out.resize(size);
  return true;
}

struct ZstdDecompressor::State {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  State() = default;
  State(const State&) = delete;
  ~State() { ZSTD_freeDCtx(context); }
};

ZstdDecompressor::ZstdDecompressor() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
}
ZstdDecompressor::~ZstdDecompressor() = default;
ZstdDecompressor::ZstdDecompressor(ZstdDecompressor&&) noexcept = default;

Status ZstdDecompressor::decompress(ByteView packed, std::span<std::byte> plain) {
  const size_t size = ZSTD_decompressDCtx(state_->context, plain.data(), plain.size(),
                                          packed.data(), packed.size());
  if (ZSTD_isError(size)) {
    return Error(Code::kDataLoss,
                 std::string("Compressed bytes are damaged: ") + ZSTD_getErrorName(size) + ".");
  }
  if (size == plain.size()) return {};
  return Error(Code::kDataLoss, "Compressed bytes hold " + std::to_string(size) +
                                    " bytes; their record says " + std::to_string(plain.size()) +
                                    ".");
}

}  // namespace mortise::base
