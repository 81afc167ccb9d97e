// What no schema can say of one row, as a table of rules over the row's tape. Called by row_check
// for rows whose schema holds. Knows nothing of media files or other rows. [any]
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_tape.h"
#include "ingest/finding.h"

namespace mortise::ingest {

struct RowRule {
  std::string_view name;
  std::string_view sentence;  // what holds of a good row
  void (*check)(base::TapeValue row, std::vector<Finding>& out);
};
std::span<const RowRule> row_rules();

// Each text that a model reads or writes, in order: messages, question, output and their kin.
template <class Take>
void visit_texts(base::TapeValue row, const Take& take) {
  for (const base::TapeValue member : row) {
    const std::string_view name = member.name();
    if (name == "messages") {
      for (const base::TapeValue message : member) take(message.find("content").text());
    } else if (name == "question" || name == "output" || name == "text" || name == "system" ||
               name == "findings" || name == "impression" || name == "rejected_response" ||
               name == "query" || name == "input") {
      take(member.text());
    }
  }
}

// [{"op": "replace", "path": pointer, "value": value}]
base::Json replace_patch(const std::string& pointer, base::Json value);

}  // namespace mortise::ingest
