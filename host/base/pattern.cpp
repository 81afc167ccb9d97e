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
constexpr uint32_t kSyntax = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
                             PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS |
                             PCRE2_MATCH_UNSET_BACKREF;

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
using MatchData = std::unique_ptr<pcre2_match_data, MatchDataFree>;

struct CompileContextFree {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

// As pcre2_match. What is too deep for the small stack of compiled code is tried again by the
// interpreter, which takes memory from the heap up to its limit.
int match_bounded(const pcre2_code* code, std::string_view text, size_t from, uint32_t options,
                  pcre2_match_data* data, pcre2_match_context* context) {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data() == nullptr ? "" : text.data());
  const int count = pcre2_match(code, subject, text.size(), from, options, data, context);
  if (count != PCRE2_ERROR_JIT_STACKLIMIT) return count;
  return pcre2_match(code, subject, text.size(), from, options | PCRE2_NO_JIT, data, context);
}

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
  const std::unique_ptr<pcre2_compile_context, CompileContextFree> syntax(
      pcre2_compile_context_create(nullptr));
  pcre2_set_compile_extra_options(syntax.get(), PCRE2_EXTRA_ALT_BSUX);
  state->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                              kSyntax, &code, &at, syntax.get());
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
  const MatchData data(pcre2_match_data_create_from_pattern(state_->code, nullptr));
  const int count = match_bounded(state_->code, text, from, 0, data.get(), state_->context);
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
  const MatchData data(pcre2_match_data_create_from_pattern(state_->code, nullptr));
  const int count = match_bounded(state_->code, text, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED,
                                  data.get(), state_->context);
  if (count == PCRE2_ERROR_NOMATCH) return false;
  if (count < 0) return match_error(state_->expression, count);
  return true;
}

}  // namespace mortise::base
