// How answers of the server are shown: as JSON with --json, else as a table of chosen columns.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/json.h"
#include "cli/command.h"

namespace mortise::cli {

// One document; text form: "key: value" lines.
void show(const Arguments& arguments, const base::Json& value);
// A page {"items", "next_cursor"} as a table.
void show_table(const Arguments& arguments, const base::Json& page,
                std::initializer_list<std::string_view> columns);
// The facets of a search, a line each, below its table: "language: zh 3, en 1", "year: 2019 to 2024
// in 4". Keys, values and their order are the server's.
void show_facets(const base::Json& facets);
// "?limit=..&cursor=..&q=.." from the options --limit and --cursor.
std::string page_query(const Arguments& arguments, const std::string& query = {});

}  // namespace mortise::cli
