// The parser of the SDK does the work; this file turns its words into ones about rows.
#include "row_check.h"

#include <mortise/cpp/utf8.hpp>

#include "row_scan.h"

namespace mortise::format_jsonl {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr uint32_t kDepthMax = 128;

// What the line as a whole shows; empty: the parser's own remedy stands.
std::string hint_for(std::string_view line, int64_t byte) {
  if (line.find('\0') != line.npos || line.starts_with("\xFF\xFE") ||
      line.starts_with("\xFE\xFF")) {
    return "The file looks like UTF-16: save it as UTF-8.";
  }
  if (line.starts_with("\xEF\xBB\xBF")) {
    return "A byte order mark stands inside the file, as where files were joined: take it out.";
  }
  if (line == "[" || line == "{" || line.starts_with("[{")) {
    return "The file looks like one JSON document, not one object a line: read it with "
           "mortise.format_json.";
  }
  if (byte == static_cast<int64_t>(line.size())) {
    return "The line ends inside its row: it was cut, or the row is spread over several lines. "
           "Write each row as a whole on one line.";
  }
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
    throw sdk::invalid_argument("The row is JSON, but not an object.")
        .at("", -1, 0)
        .with_hint("Write each row as an object, such as {\"text\": \"...\"}.");
  } catch (const sdk::Failure& failure) {
    const std::string hint = hint_for(line, failure.byte);
    throw hint.empty() ? failure : failure.with_hint(hint);
  }
}

}  // namespace mortise::format_jsonl
