// See md5.h. The constants are floor(2^32 * |sin(i + 1)|), as the RFC defines them.
#include "md5.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace mortise::format_parquet {
namespace {

using State = std::array<uint32_t, 4>;

const std::array<uint32_t, 64>& sines() {
  static const std::array<uint32_t, 64> table = [] {
    std::array<uint32_t, 64> made{};
    for (size_t i = 0; i < 64; ++i) {
      made[i] = static_cast<uint32_t>(std::fabs(std::sin(static_cast<double>(i + 1))) * 0x1p32);
    }
    return made;
  }();
  return table;
}

void add_block(const char* block, State* state) {
  constexpr uint32_t kTurns[4][4] = {
      {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t words[16] = {};
  for (size_t i = 0; i < 64; ++i) {
    words[i / 4] |= static_cast<uint32_t>(static_cast<uint8_t>(block[i])) << (8 * (i % 4));
  }
  auto [a, b, c, d] = *state;
  for (uint32_t i = 0; i < 64; ++i) {
    const uint32_t round = i / 16;
    const uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                           : round == 1 ? (d & b) | (~d & c)
                           : round == 2 ? b ^ c ^ d
                                        : c ^ (b | ~d);
    constexpr uint32_t kStep[4] = {1, 5, 3, 7}, kFirst[4] = {0, 1, 5, 0};
    const uint32_t sum = a + mixed + sines()[i] + words[(kStep[round] * i + kFirst[round]) % 16];
    const uint32_t turn = kTurns[round][i % 4];
    a = d;
    d = c;
    c = b;
    b += sum << turn | sum >> (32 - turn);
  }
  *state = {(*state)[0] + a, (*state)[1] + b, (*state)[2] + c, (*state)[3] + d};
}

}  // namespace

std::string md5_hex(std::string_view bytes) {
  State state = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
  std::string rest(bytes.substr(bytes.size() / 64 * 64));
  for (size_t at = 0; at + 64 <= bytes.size(); at += 64) add_block(bytes.data() + at, &state);
  rest += '\x80';
  while (rest.size() % 64 != 56) rest += '\0';
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  for (int i = 0; i < 8; ++i) rest += static_cast<char>(bits >> (8 * i));
  for (size_t at = 0; at < rest.size(); at += 64) add_block(rest.data() + at, &state);
  std::string hex;
  for (const uint32_t word : state) {
    for (int i = 0; i < 4; ++i) {
      constexpr char kDigits[] = "0123456789abcdef";
      const uint32_t byte = word >> (8 * i) & 255;
      hex += kDigits[byte >> 4];
      hex += kDigits[byte & 15];
    }
  }
  return hex;
}

}  // namespace mortise::format_parquet
