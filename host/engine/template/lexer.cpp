// The lexer: text outside of tags, then names, numbers, strings and operators inside.
#include "engine/template/lexer.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {
namespace {

// "\r\n" and "\r" become "\n"; the last newline goes.
std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_name(char c) {
  return is_name_start(c) || (c >= '0' && c <= '9');
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalized(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_outside();
    push(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  Place place_of(size_t at) const {
    const std::string_view before = std::string_view(source_).substr(0, at);
    const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return {.line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
            .column = static_cast<int>(base::utf8_length(before.substr(line_begin))) + 1};
  }

  void push(Token::Kind kind, std::string text) {
    while (counted_ < at_) {  // places are found in one sweep
      if (source_[counted_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else if ((static_cast<unsigned char>(source_[counted_]) & 0xC0) != 0x80) {
        ++place_.column;
      }
      ++counted_;
    }
    tokens_.push_back({kind, std::move(text), place_});
  }

  bool starts(std::string_view what) const { return source_.compare(at_, what.size(), what) == 0; }

  // Text up to the next tag, then the tag.
  void read_outside() {
    size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        return push_text(source_.substr(at_), source_.size());
      }
      const char next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    const char sort = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    std::string text = source_.substr(at_, tag - at_);
    if (sign == '-') {
      text = strip(text, "", 2);
    } else if (sign != '+' && sort != '{') {
      strip_indent(text);
    }
    push_text(std::move(text), tag);
    at_ += 2 + (sign == '-' || sign == '+' ? 1u : 0u);
    if (sort == '#') return skip_comment(tag);
    if (sort == '%' && read_raw()) return;
    read_tag(tag, sort == '{');
  }

  void push_text(std::string text, size_t end) {
    if (!text.empty()) push(Token::Kind::kText, std::move(text));
    at_ = end;
  }

  // lstrip_blocks: white space between the start of the line and a block tag goes.
  void strip_indent(std::string& text) const {
    const size_t line = text.rfind('\n') + 1;
    if (line == 0 && !line_starting_) return;
    if (strip(std::string_view(text).substr(line), "", 3).empty()) text.resize(line);
  }

  // After "-}}", "-%}" or "-#}": all white space; after "%}" and "#}": one newline.
  void finish_tag(bool strip_all, bool may_trim) {
    const size_t begin = at_;
    if (strip_all) {
      while (at_ < source_.size()) {
        size_t next = at_;
        if (!is_space(base::utf8_next(source_, next))) break;
        at_ = next;
      }
    } else if (may_trim && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  void skip_comment(size_t tag) {
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos)
      fail_at(place_of(tag), "This comment is never closed with \"#}\".");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    at_ = end + 2;
    finish_tag(sign == '-', sign != '+');
  }

  // {% raw %} ... {% endraw %} as text; false when the tag is another one.
  bool read_raw() {
    size_t at = at_;
    const auto spaces = [&] {
      while (at < source_.size() && is_space(static_cast<unsigned char>(source_[at]))) ++at;
    };
    const auto word = [&](std::string_view what) {
      if (source_.compare(at, what.size(), what) != 0) return false;
      at += what.size();
      return true;
    };
    spaces();
    if (!word("raw")) return false;
    spaces();
    const bool strip_after = word("-");
    if (!word("%}")) return false;
    const size_t tag = at_;
    at_ = at;
    finish_tag(strip_after, true);
    for (size_t end = source_.find("{%", at_); end != std::string::npos;
         end = source_.find("{%", end + 1)) {
      at = end + 2;
      const bool strip_before = word("-");
      if (!strip_before) word("+");
      spaces();
      if (!word("endraw")) continue;
      spaces();
      const bool strip_end = word("-");
      if (!word("%}")) continue;
      std::string text = source_.substr(at_, end - at_);
      if (strip_before) {
        text = strip(text, "", 2);
      } else {
        strip_indent(text);
      }
      push_text(std::move(text), at);
      finish_tag(strip_end, true);
      return true;
    }
    fail_at(place_of(tag), "{% raw %} is never closed with {% endraw %}.");
  }

  void read_tag(size_t tag, bool output) {
    push(output ? Token::Kind::kOutputBegin : Token::Kind::kBlockBegin, "");
    const std::string_view close = output ? "}}" : "%}";
    std::string open;  // brackets that are open: "}}" may close two dicts
    while (true) {
      while (at_ < source_.size() && is_space(static_cast<unsigned char>(source_[at_]))) ++at_;
      if (at_ >= source_.size()) {
        fail_at(place_of(tag), "This tag is never closed with \"" + std::string(close) + "\".");
      }
      const bool minus = source_[at_] == '-', plus = source_[at_] == '+';
      if (open.empty() && (starts(close) || ((minus || (plus && !output)) &&
                                             source_.compare(at_ + 1, 2, close) == 0))) {
        push(output ? Token::Kind::kOutputEnd : Token::Kind::kBlockEnd, "");
        at_ += minus || plus ? 3u : 2u;
        return finish_tag(minus, !output && !plus);
      }
      read_token(open);
    }
  }

  void read_token(std::string& open) {
    const char c = source_[at_];
    if (is_name_start(c)) return read_name();
    if (c >= '0' && c <= '9') return read_number();
    if (c == '\'' || c == '"') return read_string();
    constexpr std::array<std::string_view, 6> kTwo = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view two : kTwo) {
      if (!starts(two)) continue;
      push(Token::Kind::kOperator, std::string(two));
      at_ += 2;
      return;
    }
    if (std::string_view("+-*/%~()[]{}<>=.:|,;").find(c) == std::string_view::npos) {
      fail_at(place_of(at_), "The character \"" + base::escape_control(std::string_view(&c, 1)) +
                                 "\" has no meaning inside a tag.");
    }
    if (c == '(' || c == '[' || c == '{') open += c;
    if (c == ')' || c == ']' || c == '}') {
      const char partner = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (open.empty() || open.back() != partner) {
        fail_at(place_of(at_), std::string("\"") + c + "\" closes nothing that is open.");
      }
      open.pop_back();
    }
    push(Token::Kind::kOperator, std::string(1, c));
    ++at_;
  }

  void read_name() {
    const size_t begin = at_;
    size_t end = at_;
    while (end < source_.size() && is_name(source_[end])) ++end;
    push(Token::Kind::kName, source_.substr(begin, end - begin));
    at_ = end;
  }

  void read_number() {
    const size_t begin = at_;
    size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() &&
             ((source_[end] >= '0' && source_[end] <= '9') ||
              (source_[end] == '_' && end + 1 < source_.size() && is_name(source_[end + 1])))) {
        ++end;
      }
    };
    const auto digit_at = [&](size_t at) {
      return at < source_.size() && source_[at] >= '0' && source_[at] <= '9';
    };
    digits();
    bool is_float = false;
    if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
      is_float = true;
      ++end;
      digits();
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t sign =
          end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-') ? 1 : 0;
      if (digit_at(end + 1 + sign)) {
        is_float = true;
        end += 1 + sign;
        digits();
      }
    }
    std::string text = source_.substr(begin, end - begin);
    std::erase(text, '_');
    push(is_float ? Token::Kind::kFloat : Token::Kind::kInteger, std::move(text));
    at_ = end;
  }

  void read_string() {
    const size_t begin = at_;
    const char quote = source_[begin];
    size_t end = begin + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_at(place_of(begin), "This string is never closed.");
    push(Token::Kind::kString,
         unescaped(std::string_view(source_).substr(begin + 1, end - begin - 1), begin + 1));
    at_ = end + 1;
  }

  // Python's "unicode-escape".
  std::string unescaped(std::string_view text, size_t place) const {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      constexpr std::string_view kFrom = "nrtabfv\\'\"", kTo = "\n\r\t\a\b\f\v\\'\"";
      const size_t simple = kFrom.find(c);
      if (simple != std::string_view::npos) {
        out += kTo[simple];
      } else if (c == 'x' || c == 'u' || c == 'U') {
        append_hex(out, text, i, place, c == 'x' ? 2 : c == 'u' ? 4 : 8);
      } else if (c >= '0' && c <= '7') {
        char32_t value = 0;
        size_t n = 0;
        for (; n < 3 && i + n < text.size() && text[i + n] >= '0' && text[i + n] <= '7'; ++n) {
          value = value * 8 + static_cast<char32_t>(text[i + n] - '0');
        }
        i += n - 1;
        base::utf8_append(out, value);
      } else if (c != '\n') {  // a newline after a backslash continues the line
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  void append_hex(std::string& out, std::string_view text, size_t& i, size_t place,
                  size_t digits) const {
    char32_t value = 0;
    for (size_t n = 1; n <= digits; ++n) {
      const char c = i + n < text.size() ? text[i + n] : '\0';
      const size_t digit = std::string_view("0123456789abcdef")
                               .find(static_cast<char>(lower(static_cast<unsigned char>(c))));
      if (c == '\0' || digit == std::string_view::npos) {
        fail_at(place_of(place + i),
                "This escape needs " + std::to_string(digits) + " hexadecimal digits.");
      }
      value = value * 16 + static_cast<char32_t>(digit);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      fail_at(place_of(place + i), "This escape is not a Unicode character.");
    }
    base::utf8_append(out, value);
    i += digits;
  }

  std::string source_;
  size_t at_ = 0;
  size_t counted_ = 0;
  Place place_{1, 1};
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> read_tokens(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace mortise::engine::jinja
