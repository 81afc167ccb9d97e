// A PNG for tests, written without a library.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace mortise::tests {

inline void append_u32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}
inline void append_chunk(std::string& out, const std::string& type, const std::string& data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : type + data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  append_u32(out, static_cast<uint32_t>(data.size()));
  out += type + data;
  append_u32(out, ~crc);
}

// A PNG of one colour, its bytes stored without compression.
inline std::string png_of(int side, std::array<uint8_t, 3> colour) {
  std::string raw;
  for (int y = 0; y < side; ++y) {
    raw += '\0';
    for (int x = 0; x < side; ++x) raw.append(colour.begin(), colour.end());
  }
  uint32_t a = 1, b = 0;
  for (const char c : raw) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<uint16_t>(raw.size());
  std::string data = {'\x78',
                      '\x01',
                      '\x01',
                      static_cast<char>(size),
                      static_cast<char>(size >> 8),
                      static_cast<char>(~size),
                      static_cast<char>(~size >> 8)};
  data += raw;
  append_u32(data, b << 16 | a);
  std::string header;
  append_u32(header, static_cast<uint32_t>(side));
  append_u32(header, static_cast<uint32_t>(side));
  header += std::string("\x08\x02\x00\x00\x00", 5);
  std::string out = "\x89PNG\r\n\x1a\n";
  append_chunk(out, "IHDR", header);
  append_chunk(out, "IDAT", data);
  append_chunk(out, "IEND", "");
  return out;
}

}  // namespace mortise::tests
