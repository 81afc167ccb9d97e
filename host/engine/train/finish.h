// What a run leaves behind: lines of metrics, and the adapter or the model. Called by train/train.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/train/setup.h"
#include "engine/train/train.h"

namespace mortise::engine {

// One optimiser step; the names and the order of metrics.jsonl.
struct StepMetrics {
  int64_t step = 0;
  double epoch = 0, loss = 0, grad_norm = 0, learning_rate = 0;
  int64_t tokens = 0, labelled_tokens = 0, examples = 0;
  double seconds = 0, data_wait_seconds = 0;
  base::Json more;  // of the objective: an object
};
std::string metrics_line(const StepMetrics& metrics);  // with its newline

// A file of lines with "step" (metrics.jsonl, eval.jsonl) open for appending, without those after
// `step`: they are done again.
base::Result<std::unique_ptr<base::File>> open_lines(base::FileOps& files, const std::string& path,
                                                     int64_t step);

// Writes adapter/ or model/ into the output folder and notes which in `result`.
base::Status write_results(base::FileOps& files, const TrainRequest& request, const Setup& setup,
                           TrainResult& result);

}  // namespace mortise::engine
