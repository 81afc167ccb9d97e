// See pattern.h.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include <pcre2.h>

namespace mortise::base {

struct Pattern::State {
  std::string expression;
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;

  ~State() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

namespace {

constexpr uint32_t kHeapLimitKib = 64 * 1024;

Error match_error(const std::string& expression, int code) {
  if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT ||
      code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_JIT_STACKLIMIT) {
    return Error(Code::kResourceExhausted,
                 "The pattern " + expression + " needs too many steps on this text.",
                 "Use a pattern without nested repetition.");
  }
  PCRE2_UCHAR words[256] = {};
  pcre2_get_error_message(code, words, sizeof words);
  return Error(Code::kInvalidArgument, "The pattern " + expression + " cannot be tried: " +
                                           reinterpret_cast<const char*>(words) + ".");
}

struct MatchDataFree {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

Pattern::Pattern(std::shared_ptr<State> state) : state_(std::move(state)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(std::string_view expression, uint32_t step_limit) {
  auto state = std::make_shared<State>();
  state->expression = expression;
  int code = 0;
  PCRE2_SIZE at = 0;
  state->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr);
  if (state->code == nullptr) {
    PCRE2_UCHAR words[256] = {};
    pcre2_get_error_message(code, words, sizeof words);
    return Error(Code::kInvalidArgument, "The pattern " + state->expression + " is broken: " +
                                             reinterpret_cast<const char*>(words) + ".")
        .at_byte(static_cast<int64_t>(at));
  }
  pcre2_jit_compile(state->code, PCRE2_JIT_COMPLETE);  // without JIT it is only slower
  state->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(state->context, step_limit);
  pcre2_set_heap_limit(state->context, kHeapLimitKib);
  return Pattern(std::move(state));
}

Result<std::optional<PatternMatch>> Pattern::find(std::string_view text, size_t from) const {
  std::unique_ptr<pcre2_match_data, MatchDataFree> data(
      pcre2_match_data_create_from_pattern(state_->code, nullptr));
  const int count = pcre2_match(state_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), from, 0, data.get(), state_->context);
  if (count == PCRE2_ERROR_NOMATCH) return std::optional<PatternMatch>();
  if (count < 0) return match_error(state_->expression, count);
  const PCRE2_SIZE* places = pcre2_get_ovector_pointer(data.get());
  PatternMatch match;
  match.begin = places[0];
  match.end = places[1];
  for (uint32_t i = 0; i < pcre2_get_ovector_count(data.get()); ++i) {
    match.groups.emplace_back(places[2 * i], places[2 * i + 1]);
  }
  return std::optional<PatternMatch>(std::move(match));
}

Result<bool> Pattern::search(std::string_view text) const {
  MORTISE_ASSIGN(const auto match, find(text));
  return match.has_value();
}

Result<bool> Pattern::full_match(std::string_view text) const {
  std::unique_ptr<pcre2_match_data, MatchDataFree> data(
      pcre2_match_data_create_from_pattern(state_->code, nullptr));
  const int count =
      pcre2_match(state_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                  PCRE2_ANCHORED | PCRE2_ENDANCHORED, data.get(), state_->context);
  if (count == PCRE2_ERROR_NOMATCH) return false;
  if (count < 0) return match_error(state_->expression, count);
  return true;
}

}  // namespace mortise::base
