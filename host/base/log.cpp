// spdlog behind one function. See log.h.
#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/utf8.h"

namespace mortise::base {
namespace {

constexpr const char* kLineFormat = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Standard error until start_log() was called.
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("mortise",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kLineFormat, spdlog::pattern_time_type::utc);
    return made;
  }();
  return instance;
}

}  // namespace

void start_log(std::string_view level_name, const std::string& path) {
  LogLevel level = LogLevel::kInfo;
  if (level_name == "debug") level = LogLevel::kDebug;
  if (level_name == "warning") level = LogLevel::kWarning;
  if (level_name == "error") level = LogLevel::kError;
  if (!path.empty()) {
    try {
      logger() = std::make_shared<spdlog::logger>(
          "mortise", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
      logger()->set_pattern(kLineFormat, spdlog::pattern_time_type::utc);
    } catch (const spdlog::spdlog_ex& failure) {
      log(LogLevel::kWarning, "The log file cannot be opened; standard error is used.",
          {{"path", path}, {"reason", failure.what()}});
    }
  }
  logger()->set_level(spdlog_level(level));
  logger()->flush_on(spdlog::level::info);
}

void log(LogLevel level, std::string_view message, const LogFields& fields) {
  if (!log_enabled(level)) return;
  std::string line = escape_control(message);
  for (const auto& [key, value] : fields) {
    line += ' ';
    line += key;
    line += "=\"";
    for (const char c : escape_control(value)) {
      if (c == '"') line += '\\';  // or a value could pass for several fields
      line += c;
    }
    line += '"';
  }
  try {
    logger()->log(spdlog_level(level), "{}", line);
  } catch (const std::exception&) {
    // A log that cannot be written must not end the work it tells of.
  }
}

bool log_enabled(LogLevel level) {
  return logger()->should_log(spdlog_level(level));
}

}  // namespace mortise::base
