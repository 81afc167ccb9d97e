// See text.h. The rule of the final sigma is SpecialCasing's Final_Sigma (Unicode 14, table 3-17).
#include "text.h"

#include <utf8proc.h>
#include <mortise/cpp/utf8.hpp>

namespace mortise::metric_bleu {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

utf8proc_category_t category_of(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool is_cased(char32_t c) {
  const utf8proc_category_t category = category_of(c);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

bool is_case_ignorable(char32_t c) {
  switch (category_of(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019 || c == 0x2018;
  }
}

bool is_final_sigma(const Characters& text, size_t at) {
  size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

}  // namespace

Characters decode(std::string_view text) {
  Characters out;
  out.reserve(text.size());
  while (!text.empty()) {
    const sdk::Utf8Step step = sdk::utf8_step(text);
    utf8proc_int32_t c = 0xFFFD;
    if (step.is_valid) {
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), step.size_bytes, &c);
    }
    out.push_back(static_cast<char32_t>(c));
    text.remove_prefix(step.size_bytes);
  }
  return out;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_number(char32_t c) {
  const utf8proc_category_t category = category_of(c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_punctuation(char32_t c) {
  const utf8proc_category_t category = category_of(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_symbol(char32_t c) {
  const utf8proc_category_t category = category_of(c);
  return category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
}

Characters lower(const Characters& text) {
  Characters out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == 0x130) {
      out += U"i\u0307";
    } else if (c == kCapitalSigma && is_final_sigma(text, i)) {
      out += kFinalSigma;
    } else {
      out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
  }
  return out;
}

Characters strip_end(Characters text) {
  while (!text.empty() && is_space(text.back())) text.pop_back();
  return text;
}

Characters strip(Characters text) {
  text = strip_end(std::move(text));
  size_t begin = 0;
  while (begin < text.size() && is_space(text[begin])) ++begin;
  text.erase(0, begin);
  return text;
}

std::vector<Characters> split(const Characters& text) {
  std::vector<Characters> words;
  for (size_t i = 0; i < text.size();) {
    if (is_space(text[i])) {
      ++i;
      continue;
    }
    const size_t begin = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    words.push_back(text.substr(begin, i - begin));
  }
  return words;
}

}  // namespace mortise::metric_bleu
