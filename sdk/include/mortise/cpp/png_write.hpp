// mortise/cpp/png_write.hpp: pixels as a PNG without compression (ISO/IEC 15948, stored blocks of
// RFC 1951), for formats whose files hold pictures as plain arrays. Needs no library; what the host
// stores is compressed there.
#ifndef MORTISE_CPP_PNG_WRITE_HPP
#define MORTISE_CPP_PNG_WRITE_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mortise::sdk {
namespace detail {

inline void put_big_endian(std::string* out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *out += static_cast<char>(value >> shift & 0xFF);
}

inline uint32_t crc32_of(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xEDB88320u ^ c >> 1 : c >> 1;
      made[i] = c;
    }
    return made;
  }();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ crc >> 8;
  return crc ^ 0xFFFFFFFFu;
}

inline uint32_t adler32_of(std::string_view bytes) {
  uint32_t a = 1, b = 0;
  for (size_t begin = 0; begin < bytes.size(); begin += 4096) {
    for (const char byte : bytes.substr(begin, 4096)) {
      a += static_cast<uint8_t>(byte);
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b << 16 | a;
}

inline void put_png_chunk(std::string* out, std::string_view type, std::string_view data) {
  put_big_endian(out, static_cast<uint32_t>(data.size()));
  const size_t begin = out->size();
  *out += type;
  *out += data;
  put_big_endian(out, crc32_of(std::string_view(*out).substr(begin)));
}

}  // namespace detail

// pixels: [height, width, channels], 8 bits; channels 1 (grey) or 3 (RGB). At most 1 GiB.
inline std::string encode_png(std::string_view pixels, uint32_t width, uint32_t height,
                              int channels) {
  constexpr size_t kStoredMax = 65535;
  const size_t line = static_cast<size_t>(width) * static_cast<size_t>(channels);
  std::string raw;
  raw.reserve((line + 1) * height);
  for (size_t y = 0; y < height; ++y) {
    raw += '\0';  // no filter
    raw += pixels.substr(y * line, line);
  }
  std::string packed = "\x78\x01";
  for (size_t begin = 0; begin < raw.size(); begin += kStoredMax) {
    const std::string_view block = std::string_view(raw).substr(begin, kStoredMax);
    const auto size = static_cast<uint16_t>(block.size());
    const auto inverse = static_cast<uint16_t>(~size);
    packed += begin + block.size() == raw.size() ? '\x01' : '\0';
    for (const uint16_t number : {size, inverse}) {
      packed += static_cast<char>(number & 0xFF);
      packed += static_cast<char>(number >> 8);
    }
    packed += block;
  }
  detail::put_big_endian(&packed, detail::adler32_of(raw));
  std::string head;
  detail::put_big_endian(&head, width);
  detail::put_big_endian(&head, height);
  head += '\x08';
  head += channels == 1 ? '\0' : '\x02';
  head += std::string(3, '\0');
  std::string png("\x89PNG\r\n\x1A\n", 8);
  detail::put_png_chunk(&png, "IHDR", head);
  detail::put_png_chunk(&png, "IDAT", packed);
  detail::put_png_chunk(&png, "IEND", {});
  return png;
}

}  // namespace mortise::sdk

#endif
