// See field_map.h.
#include "ingest/field_map.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>

#include "ingest/row_shape.h"
#include "job/manifest.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::vector<std::string> columns_of(const std::vector<Json>& sample) {
  std::vector<std::string> columns;
  std::set<std::string> seen;
  for (const Json& row : sample) {
    for (const auto& [name, value] : row.members()) {
      if (seen.insert(name).second) columns.push_back(name);
    }
  }
  return columns;
}

// Columns that could feed `target`, best first: its own name alone, else every synonym.
std::vector<std::string> candidates(const std::string& target, const Json& synonyms,
                                    const std::vector<std::string>& columns) {
  if (std::find(columns.begin(), columns.end(), target) != columns.end()) return {target};
  std::vector<std::string> found;
  for (const Json& synonym : synonyms.items()) {
    for (const std::string& column : columns) {
      const bool is_new = std::find(found.begin(), found.end(), column) == found.end();
      if (is_new && lower(column) == lower(synonym.as_string())) found.push_back(column);
    }
  }
  return found;
}

bool is_column(const std::vector<std::string>& columns, const std::string& name) {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

// "a.b" is the member b of the column a, unless a column has this very name.
std::string column_of(const std::string& source, const std::vector<std::string>& columns) {
  return is_column(columns, source) ? source : source.substr(0, source.find('.'));
}

bool fits(const Json& layout, const std::string& task, const std::vector<Json>& sample,
          const std::vector<std::string>& columns) {
  const auto& tasks = layout["tasks"].items();
  if (std::find(tasks.begin(), tasks.end(), Json(task)) == tasks.end()) return false;
  for (const Json& lacking : layout["lacks"].items()) {
    if (is_column(columns, lacking.as_string())) return false;
  }
  return std::all_of(sample.begin(), sample.end(), [&](const Json& row) {
    const auto& needs = layout["needs"].items();
    return std::all_of(needs.begin(), needs.end(),
                       [&](const Json& name) { return row.contains(name.as_string()); });
  });
}

// The layout of these rows that is surest; null when none fits. Two that are equally sure and say
// different things are an error.
Result<Json> choose_layout(const std::string& task, const std::vector<Json>& sample,
                           const std::vector<std::string>& columns, bool is_mapped) {
  Json best;
  if (sample.empty()) return best;
  std::string rival;
  for (const Json& layout : field_table()["layouts"].items()) {
    if (!fits(layout, task, sample, columns)) continue;
    const int64_t sure = layout["confidence"].as_int(), best_sure = best["confidence"].as_int(-1);
    if (sure == best_sure && layout["map"] != best["map"]) rival = layout["name"].as_string();
    if (sure <= best_sure) continue;
    best = layout;
    rival.clear();
  }
  if (rival.empty() || is_mapped) return best;
  std::string hint = "Say which columns to take:";
  for (const auto& [target, source] : best["map"].members()) {
    hint += " --map " + target + "=" + source.as_string();
  }
  return Error(Code::kInvalidArgument,
               "The rows could be \"" + best["name"].as_string() + "\" or \"" + rival + "\".",
               hint + ".")
      .with("finding", "mapping_unsure");
}

const Json* value_at(const Json& row, const std::string& source) {
  if (const Json* column = row.find(source)) return column;
  const size_t dot = source.find('.');
  if (dot == std::string::npos) return nullptr;
  const Json* parent = row.find(source.substr(0, dot));
  return parent == nullptr ? nullptr : value_at(*parent, source.substr(dot + 1));
}

// "Findings: {findings}" with the texts of the row; nothing when one is not there.
std::optional<std::string> fill(const std::string& words, const Json& row) {
  std::string text;
  for (size_t at = 0; at < words.size();) {
    const size_t open = std::min(words.find('{', at), words.size());
    const size_t close = std::min(words.find('}', open), words.size());
    text += words.substr(at, open - at);
    if (open < words.size()) {
      const Json* value = row.find(words.substr(open + 1, close - open - 1));
      if (value == nullptr || value->as_string().empty()) return std::nullopt;
      text += value->as_string();
    }
    at = close + 1;
  }
  return text;
}

}  // namespace

