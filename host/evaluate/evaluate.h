// Held-out evaluation by generation: each row's question goes to the model, its answer and the
// row's own go to the metric packs, every row's scores are kept. Called by the worker's evaluate
// task. Knows nothing of jobs or stores.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/chat/chat_model.h"
#include "engine/data/dataset.h"
#include "engine/op/device.h"
#include "plugin/registry.h"

namespace mortise::evaluate {

struct MetricUse {
  std::string id;
  base::Json config;  // null: defaults
};

struct EvaluateRequest {
  std::string of = "model";      // base | tuned | permuted: stands in every score
  std::vector<uint64_t> rows;    // of the data set, in order
  bool permutes_images = false;  // each row gets the images of another one: the blind prior
  uint64_t seed = 0;             // of that permutation and of sampling
  int64_t new_tokens_max = 128;
  engine::SamplingOptions sampling;
  int64_t batch_rows = 8;  // sequences that advance together
  std::vector<MetricUse> metrics;
  // Takes the predictions, JSONL, one row a line; may be empty.
  std::function<base::Status(std::string_view lines)> keep_predictions;
};

struct EvaluateHooks {
  std::function<void(int64_t done, int64_t total)> progress;  // may be empty
  std::function<bool()> is_cancelled;                         // may be empty
};

// Scores as the run record holds them: [{"metric","name","group","value","ci_low","ci_high","n",
// "of"}]. Errors: CANCELLED; those of rows, images, model and metrics, with the row's number.
base::Result<base::Json> run_evaluation(base::FileOps& files, plugin::Registry& registry,
                                        engine::Device& device, const engine::ChatModel& chat,
                                        const engine::Dataset& dataset,
                                        const EvaluateRequest& request, const EvaluateHooks& hooks);

// A row as evaluation sees it: the conversation up to the answer, and the answer itself.
struct Question {
  engine::RowMessages conversation;
  std::string reference;
};
// Errors: those of messages_of; INVALID_ARGUMENT for a row that does not end with an answer.
base::Result<Question> question_of(const base::Json& row, const std::string& task_type);

// For `count` rows, which row's images each one gets: a permutation without fixed points (count 1
// has none and stays), a function of the seed.
std::vector<size_t> image_permutation(size_t count, uint64_t seed);

}  // namespace mortise::evaluate
