// The row that a mapping's values become: media by the names of their files, boxes as numbers,
// texts as texts. Called by evaluate. Knows nothing of sources.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "ingest/catalog/mapping.h"
#include "ingest/catalog/words.h"

namespace mortise::ingest::catalog {

class CanonicalRow {  // [serial]
 public:
  CanonicalRow(const Mapping& mapping, const Scene& scene) : mapping_(mapping), scene_(scene) {}

  // Errors: INVALID_ARGUMENT for boxes that are no numbers, and a medium named by a command or an
  // address; what the lookup says.
  base::Status add(const std::string& target, base::Json value);
  // One row, or one for each text of a single value that came out as a list of texts.
  void finish(std::vector<base::Json>& out);

 private:
  base::Result<base::Json> media(base::Json value);
  base::Status add_boxes(const base::Json& value);

  const Mapping& mapping_;
  const Scene& scene_;
  base::Json row_ = base::Json::object();
  base::Json objects_;
  std::string spread_;  // the target whose texts make a row each
};

// "train", "val", "test" or another usual name of a part, as the name of the file of rows has it;
// empty when it has none.
std::string_view split_of(std::string_view rows_file);

}  // namespace mortise::ingest::catalog
