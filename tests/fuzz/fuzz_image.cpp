// Any bytes as an image, with room for a small one only.
#include "ingest/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto image = mortise::ingest::decode_image({reinterpret_cast<const std::byte*>(data), size},
                                                   {.pixels_max = 1 << 20});
  if (image.ok() && image->pixels.size() != static_cast<size_t>(image->width) *
                                                static_cast<size_t>(image->height) * 3) {
    __builtin_trap();
  }
  return 0;
}
