// See rows.h. Stored (uncompressed) deflate blocks, so that no encoder is needed.
#include "tests/unit/ingest/rows.h"

#include <array>

namespace mortise::ingest {
namespace {

uint32_t crc32_of(const std::string& text) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFF);
  return out;
}

std::string chunk(const std::string& kind, const std::string& data) {
  return big_endian(static_cast<uint32_t>(data.size())) + kind + data +
         big_endian(crc32_of(kind + data));
}

std::string zlib_stored(const std::string& data) {
  const auto size = static_cast<uint32_t>(data.size());
  std::string out("\x78\x01\x01", 3);
  for (const uint32_t part : {size, ~size}) {
    out += static_cast<char>(part & 0xFF);
    out += static_cast<char>((part >> 8) & 0xFF);
  }
  uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return out + data + big_endian((b << 16) | a);
}

std::string png_of(int size, const std::string& raw) {
  std::string header = big_endian(static_cast<uint32_t>(size));
  header += header;
  header += std::string("\x08\x00\x00\x00\x00", 5);
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", zlib_stored(raw)) +
         chunk("IEND", "");
}

}  // namespace

std::string grey_png(int size, int value) {
  std::string raw;
  for (int y = 0; y < size; ++y) {
    raw += '\0';
    raw.append(static_cast<size_t>(size), static_cast<char>(value));
  }
  return png_of(size, raw);
}

std::string sloping_png(int size, int value) {
  std::string raw;
  for (int y = 0; y < size; ++y) {
    raw += '\0';
    for (int x = 0; x < size; ++x) raw += static_cast<char>(value + (size - 1 - x) * 200 / size);
  }
  return png_of(size, raw);
}

}  // namespace mortise::ingest
