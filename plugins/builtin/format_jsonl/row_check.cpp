// The parser of the SDK does the work; this file turns its words into ones about rows.
#include "row_check.h"

#include <mortise/cpp/utf8.hpp>

#include "row_scan.h"

namespace mortise::format_jsonl {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr uint32_t kDepthMax = 128;

std::string hint_for(std::string_view line) {
  if (line.find('\0') != line.npos) {
    return "The file looks like UTF-16: save it as UTF-8.";
  }
  if (line == "[" || line == "{" || line.starts_with("[{")) {
    return "The file looks like one JSON document, not one object a line: read it with "
           "mortise.format_json.";
  }
  if (line.starts_with("{'")) return "Keys and texts stand in double quotes in JSON.";
  return {};
}

}  // namespace

bool is_blank(std::string_view line) {
  return line.find_first_not_of(kBlanks) == line.npos;
}

std::string_view trimmed(std::string_view line) {
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == line.npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

void check_row(std::string_view line) {
  if (is_surely_row(line)) return;
  try {
    sdk::JsonLimits limits;
    limits.depth = kDepthMax;
    const sdk::JsonDocument document = sdk::JsonDocument::parse(std::string(line), limits);
    if (document.root().is_object()) return;
    throw sdk::invalid_argument("The row is JSON, but not an object.").at("", -1, 0);
  } catch (const sdk::Failure& failure) {
    const std::string hint = hint_for(line);
    throw hint.empty() ? failure : failure.with_hint(hint);
  }
}

}  // namespace mortise::format_jsonl
