// See pixels.h.
#include "pixels.h"

#include <mortise/cpp/png_write.hpp>
#include <mortise/cpp/status.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace mortise::format_dicom {
namespace {

// What the file says of its pixels, checked.
struct Shape {
  int64_t width, height, frames;
  int samples, bits_allocated, bits_stored, high_bit;
  bool is_signed, is_planar, is_inverted;

  int64_t values() const { return width * height * samples; }
};

Shape shape_of(const DicomFile& file, const PictureOptions& options) {
  Shape shape{};
  shape.width = file.number(Tags::kColumns);
  shape.height = file.number(Tags::kRows);
  shape.frames =
      static_cast<int64_t>(std::clamp(file.decimal(Tags::kFrames).value_or(1), 0.0, 1e9));
  shape.samples = file.number(Tags::kSamples, 1);
  shape.bits_allocated = file.number(Tags::kBitsAllocated);
  shape.bits_stored = file.number(Tags::kBitsStored, static_cast<uint16_t>(shape.bits_allocated));
  shape.high_bit = file.number(Tags::kHighBit, static_cast<uint16_t>(shape.bits_stored - 1));
  shape.is_signed = file.number(Tags::kIsSigned, 0) != 0;
  shape.is_planar = file.number(Tags::kPlanar, 0) != 0;
  const std::string photometric(file.text(Tags::kPhotometric));
  shape.is_inverted = photometric == "MONOCHROME1";
  const bool is_grey = shape.is_inverted || photometric == "MONOCHROME2";
  if (!is_grey && photometric != "RGB") {
    throw sdk::unimplemented("The photometric interpretation \"" + photometric.substr(0, 16) +
                             "\" is not read.")
        .with_hint("Convert the picture to RGB or MONOCHROME2.");
  }
  if ((shape.bits_allocated != 8 && shape.bits_allocated != 16) ||
      (!is_grey && shape.bits_allocated != 8) || shape.samples != (is_grey ? 1 : 3)) {
    throw sdk::unimplemented("Pixels of " + std::to_string(shape.samples) + " samples of " +
                             std::to_string(shape.bits_allocated) + " bits are not read.");
  }
  if (shape.bits_stored < 1 || shape.bits_stored > shape.bits_allocated ||
      shape.high_bit != shape.bits_stored - 1) {
    throw sdk::unimplemented("Bits stored " + std::to_string(shape.bits_stored) + ", high bit " +
                             std::to_string(shape.high_bit) + " are not read.");
  }
  if (shape.width < 1 || shape.height < 1 || shape.width > options.pixels_max / shape.height) {
    throw sdk::resource_exhausted("The picture is " + std::to_string(shape.width) + " x " +
                                  std::to_string(shape.height) + " pixels; at most " +
                                  std::to_string(options.pixels_max) + " are read.");
  }
  if (shape.frames < 1 || shape.frames > options.frames_max) {
    throw sdk::resource_exhausted("The file has " + std::to_string(shape.frames) +
                                  " frames; at most " + std::to_string(options.frames_max) +
                                  " are read.")
        .with_hint("Raise frames_max.");
  }
  return shape;
}

// Stored value i of a frame, sign extended.
int32_t value_at(std::string_view frame, int64_t i, const Shape& shape) {
  const auto byte = [&](int64_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(frame[static_cast<size_t>(at)]));
  };
  uint32_t value = shape.bits_allocated == 8 ? byte(i) : byte(2 * i) | byte(2 * i + 1) << 8;
  const uint32_t mask = (uint32_t{1} << shape.bits_stored) - 1;
  value &= mask;
  const bool is_negative = shape.is_signed && (value >> (shape.bits_stored - 1) & 1) != 0;
  return static_cast<int32_t>(is_negative ? value | ~mask : value);
}

