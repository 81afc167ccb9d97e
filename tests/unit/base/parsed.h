// JSON that a test wrote and that therefore parses.
#pragma once

#include <string_view>

#include "base/json.h"

namespace mortise::base {

inline Json parsed(std::string_view text) {
  return parse_json(text).value();
}

}  // namespace mortise::base
