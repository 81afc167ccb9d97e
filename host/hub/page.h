// What the parts of hub share: a page of a list, and reading JSON that we stored ourselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "store/name_table.h"

namespace mortise::hub {

// Which part of a list is wanted. `cursor` is what the page before gave.
struct PageRequest {
  int64_t limit = 50;  // 1..1000
  std::string cursor;
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string next_cursor;  // empty: this was the last
};

// A cursor of lists ordered by time, newest first: the time and id of the last item seen.
struct TimeCursor {
  int64_t created_ns = INT64_MAX;
  std::string id;
};
base::Result<TimeCursor> parse_time_cursor(std::string_view cursor);
std::string write_time_cursor(int64_t created_ns, const std::string& id);

// JSON from a column of ours; null when it does not parse, which only damage can cause.
base::Json stored_json(const std::string& text);

// The entries after the cursor, which is the last name seen.
base::Result<Page<store::NamedObject>> page_of_names(const store::NameTable& table,
                                                     const PageRequest& page);

// "what NAME does not exist." as NOT_FOUND.
base::Error not_found(std::string_view what, std::string_view name, std::string hint = {});

}  // namespace mortise::hub
