// The log: one line a record, to standard error or a file. The one door to spdlog. Text from
// outside is escaped (control characters), secrets are never passed here.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mortise::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// Once at start. level_name: debug|info|warning|error (LOG_LEVEL), unknown means info.
// path empty: standard error.
void start_log(std::string_view level_name, const std::string& path = {});
void log(LogLevel level, std::string_view message, const LogFields& fields = {});  // [any]
bool log_enabled(LogLevel level);

}  // namespace mortise::base
