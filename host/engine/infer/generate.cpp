#include "engine/infer/generate.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "engine/infer/batch.h"
#include "engine/op/failure.h"
#include "engine/op/node.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;

// Counted here, for each request alone: in a batch, one's lack could hide another's surplus.
base::Status check_images(const Model& model, const GenerateRequest& request) {
  if (!model.config.has_fixed_images()) return {};  // grids are counted by mrope_positions
  const auto places = std::count(request.prompt.begin(), request.prompt.end(),
                                 static_cast<int32_t>(model.config.image_token_id));
  const int64_t each = model.config.tokens_per_image();
  const int64_t features = request.pixels.defined() ? request.pixels.size(0) * each : 0;
  if (places == features) return {};
  const std::string given = request.pixels.defined()
                                ? "the images give " + std::to_string(features) + " features (" +
                                      std::to_string(each) + " an image)."
                                : "no image was given.";
  return base::Error(Code::kInvalidArgument,
                     "The prompt holds " + std::to_string(places) + " image tokens, but " + given,
                     "Put exactly one expanded image placeholder into the text for each image.");
}

base::Status check_sounds(const Model& model, const GenerateRequest& request) {
  if (!model.audio) return {};
  const auto places = std::count(request.prompt.begin(), request.prompt.end(),
                                 static_cast<int32_t>(model.config.audio_token_id));
  int64_t features = 0;
  for (const SoundClip& clip : request.sounds.clips) {
    features += model.config.audio->tokens(clip.heard);
  }
  if (places == features) return {};
  return base::Error(Code::kInvalidArgument,
                     "The prompt holds " + std::to_string(places) + " sound tokens, but " +
                         std::to_string(request.sounds.clips.size()) + " sounds give " +
                         std::to_string(features) + " features.",
                     "Put exactly one expanded placeholder into the text for each sound.");
}

base::Status check_request(const Model& model, const GenerateRequest& request) {
  if (!model.text) {
    return base::Error(Code::kInvalidArgument,
                       "A " + model.config.model_type + " model cannot generate text.");
  }
  if (request.prompt.empty()) {
    return base::Error(Code::kInvalidArgument, "The prompt holds no token.");
  }
  if (request.new_tokens_max < 1) {
    return base::Error(Code::kInvalidArgument, "At least one new token must be asked for.");
  }
  const int64_t room = model.text->config.positions_max;
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  if (prompt > room || request.new_tokens_max > room - prompt) {
    return base::Error(Code::kInvalidArgument,
                       "The prompt of " + std::to_string(prompt) + " tokens and " +
                           std::to_string(request.new_tokens_max) +
                           " new ones do not fit the model's " + std::to_string(room) +
                           " positions.",
                       "Shorten the prompt or ask for fewer tokens.");
  }
  MORTISE_TRY(check_images(model, request));
  MORTISE_TRY(check_sounds(model, request));
  return check_sampling(request.sampling);
}

}  // namespace

Sequence::Sequence(const Model& model, GenerateRequest request)
    : request_(std::move(request)),
      cache_(model.text->config,
             static_cast<int64_t>(request_.prompt.size()) + request_.new_tokens_max,
             model.text->embed.weight),
      pending_(request_.prompt) {
  if (!model.qwen_vision) return;
  const int32_t bounds[] = {0, static_cast<int32_t>(request_.prompt.size())};
  MropePositions positions =
      mrope_positions(model.config, request_.prompt, bounds, request_.images, request_.videos);
  places_ = std::move(positions.values);
  delta_ = positions.deltas[0];
}

// Where token `index` stands on an axis.
int32_t Sequence::position(int64_t index, size_t axis) const {
  const auto at = static_cast<size_t>(index), prompt = request_.prompt.size();
  if (places_.empty() || at >= prompt) return static_cast<int32_t>(index) + delta_;
  return places_[axis * prompt + at];
}

base::Result<std::unique_ptr<Sequence>> Sequence::create(const Model& model,
                                                         GenerateRequest request) {
  MORTISE_TRY(check_request(model, request));
  return guarded([&]() -> base::Result<std::unique_ptr<Sequence>> {
    return std::unique_ptr<Sequence>(new Sequence(model, std::move(request)));
  });
}