Json FieldMap::to_json() const {
  Json out = Json::object();
  for (const auto& [target, source] : columns) out[target] = source;
  for (const auto& [target, words] : made) out[target] = Json::object({{"template", words}});
  return out;
}

Result<FieldMap> propose_field_map(
    const std::string& task_type, const std::vector<Json>& sample,
    const std::vector<std::pair<std::string, std::string>>& overrides) {
  MORTISE_TRY(job::check_task_type(task_type));
  const Json& targets = field_table()["tasks"][task_type];
  const std::vector<std::string> columns = columns_of(sample);
  FieldMap map;
  map.task_type = task_type;
  std::set<std::string> used;
  for (const auto& [target, source] : overrides) {
    if (!is_column(columns, column_of(source, columns))) {
      return Error(Code::kInvalidArgument,
                   "--map " + target + "=" + source + " names a column that no row has.")
          .at_field(source);
    }
    map.columns.emplace_back(target, source);
    used.insert(column_of(source, columns));
  }
  const auto is_mapped = [&](const std::string& target) {
    return std::any_of(map.columns.begin(), map.columns.end(),
                       [&](const auto& column) { return column.first == target; });
  };
  MORTISE_ASSIGN(const Json layout, choose_layout(task_type, sample, columns, !overrides.empty()));
  map.layout = layout["name"].as_string();
  map.confidence = layout["confidence"].as_int();
  for (const auto& [target, source] : layout["map"].members()) {
    const std::string column = column_of(source.as_string(), columns);
    if (is_mapped(target) || used.contains(source.as_string()) || !is_column(columns, column))
      continue;
    map.columns.emplace_back(target, source.as_string());
    used.insert(column);
  }
  for (const auto& [target, words] : layout["make"].members()) {
    if (!is_mapped(target)) map.made.emplace_back(target, words.as_string());
  }
  const auto is_made = [&](const std::string& target) {
    return std::any_of(map.made.begin(), map.made.end(),
                       [&](const auto& one) { return one.first == target; });
  };
  for (const auto& [target, synonyms] : targets.members()) {
    if (is_mapped(target) || is_made(target)) continue;
    std::vector<std::string> found = candidates(target, synonyms, columns);
    std::erase_if(found, [&](const std::string& column) {
      return used.contains(column) || (column != target && targets.contains(column));
    });
    if (found.size() > 1) {
      return Error(Code::kInvalidArgument,
                   "The columns \"" + found[0] + "\" and \"" + found[1] + "\" could both be \"" +
                       target + "\".",
                   "Choose with --map " + target + "=" + found[0] + ".")
          .at_field(found[0])
          .with("finding", "mapping_unsure");
    }
    if (found.empty()) continue;
    map.columns.emplace_back(target, found[0]);
    used.insert(found[0]);
  }
  return map;
}

Result<Json> apply_field_map(const FieldMap& map, const Json& row) {
  Json out = Json::object();
  std::vector<std::pair<std::string, const Json*>> inner;  // members of columns: target, value
  std::set<std::string> opened;                            // those columns
  for (const auto& [target, source] : map.columns) {
    if (row.contains(source)) continue;
    if (const Json* value = value_at(row, source)) inner.emplace_back(target, value);
    opened.insert(source.substr(0, source.find('.')));
  }
  for (const auto& [name, value] : row.members()) {
    const auto mapped = std::find_if(map.columns.begin(), map.columns.end(),
                                     [&](const auto& column) { return column.second == name; });
    if (mapped == map.columns.end() && opened.contains(name)) continue;
    out[mapped == map.columns.end() ? name : mapped->first] = value;
  }
  for (const auto& [target, value] : inner) out[target] = *value;
  for (const auto& [target, words] : map.made) {
    if (auto text = fill(words, out)) out[target] = *text;
  }
  MORTISE_TRY(shape_row(out, map.task_type));
  return out;
}

}  // namespace mortise::ingest
