// Generation with a cache of keys and values: one sequence, or several that advance together (each
// step packs what every sequence has pending, be it a whole prompt or one token). Called by
// app/mortise-worker, evaluate and serve. Knows nothing of text: ids in, ids out.
//
// Letters: I images, P tokens of one image, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/infer/sampler.h"
#include "engine/model/model.h"

namespace mortise::engine {

struct GenerateRequest {
  std::vector<int32_t> prompt;  // image placeholders already expanded
  at::Tensor pixels;            // [I, 3, H, W]; undefined without images
  PatchBatch images, videos;    // the pictures of Qwen-VL
  SoundBatch sounds;            // of Qwen2-Audio
  int64_t new_tokens_max = 128;
  SamplingOptions sampling;
  bool ignores_eos = false;       // go on after the model's own stop ids
  std::vector<int32_t> stop_ids;  // more ids that end the answer
  int32_t logprobs = -1;          // >= 0: log-probability of each token and of the so many best
};

struct GeneratedToken {
  int32_t id = 0;
  double logprob = 0;                            // 0 when not asked for
  std::vector<std::pair<int32_t, double>> best;  // falling
};

enum class Finish { kNone, kStop, kLength };  // kStop: a stop id came; it is not among the tokens

// One answer in the making.
class Sequence {
 public:
  // Errors: INVALID_ARGUMENT for an empty prompt, options out of range, images or sounds that do
  // not fit their tokens, or a prompt and new_tokens_max that together pass the model's
  // max_position_embeddings (naming all three);
  // RESOURCE_EXHAUSTED when the cache does not fit memory.
  static base::Result<std::unique_ptr<Sequence>> create(const Model& model,
                                                        GenerateRequest request);

  const std::vector<GeneratedToken>& tokens() const { return tokens_; }
  Finish finish() const { return finish_; }
  int64_t prompt_tokens() const { return static_cast<int64_t>(request_.prompt.size()); }

 private:
  friend base::Status generate_step(Device&, const Model&, std::span<Sequence* const>);
  Sequence(const Model& model, GenerateRequest request);
  int32_t position(int64_t index, size_t axis) const;
  void take_logits(const Model& model, std::span<const float> logits);

  GenerateRequest request_;
  KvCache cache_;
  int64_t cached_ = 0;            // tokens in the cache when the last whole step ended
  std::vector<int32_t> pending_;  // ids not yet in the cache
  std::vector<int32_t> places_;   // of the prompt on the axes of mRoPE [3, T]; empty without
  int32_t delta_ = 0;             // a later token's position less its index
  std::vector<GeneratedToken> tokens_;
  Finish finish_ = Finish::kNone;
};

// Every unfinished sequence gets one more token, or finishes. Errors: INVALID_ARGUMENT for images
// of a size that the tower does not take; what the device says. After an error every sequence is as
// it was before, so that the step can be done again, alone or in other company.
base::Status generate_step(Device& device, const Model& model,
                           std::span<Sequence* const> sequences);

struct GenerateResult {
  std::vector<GeneratedToken> tokens;
  Finish finish = Finish::kNone;
  std::vector<int32_t> ids() const;
};

// One answer from start to end. `on_token` is called after each; false ends the answer with
// CANCELLED.
base::Result<GenerateResult> generate(
    Device& device, const Model& model, GenerateRequest request,
    const std::function<bool(const GeneratedToken&)>& on_token = {});

}  // namespace mortise::engine
