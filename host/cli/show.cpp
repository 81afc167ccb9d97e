// See show.h.
#include "cli/show.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"
#include "cli/http.h"

namespace mortise::cli {

using base::Json;

namespace {

// What stands in a cell; control characters of strangers never reach the terminal.
std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  return base::escape_control(value.is_string() ? value.as_string() : value.dump());
}

// Indented JSON: its own line ends stay, all else that steers a terminal is escaped.
std::string document(const Json& value) {
  const std::string text = value.dump(2);
  std::string out;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    out += (from == 0 ? "" : "\n") + base::escape_control(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

void print_line(const std::string& line) {
  std::printf("%s\n", line.c_str());
}

}  // namespace

void show(const Arguments& arguments, const Json& value) {
  if (arguments.is_json || !value.is_object()) {
    print_line(arguments.is_json ? value.dump() : document(value));
    return;
  }
  for (const auto& [key, member] : value.members()) {
    print_line(base::escape_control(key) + ": " +
               (member.is_object() || member.is_array() ? document(member) : cell(member)));
  }
}

void show_table(const Arguments& arguments, const Json& page,
                std::initializer_list<std::string_view> columns) {
  if (arguments.is_json) {
    print_line(page.dump());
    return;
  }
  std::vector<std::vector<std::string>> rows;
  rows.emplace_back(columns.begin(), columns.end());
  for (const Json& item : page["items"].items()) {
    std::vector<std::string> row;
    for (const std::string_view column : columns) row.push_back(cell(item[column]));
    rows.push_back(std::move(row));
  }
  std::vector<size_t> widths(columns.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], base::utf8_length(row[i]));
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] + 2 - base::utf8_length(row[i]), ' ');
    }
    print_line(line);
  }
  if (!page["next_cursor"].is_null()) {
    std::fprintf(stderr, "more: --cursor %s\n", cell(page["next_cursor"]).c_str());
  }
}

void show_facets(const Json& facets) {
  const auto values = [](const Json& facet) {
    std::string line;
    for (const Json& one : facet["values"].items()) {
      line += (line.empty() ? "" : ", ") + cell(one["value"]) + " " + cell(one["count"]);
    }
    return line + (facet["has_more"].as_bool() ? ", ..." : "");
  };
  print_line("");
  print_line("found: " + cell(facets["count"]));
  print_line("task_type: " + values(facets["task_type"]));
  for (const Json& label : facets["labels"].items()) {
    const std::string name = cell(label["name"]) + ": ";
    print_line(label.contains("values") ? name + values(label)
                                        : name + cell(label["min"]) + " to " + cell(label["max"]) +
                                              " in " + cell(label["count"]));
  }
  if (facets["has_more_labels"].as_bool()) print_line("and more labels");
}

std::string page_query(const Arguments& arguments, const std::string& query) {
  std::string out;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty())
      out += (out.empty() ? "?" : "&") + std::string(name) + "=" + escape_path(value);
  };
  add("q", query);
  add("limit", arguments.text("--limit"));
  add("cursor", arguments.text("--cursor"));
  return out;
}

}  // namespace mortise::cli
