// See finding.h.
#include "ingest/finding.h"

#include <algorithm>

namespace mortise::ingest {

using base::Json;

Json Finding::to_json() const {
  Json out = Json::object({{"severity", severity}, {"code", code}});
  if (!file.empty()) out["file"] = file;
  if (row >= 0) out["row"] = row;
  if (byte_offset >= 0) out["byte_offset"] = byte_offset;
  out["field"] = field;
  out["message"] = message;
  out["hint"] = hint;
  out["patch"] = patch;
  if (is_mended) out["mended"] = true;
  return out;
}

bool has_error(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == "error" && !finding.is_mended;
  });
}

void Report::add(Finding finding) {
  const int64_t count = ++codes[finding.code];
  if (finding.severity == "warning" && count > kWarningsMax) return;
  if (findings.size() < kFindingsMax) findings.push_back(std::move(finding));
}

namespace {

Json json_of(const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const std::string& name : names) out.push_back(name);
  return out;
}

}  // namespace

Json Report::to_json() const {
  Json counts = Json::object();
  for (const auto& [code, count] : codes) counts[code] = count;
  Json listed = Json::array();
  for (const Finding& finding : findings) listed.push_back(finding.to_json());
  return Json::object({{"task_type", task_type},
                       {"rows_file", rows_file},
                       {"accepted", accepted},
                       {"rows_count", rows_count},
                       {"bad_rows_count", bad_rows_count},
                       {"media_count", media_count},
                       {"media_size_bytes", media_size_bytes},
                       {"mapping", mapping},
                       {"layout", layout},
                       {"codes", counts},
                       {"statistics", statistics},
                       {"findings", listed},
                       {"unused_media", json_of(unused_media)},
                       {"missing_media", json_of(missing_media)},
                       {"change", change}});
}

}  // namespace mortise::ingest
