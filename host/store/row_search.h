// Reads rows of a table in order and hands out those that a filter takes: a page of them in the
// server, all of them in a worker. A group of rows is in memory at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "job/row_filter.h"
#include "store/row_table.h"

namespace mortise::store {

struct SearchBounds {
  uint64_t first_row = 0;
  uint64_t rows_max = UINT64_MAX;  // to read, from first_row on
  uint64_t matches_max = UINT64_MAX;
};

struct SearchEnd {
  uint64_t next_row = 0;  // the first that was not looked at; row_count() when all were
  uint64_t matches = 0;
};

// take: a match, its row from 0. after_piece: each few hundred rows, the next row. What either
// refuses ends the search with that error. Errors: DATA_LOSS.
base::Result<SearchEnd> search_rows(
    const RowTable& table, job::RowMatcher& matcher, const SearchBounds& bounds,
    const std::function<base::Status(uint64_t, std::string_view)>& take,
    const std::function<base::Status(uint64_t)>& after_piece = {});

}  // namespace mortise::store
