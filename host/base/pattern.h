// Regular expressions with a bound on the work: the one door to PCRE2. Written as in JSON Schema
// (ECMAScript): "$" is the end of the text only, \uXXXX is a character. Other than there, \d, \w
// and \b know all of Unicode. JIT where it compiles. A text that needs more steps or memory than
// the limits is an error, not a hang.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortise::base {

struct PatternMatch {
  size_t begin = 0, end = 0;                      // bytes
  std::vector<std::pair<size_t, size_t>> groups;  // [0] is the whole; SIZE_MAX where unset
};

class Pattern {  // [any] once made
 public:
  // Errors: INVALID_ARGUMENT with the place in the expression.
  static Result<Pattern> compile(std::string_view expression, uint32_t step_limit = 1'000'000);
  // Whether it matches anywhere. Errors: RESOURCE_EXHAUSTED at the limit.
  Result<bool> search(std::string_view text) const;
  Result<bool> full_match(std::string_view text) const;
  // First match at or after `from`; an empty optional when none.
  Result<std::optional<PatternMatch>> find(std::string_view text, size_t from = 0) const;

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

 private:
  struct State;
  explicit Pattern(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared: a schema that is copied keeps its compiled patterns
};

}  // namespace mortise::base
