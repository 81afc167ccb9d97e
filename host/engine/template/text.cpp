// Python's text functions over UTF-8. Case folding covers Latin, Greek and Cyrillic letters.
#include "engine/template/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace mortise::engine::jinja {

std::u32string to_code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) out.push_back(base::utf8_next(text, at));
  return out;
}

std::string to_utf8(std::u32string_view code_points) {
  std::string out;
  for (const char32_t c : code_points) base::utf8_append(out, c);
  return out;
}

size_t length_of(std::string_view text) {
  return base::utf8_length(text);
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || is_space(c)) return false;
  const bool punctuation = (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x3004) ||
                           (c >= 0x3007 && c <= 0x3030) || (c >= 0xFF00 && c <= 0xFF20) ||
                           (c >= 0xE000 && c <= 0xF8FF) || (c >= 0x1F000 && c <= 0x1FAFF);
  return !punctuation;
}

namespace {

// Blocks whose letters come in pairs: even code point upper case, the next one lower.
bool in_paired_block(char32_t c) {
  return (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
         (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1E95) ||
         (c >= 0x1EA0 && c <= 0x1EFF);
}
bool in_odd_paired_block(char32_t c) {
  return (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
}

}  // namespace

char32_t upper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0xB5) return 0x39C;
  if (c >= 0xE0 && c <= 0xFE && c != 0xF7) return c - 32;
  if (c == 0xFF) return 0x178;
  if (c == 0x131) return 'I';
  if (in_paired_block(c)) return c & ~char32_t{1};
  if (in_odd_paired_block(c)) return c % 2 == 0 ? c - 1 : c;
  if (c == 0x3C2) return 0x3A3;
  if (c >= 0x3B1 && c <= 0x3CB) return c - 32;
  if (c >= 0x430 && c <= 0x44F) return c - 32;
  if (c >= 0x450 && c <= 0x45F) return c - 80;
  if (c >= 0xFF41 && c <= 0xFF5A) return c - 32;
  return c;
}

char32_t lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c == 0x178) return 0xFF;
  if (c == 0x130) return 'i';
  if (in_paired_block(c)) return c | char32_t{1};
  if (in_odd_paired_block(c)) return c % 2 == 1 ? c + 1 : c;
  if (c >= 0x391 && c <= 0x3AB) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0xFF21 && c <= 0xFF3A) return c + 32;
  return c;
}

std::string strip(std::string_view text, std::string_view chars, int sides) {
  const std::u32string points = to_code_points(text);
  const std::u32string set = to_code_points(chars);
  const auto goes = [&](char32_t c) {
    return set.empty() ? is_space(c) : set.find(c) != std::u32string::npos;
  };
  size_t begin = 0, end = points.size();
  while ((sides & 1) != 0 && begin < end && goes(points[begin])) ++begin;
  while ((sides & 2) != 0 && end > begin && goes(points[end - 1])) --end;
  return to_utf8(std::u32string_view(points).substr(begin, end - begin));
}

std::string upper_text(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = base::utf8_next(text, at);
    if (c == 0xDF) {
      out += "SS";
    } else {
      base::utf8_append(out, upper(c));
    }
  }
  return out;
}

std::string lower_text(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) base::utf8_append(out, lower(base::utf8_next(text, at)));
  return out;
}

std::string capitalized(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool first = at == 0;
    const char32_t c = base::utf8_next(text, at);
    base::utf8_append(out, first ? upper(c) : lower(c));
  }
  return out;
}

std::string titled(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = base::utf8_next(text, at);
    base::utf8_append(out, inside ? lower(c) : upper(c));
    inside = is_letter(c);
  }
  return out;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     int64_t count) {
  std::string out;
  size_t at = 0;
  if (from.empty()) {  // between all code points, as Python does
    for (; at < text.size() && count != 0; --count) {
      out += to;
      const size_t begin = at;
      base::utf8_next(text, at);
      out += text.substr(begin, at - begin);
    }
    if (count != 0) out += to;
    return out += text.substr(at);
  }
  while (count != 0) {
    const size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += to;
    at = found + from.size();
    --count;
  }
  return out += text.substr(at);
}

namespace {

std::vector<std::string> split_at_space(std::string_view text, int64_t count) {
  const std::u32string points = to_code_points(text);
  std::vector<std::string> out;
  size_t at = 0;
  while (true) {
    while (at < points.size() && is_space(points[at])) ++at;
    if (at == points.size()) return out;
    if (count == 0) {
      out.push_back(to_utf8(std::u32string_view(points).substr(at)));
      return out;
    }
    const size_t begin = at;
    while (at < points.size() && !is_space(points[at])) ++at;
    out.push_back(to_utf8(std::u32string_view(points).substr(begin, at - begin)));
    --count;
  }
}

}  // namespace

std::vector<std::string> split(std::string_view text, std::string_view separator, int64_t count) {
  if (separator.empty()) return split_at_space(text, count);
  std::vector<std::string> out;
  size_t at = 0;
  for (; count != 0; --count) {
    const size_t found = text.find(separator, at);
    if (found == std::string_view::npos) break;
    out.emplace_back(text.substr(at, found - at));
    at = found + separator.size();
  }
  out.emplace_back(text.substr(at));
  return out;
}

std::vector<std::string> split_right(std::string_view text, std::string_view separator,
                                     int64_t count) {
  std::vector<std::string> out;
  for (; count != 0; --count) {
    const size_t found = text.rfind(separator);
    if (found == std::string_view::npos) break;
    out.emplace_back(text.substr(found + separator.size()));
    text = text.substr(0, found);
  }
  out.emplace_back(text);
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  const auto ends = [](char32_t c) {
    return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
  };
  std::vector<std::string> out;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = base::utf8_next(text, at);
    if (!ends(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    out.emplace_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) out.emplace_back(text.substr(begin));
  return out;
}

std::string python_quote(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  constexpr char kHex[] = "0123456789abcdef";
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    const char32_t c = base::utf8_next(text, at);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7F || (c >= 0x80 && c <= 0xA0) || c == 0xAD) {
      out += "\\x";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else if (is_space(c) && c != ' ') {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(c >> shift) & 15];
    } else {
      base::utf8_append(out, c);
    }
  }
  return out += quote;
}

}  // namespace mortise::engine::jinja
