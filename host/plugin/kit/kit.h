// The conformance kit (`mortise plugin check PACK`): runs the checks of check.h over every plugin
// of a pack and reports. Called by the task plugin.check and by tests. Knows nothing of installed
// packs: it takes a folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/kit/check.h"

namespace mortise::plugin::kit {

struct KitOptions {
  std::string root;    // the pack's folder, absolute
  std::string filter;  // only checks whose name contains it; empty: all
  uint64_t seed = 42;
  bool in_process = false;         // no children: a crash ends the caller (for a debugger)
  int64_t time_limit_ms = 30'000;  // a check, in a child
  std::function<bool()> is_cancelled;
  std::function<void(const std::string& check, int64_t done, int64_t total)> on_progress;
};

struct ReportRow {
  std::string plugin_id;  // empty for checks of a manifest that cannot be read
  std::string check, sentence;
  Outcome outcome;
  double seconds = 0;
};

struct Report {
  std::string root, pack;  // folder; "id version", empty when the manifest cannot be read
  uint64_t seed = 0;
  std::vector<ReportRow> rows;
  double seconds = 0;

  int count(State state) const;
  bool ok() const;  // nothing failed, crashed or ran out of time
  const ReportRow* find(std::string_view check) const;
};

// Runs the checks, two at a time, each in a forked child that leads a process group of its
// own and is killed with it. A child that dies leaves its death record; the report says slot and
// input. Errors: INVALID_ARGUMENT when the filter names no check; CANCELLED; RESOURCE_EXHAUSTED
// when no child can be started. A broken pack is no error but a report. [serial]
base::Result<Report> run_kit(const KitOptions& options);

std::string report_text(const Report& report);   // aligned lines and a summary
base::Json report_json(const Report& report);    // {pack, seed, summary, checks: [...]}
std::string report_junit(const Report& report);  // one testsuite a plugin

}  // namespace mortise::plugin::kit