// From a rescaled value to 0 .. 1.
class Look {
 public:
  Look(const DicomFile& file, const Shape& shape, const PictureOptions& options,
       std::string_view frame)
      : slope_(file.decimal(Tags::kSlope).value_or(1)),
        intercept_(file.decimal(Tags::kIntercept).value_or(0)),
        function_(file.text(Tags::kVoiFunction)) {
    if (file.has(Tags::kModalityLut)) {
      throw sdk::unimplemented("The file has a modality lookup table, which is not read.");
    }
    const auto center = file.decimal(Tags::kWindowCenter), width = file.decimal(Tags::kWindowWidth);
    if (options.window) {
      window_ = *options.window;
    } else if (!options.is_full_range && center && width && *width >= 1) {
      window_ = {*center, *width};
    } else {
      take_range(frame, shape);
    }
  }

  double operator()(int32_t stored) const {
    const double x = slope_ * stored + intercept_, c = window_.center, w = window_.width;
    if (is_range_ || function_ == "LINEAR_EXACT") return w <= 0 ? 0 : (x - c) / w + 0.5;
    if (function_ == "SIGMOID") return 1 / (1 + std::exp(-4 * (x - c) / w));
    if (w <= 1) return x <= c - 0.5 ? 0 : 1;
    return (x - (c - 0.5)) / (w - 1) + 0.5;  // PS3.3 C.11.2.1.2.1
  }

 private:
  void take_range(std::string_view frame, const Shape& shape) {
    double least = std::numeric_limits<double>::max(), greatest = -least;
    for (int64_t i = 0; i < shape.values(); ++i) {
      const double x = slope_ * value_at(frame, i, shape) + intercept_;
      least = std::min(least, x);
      greatest = std::max(greatest, x);
    }
    window_ = {(least + greatest) / 2, greatest - least};
    is_range_ = true;
  }

  double slope_, intercept_;
  std::string_view function_;
  Window window_;
  bool is_range_ = false;
};

std::string grey_of(const DicomFile& file, const Shape& shape, const PictureOptions& options,
                    std::string_view frame) {
  const Look look(file, shape, options, frame);
  std::string pixels(static_cast<size_t>(shape.values()), '\0');
  for (int64_t i = 0; i < shape.values(); ++i) {
    double level = std::clamp(look(value_at(frame, i, shape)), 0.0, 1.0);
    if (!(level >= 0)) level = 0;  // NaN: a slope of the file that is no number
    const double shown = shape.is_inverted ? 1 - level : level;
    pixels[static_cast<size_t>(i)] = static_cast<char>(std::lround(shown * 255));
  }
  return pixels;
}

std::string rgb_of(const Shape& shape, std::string_view frame) {
  if (!shape.is_planar) return std::string(frame);
  const auto plane = static_cast<size_t>(shape.width * shape.height);
  std::string pixels(3 * plane, '\0');
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) pixels[3 * i + c] = frame[c * plane + i];
  }
  return pixels;
}

}  // namespace

std::vector<std::string> pictures_of(const DicomFile& file, const PictureOptions& options) {
  const Shape shape = shape_of(file, options);
  const std::string_view data = file.bytes(Tags::kPixelData);
  const auto frame_bytes = static_cast<uint64_t>(shape.values() * (shape.bits_allocated / 8));
  if (data.size() < frame_bytes * static_cast<uint64_t>(shape.frames)) {
    throw sdk::data_loss("The picture needs " +
                         std::to_string(frame_bytes * static_cast<uint64_t>(shape.frames)) +
                         " bytes, the file holds " + std::to_string(data.size()) + ".");
  }
  std::vector<std::string> pictures;
  for (int64_t i = 0; i < shape.frames; ++i) {
    const std::string_view frame = data.substr(static_cast<uint64_t>(i) * frame_bytes, frame_bytes);
    const std::string pixels =
        shape.samples == 3 ? rgb_of(shape, frame) : grey_of(file, shape, options, frame);
    pictures.push_back(sdk::encode_png(pixels, static_cast<uint32_t>(shape.width),
                                       static_cast<uint32_t>(shape.height), shape.samples));
  }
  return pictures;
}

}  // namespace mortise::format_dicom
