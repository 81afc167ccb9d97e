// The character data come from utf8proc (Unicode 14).
#include "tokenize.h"

#include <utf8proc.h>
#include <mortise/cpp/utf8.hpp>

#include "porter.h"

namespace mortise::metric_rouge {
namespace {

bool is_space(int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

// Calls visit(code point, its bytes); what is not UTF-8 is U+FFFD.
template <class Visit>
void for_each_character(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const sdk::Utf8Step step = sdk::utf8_step(text);
    int32_t c = 0xFFFD;
    if (step.is_valid) {
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), step.size_bytes, &c);
    }
    visit(c, step.is_valid ? text.substr(0, step.size_bytes) : std::string_view("\xEF\xBF\xBD"));
    text.remove_prefix(step.size_bytes);
  }
}

void append_lower(int32_t c, std::string& out) {
  if (c == 0x130) {  // the one character whose lower case is longer
    out += "i\xCC\x87";
    return;
  }
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t size = utf8proc_encode_char(utf8proc_tolower(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

std::string lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_character(text, [&](int32_t c, std::string_view) { append_lower(c, out); });
  return out;
}

std::vector<std::string> alphanumeric_runs(const std::string& text) {
  std::vector<std::string> tokens;
  bool is_open = false;
  for (const char c : text) {
    const bool counts = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (counts && !is_open) tokens.emplace_back();
    if (counts) tokens.back() += c;
    is_open = counts;
  }
  return tokens;
}

std::vector<std::string> between_spaces(std::string_view text) {
  std::vector<std::string> tokens;
  bool is_open = false;
  for_each_character(text, [&](int32_t c, std::string_view bytes) {
    const bool counts = !is_space(c);
    if (counts && !is_open) tokens.emplace_back();
    if (counts) tokens.back() += bytes;
    is_open = counts;
  });
  return tokens;
}

std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> tokens;
  for_each_character(text, [&](int32_t c, std::string_view bytes) {
    if (!is_space(c)) tokens.emplace_back(bytes);
  });
  return tokens;
}

}  // namespace

std::vector<std::string> tokenize(Tokenizer tokenizer, bool use_stemmer, std::string_view text) {
  constexpr size_t kStemmedFrom = 4;
  switch (tokenizer) {
    case Tokenizer::kCharacters:
      return characters(text);
    case Tokenizer::kWords:
      return between_spaces(lower(text));
    case Tokenizer::kNone:
      return between_spaces(text);
    case Tokenizer::kDefault:
      break;
  }
  std::vector<std::string> tokens = alphanumeric_runs(lower(text));
  for (std::string& token : tokens) {
    if (use_stemmer && token.size() >= kStemmedFrom) token = porter_stem(token);
  }
  return tokens;
}

std::vector<std::string_view> sentences(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) lines.push_back(line);
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace mortise::metric_rouge
