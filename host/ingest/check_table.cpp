// See check_table.h.
#include "ingest/check_table.h"

#include <map>

#include "schemas/schemas.h"

namespace mortise::ingest {
namespace {

struct Line {
  std::string severity, hint;
};

const std::map<std::string, Line, std::less<>>& lines() {
  static const auto table = [] {
    std::map<std::string, Line, std::less<>> made;
    const auto document = base::parse_json(schemas::text("checks.json"));
    if (!document.ok()) return made;
    for (const base::Json& one : (*document)["checks"].items()) {
      made[one["code"].as_string()] = {one["severity"].as_string(), one["mend"]["en"].as_string()};
    }
    return made;
  }();
  return table;
}

std::string with_task(std::string text, std::string_view task_type) {
  constexpr std::string_view kMark = "{task}";
  for (size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at)) {
    text.replace(at, kMark.size(), task_type);
  }
  return text;
}

}  // namespace

Finding make_finding(std::string_view code, std::string field, std::string message,
                     std::string_view task_type) {
  Finding made;
  made.code = code;
  made.field = std::move(field);
  made.message = std::move(message);
  const auto line = lines().find(code);
  if (line == lines().end()) return made;
  made.severity = line->second.severity;
  made.hint = with_task(line->second.hint, task_type);
  return made;
}

}  // namespace mortise::ingest
