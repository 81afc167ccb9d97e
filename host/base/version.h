// The version of these programs, as --version, bench lines and /healthz tell it.
#pragma once

namespace mortise::base {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace mortise::base
