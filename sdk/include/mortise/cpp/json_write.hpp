// mortise/cpp/json_write.hpp: JSON text, one object built member by member.
//
// Used by formats whose rows are made and not copied. Texts must be UTF-8. Knows no layout: no
// blanks, members in the order they were added.
#ifndef MORTISE_CPP_JSON_WRITE_HPP
#define MORTISE_CPP_JSON_WRITE_HPP

#include <mortise/cpp/json.hpp>

#include <charconv>
#include <cmath>

namespace mortise::sdk {

// Appends the text in quotes, escaped where RFC 8259 asks for it.
inline void append_json_text(std::string* out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  *out += '"';
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (c == '\n') {
      *out += "\\n";
    } else if (byte < 0x20) {
      *out += "\\u00";
      *out += kHex[byte >> 4];
      *out += kHex[byte & 15];
    } else {
      *out += c;
    }
  }
  *out += '"';
}

// The shortest text that reads as the same number. Throws INVALID_ARGUMENT for infinity and NaN.
inline void append_json_number(std::string* out, double value) {
  if (!std::isfinite(value)) throw invalid_argument("A number is not finite.");
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  out->append(text, end.ptr);
}

inline void append_json(std::string* out, Json value) {
  bool is_first = true;
  const auto comma = [&] {
    if (!std::exchange(is_first, false)) *out += ',';
  };
  switch (value.type()) {
    case JsonType::kBool:
      *out += value.as_bool() ? "true" : "false";
      return;
    case JsonType::kInteger:
      *out += std::to_string(value.as_integer());
      return;
    case JsonType::kDouble:
      return append_json_number(out, value.as_double());
    case JsonType::kText:
      return append_json_text(out, value.as_text());
    case JsonType::kArray:
      *out += '[';
      value.for_each_item([&](Json item) {
        comma();
        append_json(out, item);
      });
      *out += ']';
      return;
    case JsonType::kObject:
      *out += '{';
      value.for_each_member([&](std::string_view key, Json member) {
        comma();
        append_json_text(out, key);
        *out += ':';
        append_json(out, member);
      });
      *out += '}';
      return;
    default:
      *out += "null";
  }
}

class JsonObject {
 public:
  void text(std::string_view key, std::string_view value) { append_json_text(begin(key), value); }
  void integer(std::string_view key, int64_t value) { *begin(key) += std::to_string(value); }
  void number(std::string_view key, double value) { append_json_number(begin(key), value); }
  void value(std::string_view key, Json value) { append_json(begin(key), value); }
  // json: one whole value, as it shall stand.
  void raw(std::string_view key, std::string_view json) { begin(key)->append(json); }

  // The object; the writer is then as new.
  std::string finish() {
    std::string whole = text_.empty() ? "{" : std::move(text_);
    text_.clear();
    whole += '}';
    return whole;
  }

 private:
  std::string* begin(std::string_view key) {
    text_ += text_.empty() ? '{' : ',';
    append_json_text(&text_, key);
    text_ += ':';
    return &text_;
  }
  std::string text_;
};

}  // namespace mortise::sdk

#endif
