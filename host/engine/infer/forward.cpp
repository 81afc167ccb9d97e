#include "engine/infer/forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "engine/lora/adapter.h"
#include "engine/op/failure.h"
#include "engine/op/node.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;

// What mm_token_type_ids and rope_deltas say follows from the ids and the grids: they are not read.
constexpr std::array<std::string_view, 14> kKnownInputs = {
    "input_ids",           "attention_mask",        "position_ids",   "labels",
    "cu_seqlens",          "pixel_values",          "image_grid_thw", "video_grid_thw",
    "pixel_values_videos", "second_per_grid_ts",    "rope_deltas",    "mm_token_type_ids",
    "input_features",      "feature_attention_mask"};

// Only Qwen-VL knows what these mean.
bool is_of_qwen_vl(const std::string& name) {
  return name.ends_with("_grid_thw") || name == "pixel_values_videos" ||
         name == "second_per_grid_ts" || name == "rope_deltas";
}

bool is_of_sound(const std::string& name) {
  return name == "input_features" || name == "feature_attention_mask";
}

void check_names(const Model& model, const TensorMap& inputs) {
  for (const auto& [name, tensor] : inputs) {
    const bool known =
        std::find(kKnownInputs.begin(), kKnownInputs.end(), name) != kKnownInputs.end();
    const bool is_taken = is_of_qwen_vl(name) ? model.qwen_vision.has_value()
                          : is_of_sound(name) ? model.audio.has_value()
                                              : true;
    if (known && is_taken) continue;
    base::Error error(Code::kInvalidArgument,
                      "The input \"" + name + "\" is not one that this model takes.",
                      "Known are input_ids, attention_mask, position_ids, labels, cu_seqlens and "
                      "pixel_values; of Qwen-VL also image_grid_thw, pixel_values_videos, "
                      "video_grid_thw and second_per_grid_ts; of sound input_features and "
                      "feature_attention_mask.");
    throw OpFailure(error.at_field(name));
  }
}

// Runs the backward pass of `loss` and adds the gradients.
void add_gradients(const Tensor& loss, const std::vector<Parameter>& trained, NamedTensors& out) {
  if (trained.empty()) return;
  for (const Parameter& parameter : trained) parameter.tensor->mutable_grad() = Tensor();
  loss.backward();
  for (const Parameter& parameter : trained) {
    const Tensor& grad = parameter.tensor->grad();
    if (grad.defined()) out.emplace_back("grad." + parameter.name, grad);
  }
}

TextInputs text_inputs(const Model& model, const TensorMap& inputs, const PackedBatch& batch) {
  TextInputs in;
  in.ids = batch.ids;
  in.positions = batch.positions;
  in.bounds = batch.bounds;
  in.keep_states = true;
  if (!model.qwen_vision) {
    if (static_cast<int64_t>(in.positions.size()) != in.ids.size(0)) {
      base::Error error(Code::kInvalidArgument, "position_ids have three axes, but a " +
                                                    model.config.model_type + " model takes one.");
      throw OpFailure(error.at_field("position_ids"));
    }
    const auto pixels = inputs.find("pixel_values");
    if (pixels != inputs.end()) in.pixels = pixels->second;
    in.sounds = sounds_of(inputs);
    return in;
  }
  std::tie(in.images, in.videos) = pictures_of(inputs);
  if (!batch.has_positions) place_pictures(model, in);
  return in;
}

void forward_text(Pass& pass, const Model& model, const TensorMap& inputs,
                  const std::vector<Parameter>& trained, NamedTensors& out) {
  const PackedBatch batch = pack_batch(inputs);
  const TextOutputs result = run_text(pass, model, text_inputs(model, inputs, batch));
  {
    const NoRecord quiet;
    out.emplace_back("logits", batch.unpacked(logits_of(pass, model, result.last)));
  }
  for (size_t k = 0; k < result.states.size(); ++k) {
    out.emplace_back("hidden_states." + std::to_string(k), batch.unpacked(result.states[k]));
  }
  out.emplace_back("hidden_states.norm", batch.unpacked(result.last));
  if (result.image_features.defined()) {
    out.emplace_back("image_features", result.image_features);
  }
  if (result.video_features.defined()) {
    out.emplace_back("video_features", result.video_features);
  }
  if (result.sound_features.defined()) {
    out.emplace_back("audio_features", result.sound_features);
  }
  for (size_t k = 0; k < result.vision_states.size(); ++k) {
    out.emplace_back("vision_hidden_states." + std::to_string(k), result.vision_states[k]);
  }
  if (!batch.has_labels) {
    if (trained.empty()) return;
    fail(Code::kInvalidArgument, "Gradients were asked for, but the input holds no labels.");
  }
  const int64_t labelled = batch.rows.size(0);
  if (labelled == 0) {
    fail(Code::kInvalidArgument, "No position of the input has a label, so there is no loss.",
         "Give at least one label other than -100 after the first token of a row.");
  }
  const Tensor loss =
      loss_of(pass, model, result.last, batch.rows, batch.labels) / static_cast<double>(labelled);
  out.emplace_back("loss", loss);
  add_gradients(loss, trained, out);
}

