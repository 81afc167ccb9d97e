// PNG, JPEG and WebP to 8-bit RGB, within limits: the one door to libpng, libturbojpeg and libwebp
// in host/.
// Called by media_check and by engine/data. Knows nothing of resizing or tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "ingest/byte_source.h"

namespace mortise::ingest {

// Makes room without setting it: a decoder writes every pixel, and zeros first would cost a tenth
// of a JPEG's time.
template <class T>
struct UnsetAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = UnsetAllocator<U>;
  };
  void construct(T*) {}
  template <class... Arguments>
  void construct(T* at, Arguments&&... arguments) {
    ::new (static_cast<void*>(at)) T(std::forward<Arguments>(arguments)...);
  }
};
using Pixels = std::vector<uint8_t, UnsetAllocator<uint8_t>>;  // resize() sets nothing

struct Image {
  int64_t width = 0, height = 0;
  Pixels pixels;  // [height, width, 3], RGB
};

struct ImageLimits {
  int64_t pixels_max = 64'000'000;  // width times height
};

// Decodes a whole image. Transparent pixels are laid on white; 16-bit samples are cut to 8; grey
// and palettes become RGB. Errors: INVALID_ARGUMENT for what is none of these; DATA_LOSS for
// a file that is cut or damaged, with the decoder's reason; RESOURCE_EXHAUSTED over the limit.
// [any]
base::Result<Image> decode_image(base::ByteView bytes, const ImageLimits& limits = {});

struct ImageSize {
  int64_t width = 0, height = 0;
};
// What decode_image would give, from the head of the file alone. Errors: as decode_image, but only
// for what stands in the head; those of the source. [any]
base::Result<ImageSize> image_size(ByteSource& source, const ImageLimits& limits = {});

}  // namespace mortise::ingest
