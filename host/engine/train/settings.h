// "method" and "train" of a job manifest as plain values, with the defaults of schemas/job.json.
// Called by train/train. Knows no tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/data/row_encoder.h"

namespace mortise::engine {

// Parameters whose names a pattern is found in, and how they train.
struct ParameterGroup {
  std::string pattern;
  bool frozen = false;
  std::optional<double> learning_rate, weight_decay;  // absent: as the run
};

// transformers' words for the choice of a checkpoint and for stopping early.
struct BestSettings {
  std::string metric = "eval_loss";  // a number of eval.jsonl
  bool greater_is_better = false;
  bool load_at_end = false;
  int64_t patience = 0;  // evaluations that are not better; 0: never stops early
  double threshold = 0;

  bool is_used() const { return load_at_end || patience > 0; }
};

struct TrainSettings {
  bool full = false;  // all weights instead of LoRA
  base::Json method;  // PEFT's words
  double epochs = 3;
  int64_t max_steps = -1;
  int64_t batch_size = 8, accumulation = 1;
  double learning_rate = 1e-4;
  std::string schedule = "cosine";
  base::Json schedule_options;
  int64_t warmup_steps = 0;
  double warmup_ratio = 0.03;
  double weight_decay = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, max_grad_norm = 1;
  int64_t max_length = 2048;
  Truncation truncation = Truncation::kRefuse;
  bool packing = true, shuffle = true, bf16 = true;
  uint64_t seed = 42;
  int64_t save_steps = 100, eval_steps = 100;
  int64_t loader_threads = 2;
  std::vector<std::string> freeze = {"vision"};
  std::vector<ParameterGroup> groups;
  bool recompute = false;  // gradient_checkpointing
  BestSettings best;
  double holdout_ratio = 0.1;
  uint64_t holdout_seed = 7;

  // Steps of the whole run over `rows` rows, and those that warm up (as transformers counts them).
  int64_t steps_per_epoch(uint64_t rows) const;
  int64_t total_steps(uint64_t rows) const;
  int64_t warmup_of(int64_t total_steps) const;
};

// The manifest is valid by its schema already. Errors: UNIMPLEMENTED naming a setting that is not
// built yet (base_quantization, late fusion, several devices); INVALID_ARGUMENT naming a setting
// that contradicts another, with what to do.
base::Result<TrainSettings> read_train_settings(const base::Json& manifest);

}  // namespace mortise::engine
