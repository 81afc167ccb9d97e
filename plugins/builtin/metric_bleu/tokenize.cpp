// Each function is one of sacrebleu's lists of substitutions, applied in their order; a match takes
// its characters, so the next begins behind it, as re.sub does.
#include "tokenize.h"

#include <mortise/cpp/status.hpp>

#include <array>
#include <utility>

namespace mortise::metric_bleu {
namespace {

constexpr char32_t kSpace = ' ';

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
bool is_stop(char32_t c) {
  return c == '.' || c == ',';
}

// ASCII marks but for ' , - . and digits, letters, controls; a space counts.
bool is_mark(char32_t c) {
  return (c >= 0x7B && c <= 0x7E) || (c >= 0x5B && c <= 0x60) || (c >= 0x20 && c <= 0x26) ||
         (c >= 0x28 && c <= 0x2B) || (c >= 0x3A && c <= 0x40) || c == 0x2F;
}

// Every `wanted` character between two spaces.
template <class Test>
Characters isolate(const Characters& text, Test&& wanted) {
  Characters out;
  out.reserve(text.size() * 2);
  for (const char32_t c : text) {
    if (wanted(c)) {
      out += {kSpace, c, kSpace};
    } else {
      out += c;
    }
  }
  return out;
}

// Each pair (first, second) that matches, with spaces between, and before and after when asked for.
template <class First, class Second>
Characters part_pairs(const Characters& text, First&& first, Second&& second, bool before,
                      bool after) {
  Characters out;
  out.reserve(text.size() * 2);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool hit = i + 1 < text.size() && first(text[i]) && second(text[i + 1]);
    if (!hit) {
      out += text[i];
      continue;
    }
    if (before) out += kSpace;
    out += {text[i], kSpace, text[i + 1]};
    if (after) out += kSpace;
    ++i;
  }
  return out;
}

// The rules that 13a and zh share: marks, stops that are not inside numbers, dashes after digits.
Characters western_rules(Characters text) {
  const auto no_digit = [](char32_t c) { return !is_digit(c); };
  text = isolate(text, is_mark);
  text = part_pairs(text, no_digit, is_stop, false, true);
  text = part_pairs(text, is_stop, no_digit, true, false);
  return part_pairs(
      text, is_digit, [](char32_t c) { return c == '-'; }, false, true);
}

void replace_all(Characters& text, const Characters& from, const Characters& to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

Characters tokenize_13a(Characters text) {
  replace_all(text, U"<skipped>", U"");
  replace_all(text, U"-\n", U"");
  replace_all(text, U"\n", U" ");
  replace_all(text, U"&quot;", U"\"");
  replace_all(text, U"&amp;", U"&");
  replace_all(text, U"&lt;", U"<");
  replace_all(text, U"&gt;", U">");
  return western_rules(U" " + text + U" ");
}

// sacrebleu's own ranges. The ideographs beyond the basic plane are written there with four digits
// too few, which makes U+2001 .. U+2A6D (and no ideograph of Extension B) count; kept, since scores
// must agree.
bool is_chinese(char32_t c) {
  constexpr std::array<std::pair<char32_t, char32_t>, 20> kRanges = {
      {{0x3400, 0x4DB5}, {0x4E00, 0x9FA5}, {0x9FA6, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A},
       {0xFA70, 0xFAD9}, {0x2001, 0x2A6D}, {0x2F81, 0x2FA1}, {0xFF00, 0xFFEF}, {0x2E80, 0x2EFF},
       {0x3000, 0x303F}, {0x31C0, 0x31EF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3100, 0x312F},
       {0x31A0, 0x31BF}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0x2600, 0x27BF}, {0x3200, 0x33FF}}};
  for (const auto& [first, last] : kRanges) {
    if (c >= first && c <= last) return true;
  }
  return false;
}

Characters tokenize_zh(Characters text) {
  return western_rules(isolate(strip(std::move(text)), is_chinese));
}

Characters tokenize_intl(Characters text) {
  const auto no_number = [](char32_t c) { return !is_number(c); };
  text = part_pairs(text, no_number, is_punctuation, false, true);
  text = part_pairs(text, is_punctuation, no_number, true, false);
  return isolate(text, is_symbol);
}

}  // namespace

Tokenizer tokenizer_of(std::string_view name) {
  if (name == "13a") return Tokenizer::k13a;
  if (name == "zh") return Tokenizer::kZh;
  if (name == "char") return Tokenizer::kChar;
  if (name == "intl") return Tokenizer::kIntl;
  if (name == "none") return Tokenizer::kNone;
  throw sdk::unimplemented("tokenize \"" + std::string(name) +
                           "\" is not done by mortise.metric_bleu; it does 13a, zh, char, intl and "
                           "none.")
      .at("", -1, -1, "/tokenize");
}

std::vector<Characters> tokenize(Tokenizer tokenizer, std::string_view text, bool lowercase) {
  Characters line = decode(text);
  if (lowercase) line = lower(line);
  line = strip_end(std::move(line));
  switch (tokenizer) {
    case Tokenizer::k13a:
      line = tokenize_13a(std::move(line));
      break;
    case Tokenizer::kZh:
      line = tokenize_zh(std::move(line));
      break;
    case Tokenizer::kChar:
      line = isolate(line, [](char32_t) { return true; });
      break;
    case Tokenizer::kIntl:
      line = tokenize_intl(std::move(line));
      break;
    case Tokenizer::kNone:
      break;
  }
  return split(line);
}

}  // namespace mortise::metric_bleu