// Where each sequence is pooled: at its first eos, or (eos id 2, an old convention) at its largest
// id; in SigLIP at the last.
std::vector<int64_t> pooling_places(const PackedBatch& batch, const EncoderConfig& config) {
  const int64_t eos_id = config.eos_id;
  std::vector<int64_t> places;
  const int32_t* ids = batch.ids.const_data_ptr<int32_t>();
  for (size_t s = 0; s + 1 < batch.bounds.host.size(); ++s) {
    const int32_t* begin = ids + batch.bounds.host[s];
    const int32_t* end = ids + batch.bounds.host[s + 1];
    if (begin == end) fail(Code::kInvalidArgument, "A row of input_ids is masked as a whole.");
    if (config.is_siglip) {
      places.push_back(end - ids - 1);
      continue;
    }
    const int32_t* at = eos_id == 2 ? std::max_element(begin, end)
                                    : std::find(begin, end, static_cast<int32_t>(eos_id));
    places.push_back((at == end ? begin : at) - ids);
  }
  return places;
}

// [I, D] projected and pooled images; also writes the tower's states.
Tensor forward_images(Pass& pass, const Model& model, const Tensor& pixels, NamedTensors& out,
                      Tensor& last) {
  const auto states = run_vision(pass, *model.vision, pixels, model.vision->config.layers);
  for (size_t k = 0; k < states.size(); ++k) {
    out.emplace_back("vision_hidden_states." + std::to_string(k), states[k]);
  }
  last = states.back();
  const auto [normed, pooled] = pool_vision(pass, *model.vision, last);  // [I, C]
  if (normed.defined()) out.emplace_back("vision_hidden_states.norm", last = normed);
  out.emplace_back("vision_pooler_output", pooled);
  if (!model.clip_text || model.config.vision->is_siglip) return pooled;
  return model.visual_projection.forward(pass, pooled);
}

// [B, D] projected and pooled texts.
Tensor forward_texts(Pass& pass, const Model& model, const TensorMap& inputs, NamedTensors& out,
                     Tensor& last) {
  const PackedBatch batch = pack_batch(inputs);
  const auto states = run_clip_text(pass, *model.clip_text, batch.ids, batch.bounds);
  for (size_t k = 0; k + 1 < states.size(); ++k) {
    out.emplace_back("text_hidden_states." + std::to_string(k), batch.unpacked(states[k]));
  }
  out.emplace_back("text_hidden_states.norm", batch.unpacked(states.back()));
  last = batch.unpacked(states.back());
  const auto places = pooling_places(batch, model.clip_text->config);
  const Tensor pooled = at::index_select(
      states.back(), 0, at::tensor(at::ArrayRef<int64_t>(places), at::kLong));  // [B, C]
  const Tensor projected = model.text_projection.forward(pass, pooled);
  out.emplace_back("text_pooler_output", model.clip_text->config.is_siglip ? projected : pooled);
  return projected;
}

// Cross entropy of the diagonal: row i belongs to column i. logits [B, B] -> []
Tensor diagonal_loss(const Tensor& logits) {
  const Tensor z = logits.to(at::kFloat);
  return (at::logsumexp(z, {-1}) - z.diagonal()).mean();
}

// The contrastive objective (Radford et al. 2021, figure 3).
Tensor contrastive_loss(const Tensor& per_text) {
  return (diagonal_loss(per_text) + diagonal_loss(per_text.t())) / 2;
}

// SigLIP: each pair by itself, the diagonal true and all others false (Zhai et al. 2023,
// equation 1). logits [B, B] -> []
Tensor sigmoid_loss(const Tensor& logits) {
  const Tensor z = logits.to(at::kFloat);
  const Tensor sign = at::eye(z.size(0), z.options()) * 2 - 1;
  return at::log_sigmoid(z * sign).sum(-1).mean().neg();
}

// SigLIP has no mask: it attends to padding as to any token.
void check_mask(const Model& model, const TensorMap& inputs) {
  const auto mask = inputs.find("attention_mask");
  if (mask == inputs.end() || !model.clip_text || !model.clip_text->config.is_siglip) return;
  if (mask->second.all().item<bool>()) return;
  base::Error error(Code::kInvalidArgument, "attention_mask hides tokens, but SigLIP sees padding.",
                    "Pad all texts to one length and leave attention_mask out.");
  throw OpFailure(error.at_field("attention_mask"));
}

