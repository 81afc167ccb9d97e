// The data files of schemas/ as they were when this program was built: JSON Schemas of manifests,
// rows and messages, the field map, openapi.yaml. Called by job, pack, ingest and server. Knows
// nothing of JSON; base/schema reads it.
#pragma once

#include <span>
#include <string_view>

namespace mortise::schemas {

struct Document {
  std::string_view name;  // relative to schemas/: "job.json", "rows/vqa.json"
  std::string_view text;
};

std::span<const Document> documents();          // sorted by name
std::string_view text(std::string_view name);   // empty when there is no such document

}  // namespace mortise::schemas
