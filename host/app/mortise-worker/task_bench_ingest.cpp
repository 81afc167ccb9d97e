// `mortise bench ingest` in the worker: the sealed store's rates in one folder.
#include "app/mortise-worker/context.h"
#include "store/measure.h"

namespace mortise::worker {

// arguments: {folder, media_bytes, files}
base::Result<job::TaskResult> bench_ingest(Context& context) {
  store::MeasureOptions options;
  options.folder = context.text("folder");
  options.media_bytes = context.argument("media_bytes").as_uint(options.media_bytes);
  options.files_count = context.argument("files").as_uint(options.files_count);
  MORTISE_ASSIGN(
      const store::Measured found,
      store::measure_store(context.files, base::system_random(), base::system_clock(), options));
  job::TaskResult result;
  result.ok = true;
  result.scores = base::Json::array();
  result.scores.push_back(found.to_json());
  return result;
}

}  // namespace mortise::worker
