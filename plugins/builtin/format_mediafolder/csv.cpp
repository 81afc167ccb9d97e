// See csv.h.
#include "csv.h"

#include <mortise/cpp/status.hpp>

namespace mortise::format_mediafolder {
namespace {

[[noreturn]] void fail(const std::string& words, uint64_t at) {
  throw sdk::invalid_argument(words).at("", -1, static_cast<int64_t>(at));
}

// The cell at *at; a quoted one loses its quotes.
std::string take_cell(std::string_view text, uint64_t* at) {
  std::string cell;
  if (*at < text.size() && text[*at] == '"') {
    const uint64_t open = (*at)++;
    for (;;) {
      const size_t quote = text.find('"', *at);
      if (quote == text.npos) fail("A quoted cell does not end.", open);
      cell += text.substr(*at, quote - *at);
      *at = quote + 1;
      if (*at >= text.size() || text[*at] != '"') break;
      cell += '"';
      ++*at;
    }
    if (*at < text.size() && text[*at] != ',' && text[*at] != '\n' && text[*at] != '\r') {
      fail("Text follows a quoted cell.", *at);
    }
    return cell;
  }
  const size_t end = std::min(text.find_first_of(",\r\n", *at), text.size());
  cell = text.substr(*at, end - *at);
  *at = end;
  return cell;
}

}  // namespace

bool next_record(std::string_view text, uint64_t* at, std::vector<std::string>* cells) {
  while (*at < text.size() && (text[*at] == '\n' || text[*at] == '\r')) ++*at;
  if (*at >= text.size()) return false;
  cells->clear();
  for (;;) {
    cells->push_back(take_cell(text, at));
    if (*at >= text.size() || text[*at] != ',') break;
    ++*at;
  }
  if (*at < text.size() && text[*at] == '\r') ++*at;
  if (*at < text.size() && text[*at] == '\n') ++*at;
  return true;
}

}  // namespace mortise::format_mediafolder
