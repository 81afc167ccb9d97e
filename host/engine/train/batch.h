// What one optimiser step learns from: rows read, encoded and decoded ahead of time by a few
// threads, then packed into passes. Called by train/train. Knows nothing of optimisers.
//
// Letters: T packed tokens, L labelled positions, I images.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/result.h"
#include "engine/data/dataset.h"
#include "engine/data/multimodal_dataset.h"
#include "engine/data/picture_prepare.h"
#include "engine/data/row_encoder.h"
#include "engine/data/sampler.h"
#include "engine/infer/pictures.h"
#include "engine/model/model.h"

namespace mortise::engine {

struct LoadedRow {
  EncodedRow tokens;
  PictureTensors pictures;
  // One a picture or sound: equal keys, equal values.
  std::vector<std::string> image_keys, video_keys, sound_keys;
};

struct StepRows {
  std::vector<LoadedRow> rows;  // in the sampler's order
  SamplerCursor after;          // where the sampler stands once these are done
};

// One pass of the model: rows end to end.
struct PassBatch {
  TextInputs inputs;
  at::Tensor rows, labels;       // int32 [L]: position t predicts labels
  std::vector<double> weights;   // [L]; empty: each counts 1
  std::vector<int32_t> answers;  // [L]: the sequence of inputs.bounds that a label is in
  std::vector<int32_t> wanted;   // a sequence each: 1, or 0 for an answer to be made less likely
  std::vector<std::string> image_keys, video_keys, sound_keys;
  int64_t tokens = 0, labelled = 0;
};
PassBatch make_pass(const std::vector<const LoadedRow*>& rows);
int64_t labelled_count(const EncodedRow& row);  // labels that have a token before them
double labelled_weight(const EncodedRow& row);  // the sum of their weights

struct LoaderOptions {
  int64_t rows_per_step = 1;
  int64_t threads = 0;                       // that load ahead of the step that computes; 0: none
  uint64_t bytes_max = UINT64_C(256) << 20;  // of media that are decoded ahead
};

// Reads steps in order. A step never crosses the end of an epoch. [serial]
class StepLoader {
 public:
  // All are kept by the caller and outlive this. chosen: indices of the rows to train on; sampler
  // counts through it.
  StepLoader(const Dataset& dataset, const RowEncoder& encoder, const PictureProcessor& pictures,
             std::vector<uint64_t> chosen, Sampler sampler, LoaderOptions options);

  // The next step. Errors: those of MultiModalDataset, RowEncoder and PictureProcessor, with file
  // and row.
  base::Result<StepRows> next();

 private:
  base::Result<PoolWork<LoadedRow>> open(uint64_t index) const;
  base::Result<LoadedRow> make(const base::Json& json,
                               std::vector<ingest::OpenMedium>& opened) const;

  MultiModalDataset dataset_;
  const RowEncoder& encoder_;
  const PictureProcessor& pictures_;
  std::vector<uint64_t> chosen_;
  int64_t rows_per_step_;
  uint64_t count_;
  OrderedPool<LoadedRow> pool_;  // goes first: its threads read all above
};

}  // namespace mortise::engine
