// What a run stands on, put together once: model, adapter, what trains, rows, encoder. Called by
// train/train.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/data/dataset.h"
#include "engine/data/picture_prepare.h"
#include "engine/data/row_encoder.h"
#include "engine/lora/adapter.h"
#include "engine/model/model.h"
#include "engine/template/chat_setup.h"
#include "engine/train/optimizer.h"
#include "engine/train/settings.h"
#include "engine/train/train.h"

namespace mortise::engine {

struct Setup {
  TrainSettings settings;
  std::unique_ptr<Model> model;
  std::unique_ptr<Adapter> adapter;  // nullptr when all weights train; dies before the model
  // All weights train on preferences: what they began as, mapped from the same files.
  std::unique_ptr<Model> reference;
  std::vector<Parameter> trained;
  std::vector<ParameterRate> rates;  // one of each that trains
  std::optional<Dataset> dataset;
  Split split;
  PictureProcessor pictures;
  std::optional<ChatSetup> chat;
  std::optional<RowEncoder> encoder;
  base::Json facts;  // all that the numbers of the run depend on: equal facts, equal runs
};

// Errors: those that run_training lists.
base::Result<std::unique_ptr<Setup>> prepare_run(base::FileOps& files, const TrainRequest& request);

}  // namespace mortise::engine
