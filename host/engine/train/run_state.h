// Checkpoints of a run: everything that the next step depends on, in a folder that appears whole or
// not at all. Called by train/train.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/data/sampler.h"
#include "engine/lora/adapter.h"
#include "engine/train/judge.h"
#include "engine/train/optimizer.h"

namespace mortise::engine {

struct RunState {
  int64_t step = 0;      // optimiser steps done
  SamplerCursor cursor;  // rows done; a checkpoint lies between steps, so no step is half done
  uint64_t dropout_calls = 0;  // counter of the dropout masks
  Verdict verdict;             // of the evaluations so far
  base::Json facts;            // of manifest, packs, base and data: must be the same to go on
};

// Writes folder/checkpoint-XXXXXXXX through a neighbour folder and one rename, then removes all but
// the last two. adapter may be nullptr. keeps_best: the parameters of the best step are in each
// checkpoint too; they must be saved when that step is done. Errors: those of FileOps; nothing
// half-written is ever seen.
base::Status save_run_state(base::FileOps& files, const std::string& folder, const RunState& state,
                            const FlatAdamW& optimizer, const Adapter* adapter,
                            const std::string& base_model, bool keeps_best = false);

// The parameters of the best step, out of the newest checkpoint. Errors: as load_run_state.
base::Status load_best(base::FileOps& files, const std::string& folder, FlatAdamW& optimizer);

// The newest checkpoint folder; absent when there is none.
base::Result<std::optional<std::string>> latest_checkpoint(base::FileOps& files,
                                                           const std::string& folder);

// Restores the optimiser with its parameters. Errors: FAILED_PRECONDITION naming each fact that
// differs ("train.seed", "model.model.safetensors", "packs.mortise.device_cpu") with both values;
// DATA_LOSS naming the file that cannot be read back.
base::Result<RunState> load_run_state(base::FileOps& files, const std::string& checkpoint,
                                      const base::Json& facts, FlatAdamW& optimizer);

}  // namespace mortise::engine
