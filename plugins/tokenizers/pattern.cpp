// Literal search, scanners, and PCRE2 (the one place of this pack that includes it).
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <mortise/cpp/status.hpp>

#include <cstdio>

#include "unicode.h"
#include "unicode_tables.h"

namespace mortise::tokenizers {
namespace {

constexpr uint32_t kStepsMax = 10'000'000;  // PCRE2's match limit, per match
constexpr uint32_t kHeapKibMax = 64 * 1024;

std::string pcre_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

// What stands behind "\p{L}" in a class, so that it has the characters that PCRE2 does not know
// yet.
std::string new_members(std::string_view category) {
  std::string out;
  for (const NewRange& range : new_characters()) {
    if (!std::string_view(range.category).starts_with(category)) continue;
    char text[32];
    std::snprintf(text, sizeof(text), "\\x{%X}-\\x{%X}", range.first, range.last);
    out += text;
  }
  return out;
}

// PCRE2 counts U+180E as white space and knows Unicode 14; Oniguruma and Rust, whose ids must be
// met, do not. So \s, \S and \p{..} are spelled out; inside a class \S stays.
std::string with_exact_classes(const std::string& expression) {
  constexpr std::string_view kSpaces = "\\t-\\r \\x{85}\\p{Z}";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    const char next = i + 1 < expression.size() ? expression[i + 1] : '\0';
    if (c == '\\' && next == 's') {
      out += in_class ? std::string(kSpaces) : "[" + std::string(kSpaces) + "]";
      ++i;
    } else if (c == '\\' && next == 'S' && !in_class) {
      out += "[^" + std::string(kSpaces) + "]";
      ++i;
    } else if (c == '\\' && next == 'p' && expression.substr(i).find('}') != std::string::npos &&
               i + 2 < expression.size() && expression[i + 2] == '{') {
      const size_t end = expression.find('}', i);
      const std::string members =
          expression.substr(i, end + 1 - i) + new_members(expression.substr(i + 3, end - i - 3));
      out += in_class ? members : "[" + members + "]";
      i = end;
    } else if (c == '\\' && next != '\0') {
      out += {c, next};
      ++i;
    } else {
      if (c == '[' && !in_class) {
        in_class = true;
        out += c;
        if (next == '^') out += expression[++i];
        if (i + 1 < expression.size() && expression[i + 1] == ']') out += expression[++i];
        continue;
      }
      if (c == ']') in_class = false;
      out += c;
    }
  }
  return out;
}

}  // namespace

struct Pattern::Compiled {
  explicit Compiled(const std::string& source) {
    const std::string expression = with_exact_classes(source);
    int error = 0;
    PCRE2_SIZE offset = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                         PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    if (code == nullptr) {
      throw sdk::invalid_argument("The pattern \"" + source +
                                  "\" cannot be understood: " + pcre_message(error) + ".");
    }
    context = pcre2_match_context_create(nullptr);
    if (context == nullptr) throw std::bad_alloc();
    pcre2_set_match_limit(context, kStepsMax);
    pcre2_set_heap_limit(context, kHeapKibMax);
  }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }

  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
};

Pattern Pattern::literal(std::string text) {
  Pattern pattern;
  pattern.source_ = std::move(text);
  return pattern;
}

Pattern Pattern::expression(const std::string& expression) {
  Pattern pattern;
  pattern.source_ = expression;
  pattern.scanner_ = find_scanner(expression);
  if (pattern.scanner_ == nullptr) pattern.compiled_ = std::make_shared<Compiled>(expression);
  return pattern;
}

std::vector<Range> Pattern::matches(std::string_view text) const {
  if (scanner_ == nullptr) return compiled_ ? compiled_matches(text) : literal_matches(text);
  std::vector<Range> found;
  for (size_t at = 0; at < text.size();) {
    const size_t end = scanner_(text, at);
    found.push_back({at, end});
    at = end;
  }
  return found;
}

std::vector<Range> Pattern::literal_matches(std::string_view text) const {
  std::vector<Range> found;
  if (source_.empty()) return found;
  for (size_t at = text.find(source_); at != text.npos;
       at = text.find(source_, at + source_.size())) {
    found.push_back({at, at + source_.size()});
  }
  return found;
}

std::vector<Range> Pattern::compiled_matches(std::string_view text) const {
  std::vector<Range> found;
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr), &pcre2_match_data_free);
  if (data == nullptr) throw std::bad_alloc();
  for (size_t at = 0; at < text.size();) {
    const int result =
        pcre2_match(compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                    PCRE2_NO_UTF_CHECK, data.get(), compiled_->context);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      throw sdk::resource_exhausted("The pattern \"" + source_ + "\" gave up at byte " +
                                    std::to_string(at) + " of the text: " + pcre_message(result) +
                                    ".");
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    if (bounds[1] > bounds[0]) found.push_back({bounds[0], bounds[1]});
    at = bounds[1];
    if (bounds[1] > bounds[0] || at >= text.size()) continue;
    at += code_point_at(text, at).size_bytes;  // past an empty match
  }
  return found;
}

std::string_view known_expression(std::string_view name) {
  if (name == "gpt2") return kGpt2Expression;
  if (name == "qwen2") return kQwen2Expression;
  if (name == "llama3" || name == "cl100k") return kLlama3Expression;
  if (name == "o200k") return kO200kExpression;
  return {};
}

}  // namespace mortise::tokenizers
