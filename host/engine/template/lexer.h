// Template text to tokens, with Jinja's rules for white space: trim_blocks and lstrip_blocks are
// on, "-" and "+" signs override them, one newline at the very end is dropped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/template/failure.h"

namespace mortise::engine::jinja {

struct Token {
  enum class Kind {
    kText,         // literal output
    kOutputBegin,  // {{
    kOutputEnd,
    kBlockBegin,  // {%
    kBlockEnd,
    kName,
    kString,  // text: its value
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string text;
  Place place;
};

// Throws TemplateFailure with line and column.
std::vector<Token> read_tokens(std::string_view source);

}  // namespace mortise::engine::jinja
