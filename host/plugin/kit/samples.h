// Sample data of the kit: texts, and rows for the columns that a metric asks for. The same for the
// same seed.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/arrow_rows.h"
#include "plugin/kit/case.h"

namespace mortise::plugin::kit {

// Sentences of several scripts, with emoji, spaces, digits and an empty one; valid UTF-8.
const std::vector<std::string>& sample_texts();

// Rows for a struct of columns; texts of few words, so that columns often agree. with_nulls: some
// values are null where the column allows it. Errors: UNIMPLEMENTED for a format without a rule.
base::Result<std::vector<base::Json>> sample_rows(const Column& columns, size_t count, Dice dice,
                                                  bool with_nulls = false);

}  // namespace mortise::plugin::kit
