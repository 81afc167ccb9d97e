// See row_check.h.
#include "ingest/row_check.h"

#include "ingest/check_table.h"
#include "ingest/row_rules.h"
#include "job/manifest.h"
#include "schemas/schemas.h"

namespace mortise::ingest {

using base::Json;
using base::Result;

RowCheck::RowCheck(std::string task_type, base::Schema schema)
    : task_type_(std::move(task_type)), schema_(std::move(schema)) {}

Result<RowCheck> RowCheck::open(const std::string& task_type) {
  MORTISE_TRY(job::check_task_type(task_type));
  const std::string_view text = schemas::text("rows/" + task_type + ".json");
  MORTISE_ASSIGN(const Json document, base::parse_json(text));
  MORTISE_ASSIGN(base::Schema schema, base::Schema::load(document));
  return RowCheck(task_type, std::move(schema));
}

std::vector<Finding> RowCheck::check(const Json& row, base::TapeValue tape) const {
  std::vector<Finding> out;
  for (const base::SchemaFinding& found : schema_.check(row)) {
    out.push_back(
        make_finding("schema_" + found.keyword, found.pointer, found.message, task_type_));
  }
  if (!out.empty()) return out;  // the rules count on the shapes
  for (const RowRule& rule : row_rules()) rule.check(tape, out);
  return out;
}

bool RowCheck::surely_accepts(base::TapeValue row) {
  if (!schema_.surely_accepts(row)) return false;
  found_.clear();
  for (const RowRule& rule : row_rules()) rule.check(row, found_);
  return found_.empty();
}

std::vector<std::pair<std::string, std::string>> media_of(const Json& row) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const char* name : {"image_path", "audio_path", "video", "tensors"}) {
    const Json& value = row[name];
    const std::string pointer = std::string("/") + name;
    if (value.is_string()) found.emplace_back(pointer, value.as_string());
    for (size_t i = 0; i < value.items().size(); ++i) {
      found.emplace_back(pointer + "/" + std::to_string(i), value.at(i).as_string());
    }
  }
  for (const char* name : {"images", "audios", "videos"}) {
    const Json& list = row[name];
    for (size_t i = 0; i < list.items().size(); ++i) {
      const std::string pointer = std::string("/") + name + "/" + std::to_string(i);
      if (list.at(i).is_string()) found.emplace_back(pointer, list.at(i).as_string());
      for (size_t k = 0; k < list.at(i).items().size(); ++k) {  // a video as a list of frames
        found.emplace_back(pointer + "/" + std::to_string(k), list.at(i).at(k).as_string());
      }
    }
  }
  return found;
}

}  // namespace mortise::ingest
