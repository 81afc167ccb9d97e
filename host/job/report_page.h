// The report of a check as one page that needs no server: no script, no link, plots as inline SVG,
// English and Chinese in one file. Called by the worker (`--report FILE`) and by the server. Knows
// the report's JSON and schemas/checks.json, nothing of rows. [any]
#pragma once

#include <string>

#include "base/json.h"

namespace mortise::job {

// report: as ingest::Report::to_json writes it. Text of the user's is escaped.
std::string report_page(const base::Json& report);

// What the page needs of a browser: its own styles and nothing else.
inline constexpr const char* kReportPagePolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

}  // namespace mortise::job
