// What the data sets that a query finds are like, all of them and not only a page: how many have
// which task type and which values of each label. The database groups and counts; what comes back
// is bounded, whatever it holds. Called by datasets.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "hub/database.h"
#include "hub/dataset_query.h"

namespace mortise::hub {

inline constexpr int64_t kFacetsMax = 50;  // labels, and values of each

struct FacetValue {
  std::string text;  // of a bool: true or false
  int64_t count = 0;
};

// Texts and bools: the values, most frequent first. Numbers and dates: from min to max. A name
// whose values are of two kinds is two facets.
struct LabelFacet {
  std::string name, kind;  // kind as LabelValue has it
  int64_t count = 0;       // data sets that have it
  std::vector<FacetValue> values;
  bool has_more = false;    // there are other values than these
  double min = 0, max = 0;  // as LabelValue::number
};

struct Facets {
  int64_t count = 0;  // data sets found
  std::vector<FacetValue> task_types;
  bool has_more_task_types = false;
  std::vector<LabelFacet> labels;  // what most data sets have comes first
  bool has_more_labels = false;
  base::Json to_json() const;  // dates as YYYY-MM-DD
};

// Errors: as query_condition.
base::Result<Facets> count_facets(Connection& connection, const DatasetQuery& query);

}  // namespace mortise::hub
