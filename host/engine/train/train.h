// Training: LoRA or all weights, one loop. Called by app/mortise-worker (task "train") and by
// benches. Knows nothing of queues, keys or sockets: who watches and stops it comes in as hooks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/data/encoder.h"
#include "engine/op/device.h"
#include "store/domain.h"

namespace mortise::plugin {
class PreferenceLoss;
}

namespace mortise::engine {

class Loss;  // engine/op/op.h

struct TrainRequest {
  base::Json manifest;          // valid by schemas/job.json
  std::string model_folder;     // Hugging Face layout
  std::string adapter_folder;   // init_adapter in PEFT layout; empty: a new adapter
  std::string dataset_file;     // dataset.json
  std::string output_folder;    // metrics.jsonl, checkpoints/, and adapter/ or model/ at the end
  std::string base_model_name;  // noted in adapter_config.json
  std::shared_ptr<store::Domain> domain;  // of the data set; null for plain files
  Device* device = nullptr;               // required
  Loss* loss = nullptr;                   // a pack's; nullptr: the host's cross entropy
  const plugin::PreferenceLoss* preference = nullptr;  // instead: rows of preference or kto
  const Encoder* encoder = nullptr;  // may be nullptr for rows of the task type "tokens"
  int32_t threads = 0;               // of the host's compute; 0: as it is
  base::Json facts;  // object or null: what else the numbers depend on ("packs", "tokenizer"); a
                     // checkpoint with other facts is not gone on from
};

struct TrainProgress {
  int64_t step = 0, steps_total = 0;  // step: done, from 1
  double epoch = 0, loss = 0, grad_norm = 0, learning_rate = 0;
};

enum class TrainWish { kNone, kCheckpoint, kCancel };

struct TrainHooks {
  std::function<void(const TrainProgress&)> progress;  // after each step; may be empty
  std::function<TrainWish()> wish;                     // asked before each step; may be empty
};

struct TrainResult {
  int64_t steps = 0;
  int64_t resumed_at = 0;  // step of the checkpoint the run went on from; 0: from the start
  double first_loss = 0, last_loss = 0;  // of the steps of this run
  double eval_loss = -1;                 // the last one over held-out rows; -1: none
  int64_t best_step = 0;                 // by metric_for_best_model; 0: nothing was judged
  double best_metric = 0;                // there
  bool stopped_early = false;
  double seconds = 0, data_wait_seconds = 0;
  int64_t tokens = 0, trained_parameters = 0, train_rows = 0, held_out_rows = 0;
  int64_t tower_runs = 0;                    // pictures that went through a frozen tower
  std::string adapter_folder, model_folder;  // what was made; one of the two is empty
  std::map<std::string, OpCounts> ops;

  base::Json to_json() const;
};

// Runs to the end. When output_folder holds a checkpoint of the same manifest, goes on from it with
// the same numbers, bit for bit, as if it had never stopped; a torn checkpoint is not seen. Writes
// one line of metrics.jsonl a step, one of eval.jsonl every eval_steps, a checkpoint every
// save_steps (the last two are kept) and when asked. Errors: INVALID_ARGUMENT naming row and field
// of a row that cannot be learned from, or a manifest setting; FAILED_PRECONDITION for a checkpoint
// of another manifest, base, pack or data set, naming what differs, or no row to train on;
// UNIMPLEMENTED naming a setting that is not built; ABORTED when loss or gradient are no longer
// finite; CANCELLED when the hook asked; those of load_model, Adapter and FileOps.
base::Result<TrainResult> run_training(base::FileOps& files, base::Clock& clock,
                                       const TrainRequest& request, const TrainHooks& hooks);

}  // namespace mortise::engine
