// See dataset_facets.h.
#include "hub/dataset_facets.h"

#include <chrono>
#include <cmath>
#include <cstdio>

namespace mortise::hub {
namespace {

using base::Json;
using base::Result;
using base::Status;

constexpr double kExactMax = 9007199254740992;  // 2^53

// One more of each than is shown tells that there are more. A label without values to count, a
// number or a date, has one row with a null.
std::string labels_statement(const std::string& where) {
  const std::string limit = std::to_string(kFacetsMax + 1);
  return "WITH hits AS (SELECT l.name, l.kind, l.text, l.number FROM datasets d"
         " JOIN dataset_labels l ON l.dataset_id = d.id WHERE 1 = 1 " +
         where +
         "), labels AS (SELECT name, kind, count(*) AS total, min(number) AS low,"
         " max(number) AS high FROM hits GROUP BY name, kind"
         " ORDER BY count(*) DESC, name, kind LIMIT " +
         limit +
         "), counted AS (SELECT name, kind, text, count(*) AS total, row_number() OVER"
         " (PARTITION BY name, kind ORDER BY count(*) DESC, text) AS place FROM hits"
         " WHERE kind IN ('text', 'bool') GROUP BY name, kind, text)"
         " SELECT s.name, s.kind, s.total, s.low, s.high, c.text, c.total FROM labels s"
         " LEFT JOIN counted c ON c.name = s.name AND c.kind = s.kind AND c.place <= " +
         limit + " ORDER BY s.total DESC, s.name, s.kind, c.place";
}

// Whether there were more than are shown; what is too much goes.
template <class T>
bool cut(std::vector<T>& shown) {
  const bool has_more = shown.size() > static_cast<size_t>(kFacetsMax);
  if (has_more) shown.resize(static_cast<size_t>(kFacetsMax));
  return has_more;
}

Json bound_of(const LabelFacet& label, double value) {
  if (label.kind == "date") {
    const std::chrono::year_month_day date{
        std::chrono::sys_days(std::chrono::days(static_cast<int64_t>(value)))};
    char text[32] = {};
    std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    return text;
  }
  const bool is_whole = std::abs(value) <= kExactMax && value == std::floor(value);
  return is_whole ? Json(static_cast<int64_t>(value)) : Json(value);
}

Json values_json(const std::vector<FacetValue>& values, bool is_bool) {
  Json list = Json::array();
  for (const FacetValue& value : values) {
    list.push_back(Json::object({{"value", is_bool ? Json(value.text == "true") : Json(value.text)},
                                 {"count", value.count}}));
  }
  return list;
}

Json label_json(const LabelFacet& label) {
  Json json = Json::object({{"name", label.name}, {"kind", label.kind}, {"count", label.count}});
  if (label.kind == "number" || label.kind == "date") {
    json["min"] = bound_of(label, label.min);
    json["max"] = bound_of(label, label.max);
  } else {
    json["values"] = values_json(label.values, label.kind == "bool");
    json["has_more"] = label.has_more;
  }
  return json;
}

}  // namespace

Json Facets::to_json() const {
  Json list = Json::array();
  for (const LabelFacet& label : labels) list.push_back(label_json(label));
  return Json::object({{"count", count},
                       {"task_type", Json::object({{"values", values_json(task_types, false)},
                                                   {"has_more", has_more_task_types}})},
                       {"labels", std::move(list)},
                       {"has_more_labels", has_more_labels}});
}

Result<Facets> count_facets(Connection& connection, const DatasetQuery& query) {
  Values values;
  MORTISE_ASSIGN(const std::string where, query_condition(query, values));
  Facets facets;
  MORTISE_TRY(connection.run("SELECT count(*) FROM datasets d WHERE 1 = 1 " + where, values,
                             [&](const Row& row) { facets.count = row.integer(0); }));
  MORTISE_TRY(connection.run("SELECT d.task_type, count(*) FROM datasets d WHERE 1 = 1 " + where +
                                 "GROUP BY d.task_type ORDER BY count(*) DESC, d.task_type LIMIT " +
                                 std::to_string(kFacetsMax + 1),
                             values, [&](const Row& row) {
                               facets.task_types.push_back({row.text(0), row.integer(1)});
                             }));
  MORTISE_TRY(connection.run(labels_statement(where), values, [&](const Row& row) {
    std::vector<LabelFacet>& labels = facets.labels;
    if (labels.empty() || labels.back().name != row.text(0) || labels.back().kind != row.text(1)) {
      LabelFacet label;
      label.name = row.text(0);
      label.kind = row.text(1);
      label.count = row.integer(2);
      label.min = row.real(3);
      label.max = row.real(4);
      labels.push_back(std::move(label));
    }
    if (!row.is_null(5)) labels.back().values.push_back({row.text(5), row.integer(6)});
  }));
  facets.has_more_task_types = cut(facets.task_types);
  facets.has_more_labels = cut(facets.labels);
  for (LabelFacet& label : facets.labels) label.has_more = cut(label.values);
  return facets;
}

}  // namespace mortise::hub
