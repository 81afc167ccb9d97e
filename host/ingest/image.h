// PNG, JPEG and WebP to 8-bit RGB, within limits: the one door to libpng, libturbojpeg and libwebp
// in host/.
// Called by media_check and by engine/data. Knows nothing of resizing or tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "ingest/byte_source.h"

namespace mortise::ingest {

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // [height, width, 3], RGB
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