void Sequence::take_logits(const Model& model, std::span<const float> logits) {
  GeneratedToken token;
  token.id = sample_token(logits, request_.sampling, tokens_.size());
  const auto ends = [&](const std::vector<int32_t>& ids) {
    return std::find(ids.begin(), ids.end(), token.id) != ids.end();
  };
  const bool is_eos = !request_.ignores_eos && ends(model.text->config.eos_ids);
  if (is_eos || ends(request_.stop_ids)) {
    finish_ = Finish::kStop;
    return;
  }
  if (request_.logprobs >= 0) {
    token.logprob = logprob_of(logits, token.id);
    token.best = top_logprobs(logits, request_.logprobs);
  }
  tokens_.push_back(token);
  pending_.assign(1, token.id);
  if (static_cast<int64_t>(tokens_.size()) >= request_.new_tokens_max) finish_ = Finish::kLength;
}

base::Status generate_step(Device& device, const Model& model,
                           std::span<Sequence* const> sequences) {
  const base::Status stepped = guarded([&]() -> base::Status {
    const NoRecord quiet;
    std::vector<Sequence*> active;
    std::vector<int32_t> ids, bounds = {0};
    std::array<std::vector<int32_t>, 3> positions;
    const size_t axes = model.qwen_vision ? 3 : 1;
    std::vector<int64_t> last_rows;
    std::vector<Tensor> pixels;
    std::vector<const PatchBatch*> images, videos;
    std::vector<const SoundBatch*> sounds;
    TextInputs in;
    for (Sequence* sequence : sequences) {
      if (sequence->finish_ != Finish::kNone) continue;
      active.push_back(sequence);
      const int64_t start = sequence->cache_.length();
      for (size_t i = 0; i < sequence->pending_.size(); ++i) {
        ids.push_back(sequence->pending_[i]);
        for (size_t axis = 0; axis < axes; ++axis) {
          positions[axis].push_back(sequence->position(start + static_cast<int64_t>(i), axis));
        }
      }
      bounds.push_back(static_cast<int32_t>(ids.size()));
      last_rows.push_back(static_cast<int64_t>(ids.size()) - 1);
      in.caches.push_back(&sequence->cache_);
      if (start > 0) continue;
      if (sequence->request_.pixels.defined()) pixels.push_back(sequence->request_.pixels);
      images.push_back(&sequence->request_.images);
      videos.push_back(&sequence->request_.videos);
      sounds.push_back(&sequence->request_.sounds);
    }
    for (const auto& axis : positions) {
      in.positions.insert(in.positions.end(), axis.begin(), axis.end());
    }
    if (active.empty()) return {};
    in.images = joined(images);
    in.videos = joined(videos);
    in.sounds = joined(sounds);
    in.ids = int_tensor(ids);
    in.bounds = Bounds::of(std::move(bounds));
    if (!pixels.empty()) in.pixels = at::cat(pixels, 0);
    Pass pass{.device = &device};
    const TextOutputs out = run_text(pass, model, in);
    const Tensor rows = at::tensor(at::ArrayRef<int64_t>(last_rows), at::kLong);
    const Tensor logits = logits_of(pass, model, at::index_select(out.last, 0, rows))
                              .to(at::kFloat)
                              .cpu()
                              .contiguous();  // [sequences, V]
    const auto size = static_cast<size_t>(logits.size(1));
    for (size_t i = 0; i < active.size(); ++i) {
      active[i]->cached_ = active[i]->cache_.length();
      active[i]->take_logits(model, std::span(logits.const_data_ptr<float>() + i * size, size));
    }
    return {};
  });
  if (!stepped.ok()) {
    for (Sequence* sequence : sequences) sequence->cache_.truncate(sequence->cached_);
  }
  return stepped;
}

std::vector<int32_t> GenerateResult::ids() const {
  std::vector<int32_t> ids;
  for (const GeneratedToken& token : tokens) ids.push_back(token.id);
  return ids;
}

base::Result<GenerateResult> generate(Device& device, const Model& model, GenerateRequest request,
                                      const std::function<bool(const GeneratedToken&)>& on_token) {
  MORTISE_ASSIGN(const auto sequence, Sequence::create(model, std::move(request)));
  Sequence* const one[] = {sequence.get()};
  while (sequence->finish() == Finish::kNone) {
    const size_t before = sequence->tokens().size();
    MORTISE_TRY(generate_step(device, model, one));
    const bool grew = sequence->tokens().size() > before;
    if (grew && on_token && !on_token(sequence->tokens().back())) {
      return base::Error(Code::kCancelled, "The caller ended the answer.");
    }
  }
  return GenerateResult{sequence->tokens(), sequence->finish()};
}

}  // namespace mortise::engine