// Both towers of CLIP or SigLIP with their loss, or what one of them gives alone.
void forward_clip(Pass& pass, const Model& model, const TensorMap& inputs,
                  const std::vector<Parameter>& trained, NamedTensors& out) {
  const auto pixels = inputs.find("pixel_values");
  const bool has_text = inputs.contains("input_ids");
  Tensor images, texts, last;
  if (pixels != inputs.end()) images = forward_images(pass, model, pixels->second, out, last);
  if (has_text && !model.clip_text) {
    fail(Code::kInvalidArgument, "input_ids were given, but this model has only a vision tower.");
  }
  check_mask(model, inputs);
  if (has_text) texts = forward_texts(pass, model, inputs, out, last);
  if (!images.defined() && !texts.defined()) {
    fail(Code::kInvalidArgument, "The input holds neither pixel_values nor input_ids.");
  }
  if (!images.defined() || !texts.defined()) {
    if (!trained.empty()) {
      fail(Code::kInvalidArgument, "The contrastive loss needs both pixel_values and input_ids.");
    }
    out.emplace_back("last_hidden_state", last);
    if (model.clip_text) {
      out.emplace_back(images.defined() ? "image_features" : "text_features",
                       images.defined() ? images : texts);
    }
    return;
  }
  const Tensor v = images / at::norm(images, 2, {-1}, /*keepdim=*/true);  // [I, D]
  const Tensor t = texts / at::norm(texts, 2, {-1}, /*keepdim=*/true);    // [B, D]
  Tensor per_text = at::mm(t, v.t()) * model.logit_scale.exp();           // [B, I]
  if (model.logit_bias.defined()) per_text = per_text + model.logit_bias;
  out.emplace_back("image_embeds", v);
  out.emplace_back("text_embeds", t);
  out.emplace_back("logits_per_text", per_text);
  out.emplace_back("logits_per_image", per_text.t());
  if (v.size(0) != t.size(0)) {
    if (trained.empty()) return;
    fail(Code::kInvalidArgument, "The contrastive loss needs as many images as texts.");
  }
  const bool is_siglip = model.logit_bias.defined();
  const Tensor loss =
      (is_siglip ? sigmoid_loss(per_text) : contrastive_loss(per_text)).reshape({1});
  out.emplace_back("loss", loss);
  add_gradients(loss, trained, out);
}

// Whisper's encoder: every frame of a clip is heard, its padding too.
void forward_audio(Pass& pass, const Model& model, const TensorMap& inputs,
                   const std::vector<Parameter>& trained, NamedTensors& out) {
  const SoundBatch sounds = sounds_of(inputs);
  if (!sounds.mels.defined()) fail(Code::kInvalidArgument, "The input holds no input_features.");
  if (!trained.empty()) {
    fail(Code::kInvalidArgument, "An encoder of sound alone has no loss to take gradients of.");
  }
  const auto clips = static_cast<int64_t>(sounds.clips.size());
  std::vector<Tensor> states;
  const Tensor last = run_audio_tower(pass, *model.audio, sounds, &states);
  const auto shaped = [&](const Tensor& x) { return x.view({clips, -1, x.size(1)}); };
  for (size_t k = 0; k < states.size(); ++k) {
    out.emplace_back("hidden_states." + std::to_string(k), shaped(states[k]));
  }
  out.emplace_back("last_hidden_state", shaped(last));
}

base::Result<std::optional<at::ScalarType>> dtype_of(const std::string& name) {
  if (name.empty()) return std::optional<at::ScalarType>();
  if (name == "float32") return std::optional<at::ScalarType>(at::kFloat);
  if (name == "bfloat16") return std::optional<at::ScalarType>(at::kBFloat16);
  return base::Error(Code::kInvalidArgument, "The dtype \"" + name + "\" is not known.",
                     "Use float32 or bfloat16.");
}

}  // namespace

base::Result<NamedTensors> forward_tensors(Device& device, const Model& model,
                                           const TensorMap& inputs,
                                           const std::vector<Parameter>& trained) {
  return guarded([&]() -> base::Result<NamedTensors> {
    check_names(model, inputs);
    Pass pass{.device = &device};
    NamedTensors out;
    std::optional<NoRecord> quiet;
    if (trained.empty()) quiet.emplace();
    if (model.text) {
      forward_text(pass, model, inputs, trained, out);
    } else if (model.audio) {
      forward_audio(pass, model, inputs, trained, out);
    } else {
      forward_clip(pass, model, inputs, trained, out);
    }
    for (auto& [name, tensor] : out) tensor = tensor.detach();
    return out;
  });
}

base::Status run_forward(base::FileOps& files, Device& device, const ForwardRequest& request) {
  MORTISE_ASSIGN(const auto dtype, dtype_of(request.dtype));
  MORTISE_ASSIGN(const auto model, load_model(files, request.model_folder, {.dtype = dtype}));
  std::unique_ptr<Adapter> adapter;
  if (!request.adapter_folder.empty()) {
    MORTISE_ASSIGN(adapter, Adapter::load(files, request.adapter_folder, *model));
  }
  MORTISE_ASSIGN(const Checkpoint input, Checkpoint::open_file(files, request.input_path));
  TensorMap inputs;
  for (const std::string& name : input.names()) {
    MORTISE_ASSIGN(inputs[name], input.tensor(name));
  }
  std::vector<Parameter> trained;
  if (request.grad) {
    trained = adapter != nullptr ? adapter->parameters() : model->parameters;
    for (Parameter& parameter : trained) make_trainable(parameter);
  }
  MORTISE_ASSIGN(const NamedTensors outputs, forward_tensors(device, *model, inputs, trained));
  return save_tensors(files, request.output_path, outputs);
}

}  // namespace mortise::engine
