// How data sets are found: by words of name, description and labels, and by typed labels. Words lie
// in a table of their own, so the statements are the same for every database. Called by datasets.
//
// Words: runs of letters and digits in lower case; of Chinese, Japanese and Korean text each
// character and each pair of neighbours. A query's last word of letters may be cut short.
//
// A label's kind follows its spelling: true and false are bool, JSON numbers are number, YYYY-MM-DD
// is date, anything else text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "hub/database.h"

namespace mortise::hub {

struct DatasetQuery {
  std::string text;                 // words that must all occur; empty: all
  std::vector<std::string> labels;  // "language=zh", "year>=2020", "taken<2024-05-01", "site!=b"
};

// The conditions on "datasets d" as SQL that begins with AND, their values added to `values`.
// Errors: INVALID_ARGUMENT naming the filter that has no operator, orders texts, or is one of more
// than 16; more than 32 words.
base::Result<std::string> query_condition(const DatasetQuery& query, Values& values);

// Writes the words and labels of a data set anew, in a transaction of the caller.
base::Status index_dataset(Connection& connection, const std::string& id, const std::string& name,
                           const std::string& description, const base::Json& labels);

// Each word once, sorted.
std::vector<std::string> words_of(std::string_view text);

struct LabelValue {
  std::string kind, text;  // kind: text | number | date | bool
  double number = 0;       // of a date: days since 1970-01-01; of a bool: 0 or 1
};
LabelValue label_value(std::string_view spelling);

}  // namespace mortise::hub
