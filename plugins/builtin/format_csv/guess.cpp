// See guess.h.
#include "guess.h"

#include <mortise/cpp/utf8.hpp>

#include "record_reader.h"

namespace mortise::format_csv {
namespace {

constexpr size_t kRecordsMax = 20;

Guess measure(std::string_view head, bool is_whole, char separator, bool has_quotes) {
  Dialect dialect;
  dialect.separator = separator;
  dialect.has_quotes = has_quotes;
  RecordReader reader(sdk::ByteReader::over(head), dialect);
  std::vector<size_t> widths;
  try {
    while (widths.size() < kRecordsMax && reader.next()) {
      if (!is_whole && reader.offset() >= head.size()) break;  // may be cut
      widths.push_back(reader.cells().size());
    }
  } catch (const sdk::Failure&) {
    if (is_whole) widths.push_back(0);  // a quote that goes wrong fits no width
  }
  Guess guess;
  guess.separator = separator;
  guess.records = widths.size();
  if (widths.empty()) return guess;
  guess.width = widths[0];
  guess.is_consistent =
      std::all_of(widths.begin(), widths.end(), [&](size_t width) { return width == widths[0]; });
  return guess;
}

bool is_better(const Guess& a, const Guess& b) {
  const auto fits = [](const Guess& guess) { return guess.is_consistent && guess.width > 1; };
  if (fits(a) != fits(b)) return fits(a);
  return a.width > b.width;
}

bool is_text(std::string_view head, bool is_whole) {
  if (head.find('\0') != head.npos) return false;
  const int64_t invalid = sdk::find_invalid_utf8(head);
  return invalid < 0 || (!is_whole && static_cast<size_t>(invalid) + 4 > head.size());
}

}  // namespace

Guess guess_separator(std::string_view head, bool is_whole, bool has_quotes) {
  Guess best = measure(head, is_whole, ',', has_quotes);
  for (const char separator : {';', '\t', '|'}) {
    const Guess guess = measure(head, is_whole, separator, has_quotes);
    if (is_better(guess, best)) best = guess;
  }
  return best;
}

sdk::ProbeResult probe_separated(std::string_view name, std::string_view head, bool is_whole) {
  const bool is_named = name.ends_with(".csv") || name.ends_with(".tsv") || name.ends_with(".tab");
  if (!is_text(head, is_whole)) return {0, "The file is no UTF-8 text."};
  const size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == head.npos) return {is_named ? 50u : 0u, "The file is empty."};
  if (head[first] == '{' || head[first] == '[') return {0, "The file begins like JSON."};
  const Guess guess = guess_separator(head, is_whole, true);
  const std::string found = std::string("The separator may be \"") +
                            (guess.separator == '\t' ? "\\t" : std::string(1, guess.separator)) +
                            "\", rows have " + std::to_string(guess.width) + " cells.";
  if (!guess.is_consistent) {
    return {is_named ? 40u : 0u, "The first rows differ in their number of cells."};
  }
  if (guess.width > 1) {
    const uint32_t plain = guess.records > 1 ? (name.ends_with(".txt") ? 50u : 20u) : 0u;
    return {is_named ? 85u : plain, found};
  }
  return {is_named ? 60u : 0u, "There is one column."};
}

}  // namespace mortise::format_csv
