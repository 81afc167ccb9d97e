// Which rows of a version are wanted: one side of a split, a text that they hold, conditions on
// fields. Rows are canonical JSON of ours, so the server may read them itself. Called by server (a
// page) and, through store/row_search, by the worker that searches a whole version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/json_read.h"
#include "base/result.h"

namespace mortise::job {

struct RowFilter {
  std::string split{};  // "train", "held_out"; empty: both sides
  double ratio = 0.1;   // of holdout, 0 .. <1
  uint64_t seed = 7;
  std::string grep{};                // text that a value or a key holds, case counts; empty: any
  std::vector<std::string> where{};  // "output=yes", "/objects/0/label!=cat", "score>=0.5"

  base::Json to_json() const;
  // {"split", "ratio", "seed", "grep", "where": [...]}, none of which must be there. Errors:
  // INVALID_ARGUMENT naming the member that is unknown or of a wrong kind.
  static base::Result<RowFilter> from_json(const base::Json& value);
};

class RowMatcher {  // [serial]
 public:
  // Errors: INVALID_ARGUMENT naming the part of the filter that is wrong.
  static base::Result<RowMatcher> make(const RowFilter& filter);
  // Errors: DATA_LOSS for a row that is no JSON.
  base::Result<bool> matches(std::string_view canonical_row);
  bool takes_all() const {
    return filter_.split.empty() && escaped_.empty() && conditions_.empty();
  }

 private:
  struct Condition {
    std::string pointer, op;
    base::Json value;  // a number, true, false or null where it is spelled so; else a text
    std::string text;  // as it was spelled
  };
  RowMatcher() = default;
  static bool holds(const Condition& condition, const base::Json* found);
  RowFilter filter_;
  std::string escaped_;  // grep as it stands in canonical JSON
  std::vector<Condition> conditions_;
  base::RowReader reader_;
};

}  // namespace mortise::job
