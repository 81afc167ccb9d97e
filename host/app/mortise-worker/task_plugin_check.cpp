// `mortise plugin check PACK` in the worker: runs the conformance kit and prints its report.
#include "app/mortise-worker/context.h"
#include "plugin/kit/kit.h"

namespace mortise::worker {

// arguments: {root, form: "text" | "json" | "junit", filter, in_process, seed}. Exit code 1 when a
// check fails, crashes or runs out of time.
base::Result<job::TaskResult> plugin_check(Context& context) {
  plugin::kit::KitOptions options;
  options.root = context.text("root");
  options.filter = context.text("filter");
  options.seed = context.argument("seed").as_uint(42);
  options.in_process = context.argument("in_process").as_bool();
  options.is_cancelled = [&] { return context.is_cancelled.load(); };
  options.on_progress = [&](const std::string& check, int64_t done, int64_t total) {
    if (done % 8 == 0) context.progress(check, done, total);
  };
  MORTISE_ASSIGN(const plugin::kit::Report report, plugin::kit::run_kit(options));
  const std::string form = context.text("form");
  MORTISE_TRY(context.print(form == "json"    ? plugin::kit::report_json(report).dump() + "\n"
                            : form == "junit" ? plugin::kit::report_junit(report)
                                              : plugin::kit::report_text(report)));
  job::TaskResult result;
  result.ok = report.ok();
  return result;
}

}  // namespace mortise::worker
