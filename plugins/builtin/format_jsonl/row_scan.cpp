// One pass, eight bytes at a time inside texts (SWAR: Lamport 1975), no memory.
#include "row_scan.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mortise::format_jsonl {
namespace {

constexpr int kScanDepthMax = 32;
constexpr size_t kKeysMax = 32;
constexpr uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;

// The high bit of each byte that is a quote, a backslash, a control character or not ASCII; bytes
// above the lowest such one may be marked too.
uint64_t special_bytes(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"'), slash = word ^ (kOnes * '\\');
  return ((quote - kOnes) | (slash - kOnes) | (word - kOnes * 0x20) | word) & kHighs;
}

class Scan {
 public:
  explicit Scan(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool row() { return peek() == '{' && object(0) && (skip_blanks(), at_ == end_); }

 private:
  char peek() const { return at_ == end_ ? '\0' : *at_; }
  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  bool value(int depth) {
    skip_blanks();
    switch (peek()) {
      case '"':
        return text(nullptr);
      case '{':
        return depth < kScanDepthMax && object(depth + 1);
      case '[':
        return depth < kScanDepthMax && array(depth + 1);
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool object(int depth) {
    ++at_;
    skip_blanks();
    if (take('}')) return true;
    std::array<std::string_view, kKeysMax> keys;
    for (size_t count = 0; count < kKeysMax; ++count) {
      skip_blanks();
      if (peek() != '"' || !text(&keys[count])) return false;
      for (size_t i = 0; i < count; ++i) {
        if (keys[i] == keys[count]) return false;
      }
      skip_blanks();
      if (!take(':') || !value(depth)) return false;
      skip_blanks();
      if (take('}')) return true;
      if (!take(',')) return false;
    }
    return false;
  }

  bool array(int depth) {
    ++at_;
    skip_blanks();
    if (take(']')) return true;
    while (true) {
      if (!value(depth)) return false;
      skip_blanks();
      if (take(']')) return true;
      if (!take(',')) return false;
    }
  }

  // key: gets the text as it stands; a key must have no escapes.
  bool text(std::string_view* key) {
    const char* const begin = ++at_;
    while (true) {
      while (end_ - at_ >= 8) {
        uint64_t eight = 0;
        std::memcpy(&eight, at_, sizeof eight);
        const uint64_t special = special_bytes(eight);
        if (special != 0) {
          at_ += __builtin_ctzll(special) / 8;
          break;
        }
        at_ += 8;
      }
      if (at_ == end_) return false;
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"') {
        if (key != nullptr) *key = {begin, static_cast<size_t>(at_ - begin)};
        ++at_;
        return true;
      }
      if (c < 0x20 || (c == '\\' && key != nullptr)) return false;
      if (c == '\\' ? !escape() : !character()) return false;
    }
  }

  bool escape() {
    if (end_ - at_ < 2) return false;
    const char c = at_[1];
    at_ += 2;
    if (c != 'u') return c != '\0' && std::strchr("\"\\/bfnrt", c) != nullptr;
    if (end_ - at_ < 4) return false;
    uint32_t unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char digit = *at_;
      const bool is_letter = (digit >= 'a' && digit <= 'f') || (digit >= 'A' && digit <= 'F');
      if (!is_letter && (digit < '0' || digit > '9')) return false;
      unit = unit << 4 | static_cast<uint32_t>(is_letter ? (digit & 7) + 9 : digit - '0');
    }
    return unit < 0xD800 || unit > 0xDFFF;
  }

  // One character of UTF-8 (Unicode, table 3-7).
  bool character() {
    const auto byte = [this](std::ptrdiff_t i) {
      return i < end_ - at_ ? static_cast<unsigned char>(at_[i]) : uint8_t{0};
    };
    const auto follows = [&](std::ptrdiff_t i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned first = byte(0), second = byte(1);
    std::ptrdiff_t size = 0;
    if (first < 0x80) {
      size = 1;
    } else if (first < 0xC2) {
      return false;
    } else if (first < 0xE0) {
      size = follows(1) ? 2 : 0;
    } else if (first < 0xF0) {
      const bool is_fit = (first != 0xE0 || second >= 0xA0) && (first != 0xED || second < 0xA0);
      size = is_fit && follows(1) && follows(2) ? 3 : 0;
    } else if (first < 0xF5) {
      const bool is_fit = (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second < 0x90);
      size = is_fit && follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    at_ += size;
    return size > 0;
  }

  bool number() {
    take('-');
    const char* const begin = at_;
    const auto digits = [this] {
      const char* const first = at_;
      while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
      return at_ != first;
    };
    const bool is_zero = peek() == '0';
    if (!digits() || (is_zero && at_ - begin > 1)) return false;
    if (take('.') && !digits()) return false;
    return at_ - begin <= 15 && peek() != 'e' && peek() != 'E';
  }

  bool word(std::string_view wanted) {
    if (static_cast<size_t>(end_ - at_) < wanted.size()) return false;
    if (std::memcmp(at_, wanted.data(), wanted.size()) != 0) return false;
    at_ += wanted.size();
    return true;
  }

  const char* at_;
  const char* end_;
};

}  // namespace

bool is_surely_row(std::string_view line) {
  return Scan(line).row();
}

}  // namespace mortise::format_jsonl
