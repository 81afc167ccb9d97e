// Each function below walks the alternatives of its expression in order. A run of white space ends
// as "\s+(?!\S)" says: all of it at the end of the text, else all but its last character.
#include "scanner.h"

#include <cstdint>

#include "unicode.h"

namespace mortise::tokenizer_bpe {
namespace {

// The end of the run of characters of one class that begins at `at`, of at most `limit` characters.
size_t run_end(std::string_view text, size_t at, Class wanted, size_t limit = SIZE_MAX) {
  for (size_t count = 0; at < text.size() && count < limit; ++count) {
    const CodePoint c = code_point_at(text, at);
    if (class_of(c.value) != wanted) break;
    at += c.size_bytes;
  }
  return at;
}

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// The length of 's 't 're 've 'm 'll 'd at `at`, 0 when there is none. Without case the long s
// (U+017F) is an s, as Unicode folds it.
size_t contraction_size(std::string_view text, size_t at, bool any_case) {
  if (text[at] != '\'') return 0;
  const auto letter = [&](size_t i) -> char {
    if (at + i >= text.size()) return '\0';
    return any_case ? ascii_lower(text[at + i]) : text[at + i];
  };
  const char first = letter(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  const char second = letter(2);
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  if (first == 'l' && second == 'l') return 3;
  if (any_case && text.substr(at + 1, 2) == "\xC5\xBF") return 3;
  return 0;
}

// The end of the match of "\s+(?!\S)|\s+" where white space begins at `at`.
size_t space_end(std::string_view text, size_t at) {
  size_t last = at;
  size_t end = at;
  while (end < text.size()) {
    const CodePoint c = code_point_at(text, end);
    if (class_of(c.value) != Class::kSpace) break;
    last = end;
    end += c.size_bytes;
  }
  return end == text.size() || last == at ? end : last;
}

size_t scan_gpt2(std::string_view text, size_t at) {
  if (const size_t size = contraction_size(text, at, false)) return at + size;
  const bool blank = text[at] == ' ' && at + 1 < text.size();
  const size_t start = blank ? at + 1 : at;
  const Class next = class_of(code_point_at(text, start).value);
  if (next != Class::kSpace) return run_end(text, start, next);
  return space_end(text, at);
}

// "\s*[\r\n]+": up to the last line break of the run of white space, or `at` when it has none.
size_t line_break_end(std::string_view text, size_t at) {
  size_t result = at;
  for (size_t i = at; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (class_of(c.value) != Class::kSpace) break;
    i += c.size_bytes;
    if (c.value == '\r' || c.value == '\n') result = i;
  }
  return result;
}

size_t scan_modern(std::string_view text, size_t at, size_t digits_max) {
  if (const size_t size = contraction_size(text, at, true)) return at + size;
  const CodePoint first = code_point_at(text, at);
  const Class kind = class_of(first.value);
  if (kind == Class::kLetter) return run_end(text, at, Class::kLetter);
  if (kind == Class::kNumber) return run_end(text, at, Class::kNumber, digits_max);
  const size_t second = at + first.size_bytes;
  const bool more = second < text.size();
  const Class next = more ? class_of(code_point_at(text, second).value) : Class::kSpace;
  if (first.value != '\r' && first.value != '\n' && more && next == Class::kLetter) {
    return run_end(text, second, Class::kLetter);
  }
  const bool blank = first.value == ' ' && more && next == Class::kOther;
  if (blank || kind == Class::kOther) {
    size_t end = run_end(text, blank ? second : at, Class::kOther);
    while (end < text.size() && (text[end] == '\r' || text[end] == '\n')) ++end;
    return end;
  }
  const size_t end = line_break_end(text, at);
  return end > at ? end : space_end(text, at);
}

size_t scan_qwen2(std::string_view text, size_t at) {
  return scan_modern(text, at, 1);
}
size_t scan_llama3(std::string_view text, size_t at) {
  return scan_modern(text, at, 3);
}

}  // namespace

Scanner find_scanner(std::string_view expression) {
  if (expression == kGpt2Expression) return scan_gpt2;
  if (expression == kQwen2Expression) return scan_qwen2;
  if (expression == kLlama3Expression) return scan_llama3;
  return nullptr;
}

}  // namespace mortise::tokenizer_bpe
