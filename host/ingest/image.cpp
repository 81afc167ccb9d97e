// See image.h. libpng's simplified interface is not used: it hides a truncated file's error.
#include "ingest/image.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/decode.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

namespace mortise::ingest {

using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

Status check_size(int64_t width, int64_t height, const ImageLimits& limits) {
  if (width > 0 && height > 0 && width <= limits.pixels_max / height) return {};
  return Error(Code::kResourceExhausted,
               "The image is " + std::to_string(width) + " x " + std::to_string(height) +
                   " pixels; at most " + std::to_string(limits.pixels_max) + " are read.",
               "Make it smaller before the upload.");
}

// --- PNG -----------------------------------------------------------------------------------------

// What libpng's callbacks share. Errors come by longjmp, so nothing here has a destructor that
// matters between setjmp and the jump.
struct PngSource {
  ByteView bytes;
  size_t at = 0;
  std::string message;
};

void png_read_bytes(png_structp png, png_bytep out, size_t size) {
  auto* source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (source->bytes.size() - source->at < size) png_error(png, "the file ends too early");
  std::memcpy(out, source->bytes.data() + source->at, size);
  source->at += size;
}

void png_fail(png_structp png, png_const_charp message) {
  static_cast<PngSource*>(png_get_error_ptr(png))->message = message;
  png_longjmp(png, 1);
}

void png_ignore(png_structp, png_const_charp) {}

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

// Reads the header and asks for 8-bit RGB, or RGBA where there is any. False after an error.
bool png_begin(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_strip_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool png_pixels(PngReader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

// Alpha onto white, as Pillow's paste on a white ground: rounded, exact at 0 and 255.
uint8_t on_white(uint32_t value, uint32_t alpha) {
  const uint32_t mixed = value * alpha + 255 * (255 - alpha) + 128;
  return static_cast<uint8_t>((mixed + (mixed >> 8)) >> 8);
}

// The image of that size with these pixels, [height, width, 4].
Image on_white(Image image, const Pixels& rgba) {
  const size_t count = rgba.size() / 4;
  image.pixels.resize(count * 3);
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      image.pixels[i * 3 + c] = on_white(rgba[i * 4 + c], rgba[i * 4 + 3]);
    }
  }
  return image;
}

Result<Image> decode_png(ByteView bytes, const ImageLimits& limits) {
  PngSource source{bytes, 0, {}};
  PngReader reader;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, png_fail, png_ignore);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) return Error(Code::kResourceExhausted, "No memory to read a PNG.");
  png_set_read_fn(reader.png, &source, png_read_bytes);
  png_set_user_limits(reader.png, 1'000'000, 1'000'000);
  const auto broken = [&] {
    return Error(Code::kDataLoss, "The PNG is damaged: " + source.message + ".",
                 "Make or copy the file again.")
        .at_byte(static_cast<int64_t>(source.at));
  };
  if (!png_begin(reader)) return broken();
  Image image;
  image.width = png_get_image_width(reader.png, reader.info);
  image.height = png_get_image_height(reader.png, reader.info);
  MORTISE_TRY(check_size(image.width, image.height, limits));
  const auto width = static_cast<size_t>(image.width), height = static_cast<size_t>(image.height);
  const size_t channels = png_get_channels(reader.png, reader.info);
  Pixels pixels(width * height * channels);
  std::vector<png_bytep> rows(height);
  for (size_t y = 0; y < height; ++y) rows[y] = pixels.data() + y * width * channels;
  if (!png_pixels(reader, rows.data())) return broken();
  if (channels == 4) return on_white(std::move(image), pixels);
  image.pixels = std::move(pixels);
  return image;
}

// --- JPEG ----------------------------------------------------------------------------------------

struct TurboFree {
  void operator()(void* handle) const { tjDestroy(handle); }
};

