// Checks one canonical row: the JSON Schema of its task (schemas/rows), then the rules of
// row_rules. Media files are media_check's. [serial]
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/json_tape.h"
#include "base/result.h"
#include "base/schema.h"
#include "ingest/finding.h"

namespace mortise::ingest {

class RowCheck {
 public:
  // Errors: INVALID_ARGUMENT for a task type without a schema.
  static base::Result<RowCheck> open(const std::string& task_type);

  // Findings of this row; row and byte_offset are left to the caller. tape: the same row.
  std::vector<Finding> check(const base::Json& row, base::TapeValue tape) const;
  // True only for a row without findings, at a small part of the cost.
  bool surely_accepts(base::TapeValue row);

 private:
  RowCheck(std::string task_type, base::Schema schema);
  std::string task_type_;
  base::Schema schema_;
  std::vector<Finding> found_;
};

// Every media file that a canonical row names, in order: {JSON pointer, name}.
std::vector<std::pair<std::string, std::string>> media_of(const base::Json& row);

}  // namespace mortise::ingest
