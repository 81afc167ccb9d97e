// See row_search.h.
#include "store/row_search.h"

#include <algorithm>

namespace mortise::store {

using base::Result;
using base::Status;

constexpr uint64_t kRowsInPiece = 256;

Result<SearchEnd> search_rows(const RowTable& table, job::RowMatcher& matcher,
                              const SearchBounds& bounds,
                              const std::function<Status(uint64_t, std::string_view)>& take,
                              const std::function<Status(uint64_t)>& after_piece) {
  SearchEnd end{bounds.first_row, 0};
  const uint64_t rows = table.row_count();
  const uint64_t first = std::min(bounds.first_row, rows);
  const uint64_t stop = first + std::min(rows - first, bounds.rows_max);
  while (end.next_row < stop && end.matches < bounds.matches_max) {
    // Without a filter no row is read that is not taken.
    const uint64_t wanted = matcher.takes_all() ? bounds.matches_max - end.matches : kRowsInPiece;
    const uint64_t piece = std::min({wanted, kRowsInPiece, stop - end.next_row});
    MORTISE_TRY(
        table.visit(end.next_row, piece, [&](uint64_t index, std::string_view row) -> Status {
          if (end.matches == bounds.matches_max) return {};
          end.next_row = index + 1;
          MORTISE_ASSIGN(const bool is_wanted, matcher.matches(row));
          if (!is_wanted) return {};
          ++end.matches;
          return take(index, row);
        }));
    if (after_piece) MORTISE_TRY(after_piece(end.next_row));
  }
  return end;
}

}  // namespace mortise::store
