// mortise/cpp/json_scan.hpp: the texts and numbers of JSON, and the limits of a parse.
//
// The lower half of json_parse.hpp, which is its only caller. Unescapes texts in place.
#ifndef MORTISE_CPP_JSON_SCAN_HPP
#define MORTISE_CPP_JSON_SCAN_HPP

#include <mortise/cpp/json.hpp>
#include <mortise/cpp/utf8.hpp>

#include <charconv>

namespace mortise::sdk {

struct JsonLimits {
  uint64_t size_bytes = uint64_t{64} << 20;
  uint32_t depth = 64;
  uint32_t values = 32u << 20;
};

namespace detail {

class JsonScanner {
 protected:
  JsonScanner(JsonTree* tree, const JsonLimits& limits, std::string_view file)
      : tree_(tree), limits_(limits), file_(file) {}

  static constexpr const char* kControl =
      "Write \\n for a new line, \\t for a tab, else \\u00 and two digits.";
  static constexpr const char* kPair =
      "Write the character itself, or both halves: \\ud83d\\ude00.";
  static constexpr const char* kNumber = "Write a number as 12, -0.5 or 1e-3.";
  static constexpr const char* kOutside =
      "Keys and texts stand in double quotes; outside of them are numbers, true, false, null, "
      "lists and objects, without a comma at their end.";
  static constexpr const char* kQuote = "End it with a double quote; inside a text write \\\".";
  static constexpr const char* kUnicode =
      "Write the character itself, or \\u with its four digits.";

  // The byte is told apart from the words: who reads a part of a file adds where the part begins.
  [[noreturn]] void fail(std::string_view words, std::string_view hint = kOutside,
                         std::string_view field = {}) const {
    throw invalid_argument("Bad JSON: " + std::string(words) + ".")
        .at(file_, -1, static_cast<int64_t>(at_), field)
        .with_hint(std::string(hint));
  }
  char peek() const { return at_ < tree_->characters.size() ? tree_->characters[at_] : '\0'; }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++at_;
  }
  uint32_t add(JsonType type) {
    if (tree_->nodes.size() >= limits_.values) {
      throw resource_exhausted("The JSON text has more than " + std::to_string(limits_.values) +
                               " values.");
    }
    JsonNode node;
    node.type = type;
    node.end = static_cast<uint32_t>(tree_->nodes.size()) + 1;
    tree_->nodes.push_back(node);
    return node.end - 1;
  }

  // Unescapes in place: the result is never longer than the source.
  void string() {
    std::string& text = tree_->characters;
    const uint32_t node = add(JsonType::kText);
    const size_t begin = ++at_;
    size_t out = begin;
    while (peek() != '"') {
      if (at_ >= text.size()) fail("the text does not end", kQuote);
      if (static_cast<uint8_t>(text[at_]) < 0x20)
        fail("a control character must be escaped", kControl);
      if (text[at_] == '\\') {
        const std::string unescaped = escape();
        text.replace(out, unescaped.size(), unescaped);
        out += unescaped.size();
      } else {
        text[out++] = text[at_++];
      }
    }
    ++at_;
    tree_->nodes[node].offset = begin;
    tree_->nodes[node].size = static_cast<uint32_t>(out - begin);
  }
  std::string escape() {
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    ++at_;
    if (at_ >= tree_->characters.size()) fail("the text does not end", kQuote);
    const char kind = peek();
    ++at_;
    if (kind != 'u') {
      const size_t index = kind == '\0' ? std::string_view::npos : kFrom.find(kind);
      if (index == std::string_view::npos)
        fail("the escape is unknown", "Write a backslash as \\\\.");
      return std::string(1, kTo[index]);
    }
    uint32_t code = hex4();
    if (code >= 0xDC00 && code < 0xE000) fail("a low surrogate stands alone", kPair);
    if (code >= 0xD800 && code < 0xDC00) {
      const bool is_pair = std::string_view(tree_->characters).substr(at_, 2) == "\\u";
      at_ += is_pair ? 2 : 0;
      const uint32_t low = is_pair ? hex4() : 0;
      if (low < 0xDC00 || low >= 0xE000) fail("a high surrogate stands alone", kPair);
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    std::string out;
    append_utf8(&out, code);
    return out;
  }
  uint32_t hex4() {
    uint32_t value = 0;
    if (at_ + 4 > tree_->characters.size()) fail("\\u needs four hex digits", kUnicode);
    const char* begin = tree_->characters.data() + at_;
    const auto read = std::from_chars(begin, begin + 4, value, 16);
    if (read.ptr != begin + 4) fail("\\u needs four hex digits", kUnicode);
    at_ += 4;
    return value;
  }

  void number() {
    const std::string& text = tree_->characters;
    const size_t begin = at_;
    const auto digits = [this] {
      const size_t first = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      return at_ - first;
    };
    if (peek() == '-') ++at_;
    const size_t whole = at_;
    const size_t whole_count = digits();
    if (whole_count == 0) fail("expected a value");
    if (whole_count > 1 && text[whole] == '0') fail("a number begins with 0", kNumber);
    bool is_integer = true;
    if (peek() == '.') {
      is_integer = false;
      ++at_;
      if (digits() == 0) fail("a digit must follow the point", kNumber);
    }
    if (peek() == 'e' || peek() == 'E') {
      is_integer = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (digits() == 0) fail("a digit must follow the e", kNumber);
    }
    const uint32_t node = add(JsonType::kInteger);
    const char* first = text.data() + begin;
    const char* last = text.data() + at_;
    if (is_integer && std::from_chars(first, last, tree_->nodes[node].integer).ec == std::errc()) {
      return;
    }
    double real = 0;
    if (std::from_chars(first, last, real).ec != std::errc())
      fail("the number is out of range", "Write it as a text.");
    tree_->nodes[node].type = JsonType::kDouble;
    tree_->nodes[node].real = real;
  }

  JsonTree* tree_;
  const JsonLimits& limits_;
  std::string_view file_;
  size_t at_ = 0;
};

}  // namespace detail
}  // namespace mortise::sdk

#endif