Result<Image> decode_jpeg(ByteView bytes, const ImageLimits& limits) {
  std::unique_ptr<void, TurboFree> turbo(tjInitDecompress());
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto broken = [&] {
    return Error(Code::kDataLoss,
                 std::string("The JPEG is damaged: ") + tjGetErrorStr2(turbo.get()) + ".",
                 "Make or copy the file again.");
  };
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(turbo.get(), data, bytes.size(), &width, &height, &subsampling,
                          &colours) != 0 ||
      width <= 0) {  // a cut header may count as read
    return broken();
  }
  MORTISE_TRY(check_size(width, height, limits));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) {
    return Error(Code::kUnimplemented, "The JPEG is in CMYK colours.", "Convert it to RGB.");
  }
  Image image{width, height, Pixels(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
  // A warning (cut data filled with grey) counts as damage: TJFLAG_STOPONWARNING. The slow integer
  // transform with plain upsampling is what Pillow gives.
  if (tjDecompress2(turbo.get(), data, bytes.size(), image.pixels.data(), width, 0, height,
                    TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0) {
    return broken();
  }
  return image;
}

// --- WebP ----------------------------------------------------------------------------------------

Result<Image> decode_webp(ByteView bytes, const ImageLimits& limits) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto broken = [] {
    return Error(Code::kDataLoss, "The WebP is damaged.", "Make or copy the file again.");
  };
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) return broken();
  if (features.has_animation != 0) {
    return Error(Code::kUnimplemented, "The WebP is animated.", "Upload its frames or a film.");
  }
  MORTISE_TRY(check_size(features.width, features.height, limits));
  const auto pixels = static_cast<size_t>(features.width) * static_cast<size_t>(features.height);
  Pixels rgba(pixels * 4);
  if (WebPDecodeRGBAInto(data, bytes.size(), rgba.data(), rgba.size(), features.width * 4) ==
      nullptr) {
    return broken();
  }
  return on_white({features.width, features.height, {}}, rgba);
}

// --- any -----------------------------------------------------------------------------------------

enum class Format { kPng, kJpeg, kWebp };

Result<Format> format_of(ByteView bytes) {
  static constexpr unsigned char kPng[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  if (bytes.size() >= 8 && std::memcmp(bytes.data(), kPng, 8) == 0) return Format::kPng;
  static constexpr unsigned char kJpeg[3] = {0xFF, 0xD8, 0xFF};
  if (bytes.size() >= 3 && std::memcmp(bytes.data(), kJpeg, 3) == 0) return Format::kJpeg;
  const std::string_view text = base::as_text(bytes.first(std::min<size_t>(bytes.size(), 12)));
  if (text.starts_with("RIFF") && text.ends_with("WEBP")) return Format::kWebp;
  return Error(Code::kInvalidArgument, "This is no PNG, JPEG or WebP image.",
               "Convert the image to PNG or JPEG.");
}

// The size that the first bytes of a file tell; none where they do not reach.
std::optional<ImageSize> size_in(Format format, ByteView head) {
  const auto* data = reinterpret_cast<const unsigned char*>(head.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (format == Format::kPng) {  // IHDR comes first: length, name, width, height
    if (head.size() < 24) return {};
    const auto number = [&](size_t at) {
      return int64_t{data[at]} << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
    };
    return ImageSize{number(16), number(20)};
  }
  if (format == Format::kWebp) {
    if (WebPGetInfo(data, head.size(), &width, &height) == 0) return {};
    return ImageSize{width, height};
  }
  const std::unique_ptr<void, TurboFree> turbo(tjInitDecompress());
  // A cut header may count as read, without a width.
  if (tjDecompressHeader3(turbo.get(), data, head.size(), &width, &height, &subsampling,
                          &colours) != 0 ||
      width <= 0) {
    return {};
  }
  return ImageSize{width, height};
}

}  // namespace

Result<Image> decode_image(ByteView bytes, const ImageLimits& limits) {
  MORTISE_ASSIGN(const Format format, format_of(bytes));
  switch (format) {
    case Format::kPng:
      return decode_png(bytes, limits);
    case Format::kJpeg:
      return decode_jpeg(bytes, limits);
    default:
      return decode_webp(bytes, limits);
  }
}

Result<ImageSize> image_size(ByteSource& source, const ImageLimits& limits) {
  std::vector<std::byte> head;
  for (uint64_t wanted = 4096;; wanted *= 16) {  // a colour profile or a thumbnail may come before
    head.resize(std::min(wanted, source.size_bytes()));
    MORTISE_ASSIGN(const size_t got, source.read_at(0, head));
    head.resize(got);
    MORTISE_ASSIGN(const Format format, format_of(head));
    if (const auto size = size_in(format, head)) {
      MORTISE_TRY(check_size(size->width, size->height, limits));
      return *size;
    }
    if (wanted >= source.size_bytes()) break;
  }
  return Error(Code::kDataLoss, "The head of the image is damaged.",
               "Make or copy the file again.");
}

}  // namespace mortise::ingest
