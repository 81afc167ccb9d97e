// The short way of a good row: surely one JSON object, or perhaps not. The parser of the SDK, which
// costs several times as much, says what is wrong; only what this scan accepts is spared it.
//
// Called by row_check.cpp. Knows nothing of words for errors. [any]
#pragma once

#include <string_view>

namespace mortise::format_jsonl {

// True only for text that the SDK's parser accepts as an object. False also for what it would have
// to look at with care: surrogates, exponents, long numbers, deep nesting, more than 32 keys, keys
// with escapes.
bool is_surely_row(std::string_view line);

}  // namespace mortise::format_jsonl
