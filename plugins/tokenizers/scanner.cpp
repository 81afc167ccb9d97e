// Each function below walks the alternatives of its expression in order. A run of white space ends
// as "\s+(?!\S)" says: all of it at the end of the text, else all but its last character.
#include "scanner.h"

#include <cstdint>

#include "unicode.h"

namespace mortise::tokenizers {
namespace {

// A text with the facts of its characters at hand.
struct ScanText {
  std::string_view text;
  const CharTable& table;

  size_t size() const { return text.size(); }
  uint8_t byte(size_t at) const { return static_cast<uint8_t>(text[at]); }
  CharFacts facts_at(size_t at) const {
    const uint8_t first = byte(at);
    return first < 0x80 ? table.ascii(first) : table[code_point_at(text, at).value];
  }
  Class kind_at(size_t at) const { return facts_at(at).kind(); }
  size_t next(size_t at) const {
    const uint8_t first = byte(at);
    return at + (first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4);
  }
  // The end of the run of characters that begins at `at` and passes `test`.
  template <class Test>
  size_t run_end(size_t at, Test&& test) const {
    while (at < size() && test(facts_at(at))) at = next(at);
    return at;
  }
  size_t run_end(size_t at, Class wanted) const {
    return run_end(at, [wanted](CharFacts facts) { return facts.kind() == wanted; });
  }
  size_t numbers_end(size_t at, size_t count_max) const {
    for (size_t i = 0; i < count_max && at < size() && kind_at(at) == Class::kNumber; ++i) {
      at = next(at);
    }
    return at;
  }
};

bool is_line_break(uint8_t byte) {
  return byte == '\r' || byte == '\n';
}

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// The length of 's 't 're 've 'm 'll 'd at `at`, 0 when there is none. Without case the long s
// (U+017F) is an s, as Unicode folds it.
size_t contraction_size(std::string_view text, size_t at, bool any_case) {
  if (at >= text.size() || text[at] != '\'') return 0;
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
size_t space_end(const ScanText& scan, size_t at) {
  size_t last = at;
  size_t end = at;
  while (end < scan.size() && scan.kind_at(end) == Class::kSpace) {
    last = end;
    end = scan.next(end);
  }
  return end == scan.size() || last == at ? end : last;
}

// "\s*[\r\n]+|\s+(?!\S)|\s+": up to the last line break of the run of white space, if it has one.
size_t lines_end(const ScanText& scan, size_t at) {
  size_t broken = at;
  for (size_t i = at; i < scan.size() && scan.kind_at(i) == Class::kSpace;) {
    const bool is_break = is_line_break(scan.byte(i));
    i = scan.next(i);
    if (is_break) broken = i;
  }
  return broken > at ? broken : space_end(scan, at);
}

// " ?[^\s\p{L}\p{N}]+[\r\n]*" from its first mark on; `slash`: "[\r\n/]*".
size_t marks_end(const ScanText& scan, size_t at, bool slash) {
  at = scan.run_end(at, Class::kOther);
  while (at < scan.size() && (is_line_break(scan.byte(at)) || (slash && scan.byte(at) == '/')))
    ++at;
  return at;
}

size_t scan_gpt2(std::string_view text, size_t at) {
  const ScanText scan{text, CharTable::get()};
  if (const size_t size = contraction_size(text, at, false)) return at + size;
  const bool blank = text[at] == ' ' && at + 1 < text.size();
  const size_t start = blank ? at + 1 : at;
  const Class next = scan.kind_at(start);
  if (next != Class::kSpace) return scan.run_end(start, next);
  return space_end(scan, at);
}

size_t scan_modern(std::string_view text, size_t at, size_t digits_max) {
  const ScanText scan{text, CharTable::get()};
  const Class kind = scan.kind_at(at);
  if (kind == Class::kLetter) return scan.run_end(at, Class::kLetter);
  if (kind == Class::kNumber) return scan.numbers_end(at, digits_max);
  if (const size_t size = contraction_size(text, at, true)) return at + size;
  const size_t second = scan.next(at);
  const Class next = second < text.size() ? scan.kind_at(second) : Class::kSpace;
  if (next == Class::kLetter && !is_line_break(scan.byte(at))) {
    return scan.run_end(second, Class::kLetter);
  }
  if (kind == Class::kOther) return marks_end(scan, at, false);
  if (text[at] == ' ' && next == Class::kOther) return marks_end(scan, second, false);
  return lines_end(scan, at);
}

size_t scan_qwen2(std::string_view text, size_t at) {
  return scan_modern(text, at, 1);
}
size_t scan_llama3(std::string_view text, size_t at) {
  return scan_modern(text, at, 3);
}

// "[Lu Lt Lm Lo M]*[Ll Lm Lo M]+" at `at`, else "[Lu Lt Lm Lo M]+[Ll Lm Lo M]*"; `at` when neither
// matches. `lower_only`: the first of the two alone.
size_t cased_end(const ScanText& scan, size_t at, bool lower_only) {
  size_t last_lower =
      std::string_view::npos;  // the last character of the first run that is in both
  size_t end = at;
  while (end < scan.size()) {
    const CharFacts facts = scan.facts_at(end);
    if (!facts.may_be_upper()) break;
    if (facts.may_be_lower()) last_lower = end;
    end = scan.next(end);
  }
  const auto lower = [](CharFacts facts) { return facts.may_be_lower(); };
  const size_t lower_end = scan.run_end(end, lower);
  if (lower_end > end) return lower_end;
  if (last_lower != std::string_view::npos) return scan.next(last_lower);
  return lower_only ? at : end;
}

size_t scan_o200k(std::string_view text, size_t at) {
  const ScanText scan{text, CharTable::get()};
  const Class kind = scan.kind_at(at);
  if (kind == Class::kNumber) return scan.numbers_end(at, 3);
  const size_t second = scan.next(at);
  const bool may_lead = kind != Class::kLetter && !is_line_break(scan.byte(at));
  for (const bool lower_only : {true, false}) {
    for (const size_t start : {may_lead ? second : at, at}) {
      const size_t end = cased_end(scan, start, lower_only);
      if (end > start) return end + contraction_size(text, end, true);
    }
  }
  if (kind == Class::kOther) return marks_end(scan, at, true);
  const Class next = second < text.size() ? scan.kind_at(second) : Class::kSpace;
  if (text[at] == ' ' && next == Class::kOther) return marks_end(scan, second, true);
  return lines_end(scan, at);
}

}  // namespace

Scanner find_scanner(std::string_view expression) {
  if (expression == kGpt2Expression) return scan_gpt2;
  if (expression == kQwen2Expression) return scan_qwen2;
  if (expression == kLlama3Expression) return scan_llama3;
  if (expression == kO200kExpression) return scan_o200k;
  return nullptr;
}

}  // namespace mortise::tokenizers
