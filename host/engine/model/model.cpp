#include "engine/model/model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/model/layout.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;

// Puts tensors into their slots and lists the slots. Every slot is filled exactly once.
class Binder {
 public:
  Binder(Model& model, std::map<std::string, Tensor> tensors)
      : model_(model), tensors_(std::move(tensors)) {}

  void tensor(const std::string& name, Tensor& slot) {
    slot = tensors_.at(name);
    model_.parameters.push_back({name, &slot});
  }
  void linear(const std::string& name, Linear& slot) {
    slot.name = name;
    if (tensors_.contains(name + ".weight")) tensor(name + ".weight", slot.weight);
    if (tensors_.contains(name + ".bias")) tensor(name + ".bias", slot.bias);
    model_.linears.push_back(&slot);
  }
  void embedding(const std::string& name, Embedding& slot) {
    slot.name = name;
    tensor(name + ".weight", slot.weight);
    model_.embeddings.push_back(&slot);
  }
  void norm(const std::string& name, Norm& slot, double eps) {
    slot.eps = eps;
    if (!tensors_.contains(name + ".weight")) return;  // a norm this architecture does not have
    tensor(name + ".weight", slot.weight);
    if (tensors_.contains(name + ".bias")) tensor(name + ".bias", slot.bias);
  }

 private:
  Model& model_;
  std::map<std::string, Tensor> tensors_;
};

void bind_text(Binder& bind, Decoder& decoder, const ModulePrefixes& prefixes) {
  const TextConfig& config = decoder.config;
  const double eps = config.rms_norm_eps;
  bind.embedding(prefixes.text + "embed_tokens", decoder.embed);
  decoder.layers.resize(static_cast<size_t>(config.layers));
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    DecoderLayer& layer = decoder.layers[i];
    const std::string name = prefixes.text + "layers." + std::to_string(i) + ".";
    layer.window = config.windows[i];
    bind.norm(name + "input_layernorm", layer.input_norm, eps);
    bind.linear(name + "self_attn.q_proj", layer.q);
    bind.linear(name + "self_attn.k_proj", layer.k);
    bind.linear(name + "self_attn.v_proj", layer.v);
    bind.linear(name + "self_attn.o_proj", layer.o);
    bind.norm(name + "self_attn.q_norm", layer.q_norm, eps);
    bind.norm(name + "self_attn.k_norm", layer.k_norm, eps);
    bind.norm(name + "post_attention_layernorm", layer.post_norm, eps);
    bind.linear(name + "mlp.gate_proj", layer.gate);
    bind.linear(name + "mlp.up_proj", layer.up);
    bind.linear(name + "mlp.down_proj", layer.down);
  }
  bind.norm(prefixes.text + "norm", decoder.norm, eps);
  bind.linear(prefixes.head, decoder.head);
}

void bind_encoder_layers(Binder& bind, const EncoderConfig& config, const std::string& prefix,
                         std::vector<EncoderLayer>& layers) {
  layers.resize(static_cast<size_t>(config.layers));
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string name = prefix + "encoder.layers." + std::to_string(i) + ".";
    bind.linear(name + "self_attn.k_proj", layers[i].k);
    bind.linear(name + "self_attn.v_proj", layers[i].v);
    bind.linear(name + "self_attn.q_proj", layers[i].q);
    bind.linear(name + "self_attn.out_proj", layers[i].out);
    bind.norm(name + "layer_norm1", layers[i].norm1, config.layer_norm_eps);
    bind.linear(name + "mlp.fc1", layers[i].fc1);
    bind.linear(name + "mlp.fc2", layers[i].fc2);
    bind.norm(name + "layer_norm2", layers[i].norm2, config.layer_norm_eps);
  }
}

void bind_vision(Binder& bind, VisionTower& tower, const std::string& prefix) {
  const double eps = tower.config.layer_norm_eps;
  const bool is_siglip = tower.config.is_siglip;
  const std::string embeddings = prefix + "embeddings.";
  if (!is_siglip) bind.tensor(embeddings + "class_embedding", tower.class_embedding);
  bind.tensor(embeddings + "patch_embedding.weight", tower.patch_weight);
  if (is_siglip) bind.tensor(embeddings + "patch_embedding.bias", tower.patch_bias);
  bind.tensor(embeddings + "position_embedding.weight", tower.positions);
  bind.norm(prefix + "pre_layrnorm", tower.pre_norm, eps);
  bind_encoder_layers(bind, tower.config, prefix, tower.layers);
  bind.norm(prefix + "post_layernorm", tower.post_norm, eps);
  if (!is_siglip) return;
  PoolingHead& head = tower.head;
  bind.tensor(prefix + "head.probe", head.probe);
  bind.tensor(prefix + "head.attention.in_proj_weight", head.in_weight);
  bind.tensor(prefix + "head.attention.in_proj_bias", head.in_bias);
  bind.linear(prefix + "head.attention.out_proj", head.out);
  bind.norm(prefix + "head.layernorm", head.norm, eps);
  bind.linear(prefix + "head.mlp.fc1", head.fc1);
  bind.linear(prefix + "head.mlp.fc2", head.fc2);
}

void bind_qwen_vision(Binder& bind, QwenTower& tower, const std::string& prefix) {
  const double eps = tower.config.norm_eps;
  bind.tensor(prefix + "patch_embed.proj.weight", tower.patch_weight);
  tower.blocks.resize(static_cast<size_t>(tower.config.layers));
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    QwenBlock& block = tower.blocks[i];
    const std::string name = prefix + "blocks." + std::to_string(i) + ".";
    bind.norm(name + "norm1", block.norm1, eps);
    bind.norm(name + "norm2", block.norm2, eps);
    bind.linear(name + "attn.qkv", block.qkv);
    bind.linear(name + "attn.proj", block.proj);
    if (tower.config.is_gated) {
      bind.linear(name + "mlp.gate_proj", block.gate);
      bind.linear(name + "mlp.up_proj", block.up);
      bind.linear(name + "mlp.down_proj", block.down);
    } else {
      bind.linear(name + "mlp.fc1", block.fc1);
      bind.linear(name + "mlp.fc2", block.fc2);
    }
  }
  bind.norm(prefix + "merger.ln_q", tower.merger_norm, eps);
  bind.linear(prefix + "merger.mlp.0", tower.merger_1);
  bind.linear(prefix + "merger.mlp.2", tower.merger_2);
}

void bind_audio(Binder& bind, AudioTower& tower, const std::string& prefix) {
  const double eps = tower.config.layers.layer_norm_eps;
  bind.tensor(prefix + "conv1.weight", tower.conv1_weight);
  bind.tensor(prefix + "conv1.bias", tower.conv1_bias);
  bind.tensor(prefix + "conv2.weight", tower.conv2_weight);
  bind.tensor(prefix + "conv2.bias", tower.conv2_bias);
  bind.tensor(prefix + "embed_positions.weight", tower.positions);
  tower.layers.resize(static_cast<size_t>(tower.config.layers.layers));
  for (size_t i = 0; i < tower.layers.size(); ++i) {
    EncoderLayer& layer = tower.layers[i];
    const std::string name = prefix + "layers." + std::to_string(i) + ".";
    bind.linear(name + "self_attn.k_proj", layer.k);
    bind.linear(name + "self_attn.v_proj", layer.v);
    bind.linear(name + "self_attn.q_proj", layer.q);
    bind.linear(name + "self_attn.out_proj", layer.out);
    bind.norm(name + "self_attn_layer_norm", layer.norm1, eps);
    bind.linear(name + "fc1", layer.fc1);
    bind.linear(name + "fc2", layer.fc2);
    bind.norm(name + "final_layer_norm", layer.norm2, eps);
  }
  bind.norm(prefix + "layer_norm", tower.norm, eps);
}

void bind_clip_text(Binder& bind, ClipText& text) {
  bind.embedding("text_model.embeddings.token_embedding", text.tokens);
  bind.tensor("text_model.embeddings.position_embedding.weight", text.positions);
  bind_encoder_layers(bind, text.config, "text_model.", text.layers);
  bind.norm("text_model.final_layer_norm", text.final_norm, text.config.layer_norm_eps);
}

std::string shape_text(at::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  text += ']';
  return text;
}

// What does not fit, as one message that lists all of it (at most 20 lines).
class Complaints {
 public:
  void add(const std::string& line) {
    if (++count_ > 20) return;
    lines_ += "\n  ";
    lines_ += line;
  }
  base::Status status() const {
    if (count_ == 0) return {};
    std::string text = "The weights do not fit config.json in " + std::to_string(count_) +
                       (count_ == 1 ? " tensor:" : " tensors:") + lines_;
    if (count_ > 20) text += "\n  and " + std::to_string(count_ - 20) + " more";
    return Error(Code::kInvalidArgument, text,
                 "Use the config.json that belongs to these weights.");
  }

 private:
  size_t count_ = 0;
  std::string lines_;
};

base::Status check_tensors(const ModelConfig& config, const std::map<std::string, Tensor>& have) {
  Complaints complaints;
  std::set<std::string> known;
  for (const TensorSpec& spec : layout_of(config)) {
    known.insert(spec.name);
    const auto at = have.find(spec.name);
    if (at == have.end()) {
      complaints.add(spec.name + " is missing (expected " + shape_text(spec.shape) + ")");
    } else if (at->second.sizes() != at::ArrayRef<int64_t>(spec.shape)) {
      complaints.add(spec.name + " has the shape " + shape_text(at->second.sizes()) +
                     ", expected " + shape_text(spec.shape));
    }
  }
  for (const auto& [name, tensor] : have) {
    if (!known.contains(name)) complaints.add(name + " is not a tensor of this architecture");
  }
  return complaints.status();
}

void bind_model(Model& model, std::map<std::string, Tensor> tensors) {
  const ModelConfig& config = model.config;
  const ModulePrefixes prefixes = prefixes_of(config.model_type);
  Binder bind(model, std::move(tensors));
  if (config.vision) {
    model.vision.emplace().config = *config.vision;
    bind_vision(bind, *model.vision, prefixes.tower);
  }
  if (config.qwen_vision) {
    model.qwen_vision.emplace().config = *config.qwen_vision;
    bind_qwen_vision(bind, *model.qwen_vision, prefixes.tower);
  }
  if (config.audio) {
    model.audio.emplace().config = *config.audio;
    bind_audio(bind, *model.audio, prefixes.tower);
    if (config.text) bind.linear(prefixes.projector + "linear", model.projector_1);
  }
  if (config.clip_text) {
    model.clip_text.emplace().config = *config.clip_text;
    const bool is_siglip = config.clip_text->is_siglip;
    bind_clip_text(bind, *model.clip_text);
    if (!is_siglip) bind.linear("visual_projection", model.visual_projection);
    bind.linear(is_siglip ? "text_model.head" : "text_projection", model.text_projection);
    bind.tensor("logit_scale", model.logit_scale);
    if (is_siglip) bind.tensor("logit_bias", model.logit_bias);
  }
  if (config.has_fixed_images()) {
    bind.linear(prefixes.projector + "linear_1", model.projector_1);
    bind.linear(prefixes.projector + "linear_2", model.projector_2);
  }
  if (config.text) {
    model.text.emplace().config = *config.text;
    bind_text(bind, *model.text, prefixes);
  }
}

// The type to compute in when nobody asked for one: that of the largest tensor, fp16 as bf16.
at::ScalarType own_dtype(const std::map<std::string, Tensor>& tensors) {
  const Tensor* largest = nullptr;
  for (const auto& [name, tensor] : tensors) {
    if (largest == nullptr || tensor.numel() > largest->numel()) largest = &tensor;
  }
  const bool is_half = largest != nullptr && (largest->scalar_type() == at::kHalf ||
                                              largest->scalar_type() == at::kBFloat16);
  return is_half ? at::kBFloat16 : at::kFloat;
}

// Where in the rows the placeholders of one kind of picture stand. They are overwritten with 0: one
// may lie outside the vocabulary, and what is embedded there is replaced. What follows a cached
// prompt was generated: there the id is a token as any other.
std::vector<int64_t> take_places(Tensor& ids, int64_t token_id, const TextInputs& in) {
  std::vector<int64_t> places;
  if (token_id < 0) return places;
  int32_t* data = ids.mutable_data_ptr<int32_t>();
  for (size_t s = 0; s + 1 < in.bounds.host.size(); ++s) {
    if (!in.caches.empty() && in.caches[s]->length() > 0) continue;
    for (int64_t t = in.bounds.host[s]; t < in.bounds.host[s + 1]; ++t) {
      if (data[t] != token_id) continue;
      places.push_back(t);
      data[t] = 0;
    }
  }
  return places;
}

// Features take the place of the embeddings of the placeholders of their kind, in order.
void place_features(const Model& model, const char* kind, const Tensor& features,
                    const std::vector<int64_t>& places, Tensor& embeds) {
  const int64_t count = features.defined() ? features.size(0) : 0;
  if (count == static_cast<int64_t>(places.size())) {
    if (count == 0) return;
    const Tensor index = at::tensor(at::ArrayRef<int64_t>(places), at::kLong).to(embeds.device());
    embeds = embeds.index_copy(0, index, features.to(embeds.scalar_type()));
    return;
  }
  const std::string tokens =
      "The rows hold " + std::to_string(places.size()) + " " + kind + " tokens, but ";
  if (!features.defined()) {
    fail(Code::kInvalidArgument, tokens + "no " + kind + " was given.",
         std::string("Give the ") + kind + "s, or leave their placeholders out of the text.");
  }
  std::string given = std::string("the ") + kind + "s give " + std::to_string(count) + " features";
  if (model.vision) given += " (" + std::to_string(model.config.tokens_per_image()) + " an image)";
  fail(Code::kInvalidArgument, tokens + given + ".",
       std::string("Put exactly one expanded placeholder into the text for each ") + kind + ".");
}

// Sounds as features [M, C]; undefined without sounds.
Tensor features_of_sounds(Pass& pass, const Model& model, const SoundBatch& sounds) {
  if (!sounds.mels.defined()) return {};
  return project(pass, model, tower_rows_of(pass, model, sounds));
}

// Pictures of Qwen-VL as features [M, C]; undefined without pictures. The tower's states go into
// `states` unless that is nullptr.
Tensor picture_features(Pass& pass, const Model& model, const PatchBatch& pictures,
                        std::vector<Tensor>* states) {
  if (!pictures.patches.defined()) return {};
  if (!model.qwen_vision) {
    fail(Code::kInvalidArgument, "Pictures of any size were given, but a " +
                                     model.config.model_type + " model takes none.");
  }
  QwenFeatures result = run_qwen_vision(pass, *model.qwen_vision, pictures);
  if (states != nullptr) *states = std::move(result.states);
  return result.features;
}

template <class Item>
Item* find_named(const std::vector<Item*>& items, std::string_view name) {
  for (Item* item : items) {
    if (item->name == name) return item;
  }
  return nullptr;
}

}  // namespace

Parameter* Model::find_parameter(std::string_view name) {
  for (Parameter& parameter : parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}
Linear* Model::find_linear(std::string_view name) {
  return find_named(linears, name);
}

base::Result<std::unique_ptr<Model>> build_model(const ModelConfig& config, at::ScalarType dtype,
                                                 const NamedTensors& tensors) {
  return guarded([&]() -> base::Result<std::unique_ptr<Model>> {
    std::map<std::string, Tensor> by_name(tensors.begin(), tensors.end());
    MORTISE_TRY(check_tensors(config, by_name));
    for (auto& [name, tensor] : by_name) tensor = tensor.to(dtype);
    auto model = std::make_unique<Model>();
    model->config = config;
    model->dtype = dtype;
    bind_model(*model, std::move(by_name));
    return model;
  });
}

base::Result<std::unique_ptr<Model>> load_model(base::FileOps& files, const std::string& folder,
                                                const LoadOptions& options) {
  MORTISE_ASSIGN(const ModelConfig config, read_config(files, folder));
  MORTISE_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(files, folder));
  std::map<std::string, Tensor> tensors;
  for (const std::string& disk : checkpoint.names()) {
    const std::string name = memory_name(config.model_type, disk);
    if (is_ignorable(config, name)) continue;
    MORTISE_ASSIGN(Tensor tensor, checkpoint.tensor(disk));
    if (!tensors.emplace(name, std::move(tensor)).second) {
      Error error(Code::kInvalidArgument,
                  "The checkpoint holds tensor \"" + name + "\" under two spellings.",
                  "Remove one of them.");
      return std::move(error.at_file(folder).at_field(disk));
    }
  }
  const at::ScalarType dtype = options.dtype.value_or(own_dtype(tensors));
  auto model = build_model(config, dtype, NamedTensors(tensors.begin(), tensors.end()));
  if (!model.ok()) return std::move(model.error().at_file(folder));
  return model;
}

void make_trainable(Parameter& parameter) {
  *parameter.tensor = parameter.tensor->detach().clone();
  parameter.tensor->set_requires_grad(true);
}

NamedTensors tensors_on_disk(const Model& model) {
  NamedTensors tensors;
  for (const Parameter& parameter : model.parameters) {
    tensors.emplace_back(disk_name(model.config.model_type, parameter.name), *parameter.tensor);
  }
  return tensors;
}

Tensor tower_rows_of(Pass& pass, const Model& model, const PatchBatch& pictures) {
  return qwen_tower_rows(pass, *model.qwen_vision, pictures);
}

Tensor tower_rows_of(Pass& pass, const Model& model, const Tensor& pixels) {
  const ModelConfig& config = model.config;
  if (!config.has_fixed_images()) {
    fail(Code::kInvalidArgument,
         "Images were given, but a " + config.model_type + " model has no vision tower for them.");
  }
  std::vector<size_t> wanted;
  for (const int64_t layer : config.feature_layers) {
    const int64_t from_start = layer < 0 ? layer + config.vision->layers + 1 : layer;
    wanted.push_back(static_cast<size_t>(from_start));
  }
  const auto last = static_cast<int64_t>(*std::max_element(wanted.begin(), wanted.end()));
  const std::vector<Tensor> states = run_vision(pass, *model.vision, pixels, last);
  std::vector<Tensor> parts;
  for (const size_t layer : wanted) {
    const Tensor& state = states[layer];  // [I, S, C]
    parts.push_back(config.drops_class_token ? state.narrow(1, 1, state.size(1) - 1) : state);
  }
  const Tensor chosen = at::cat(parts, 2);  // [I, P, C * layers]
  return chosen.reshape({-1, chosen.size(2)});
}

Tensor tower_rows_of(Pass& pass, const Model& model, const SoundBatch& sounds) {
  if (model.audio) return run_audio_tower(pass, *model.audio, sounds);
  fail(Code::kInvalidArgument,
       "Sound was given, but a " + model.config.model_type + " model has no audio tower for it.");
}

Tensor project(Pass& pass, const Model& model, const Tensor& rows) {
  if (model.audio) return model.projector_1.forward(pass, rows);
  if (model.qwen_vision) return merge_rows(pass, *model.qwen_vision, rows);
  const Tensor inner = gelu(*pass.device, model.projector_1.forward(pass, rows),
                            gelu_kind(model.config.projector_activation));
  return model.projector_2.forward(pass, inner);
}

Tensor image_features_of(Pass& pass, const Model& model, const Tensor& pixels) {
  const Tensor features = project(pass, model, tower_rows_of(pass, model, pixels));
  return features.view({pixels.size(0), -1, features.size(1)});
}

void place_pictures(const Model& model, TextInputs& in) {
  if (!model.qwen_vision) return;
  const std::span ids(in.ids.const_data_ptr<int32_t>(), static_cast<size_t>(in.ids.size(0)));
  in.positions = mrope_positions(model.config, ids, in.bounds.host, in.images, in.videos).values;
}

TextOutputs run_text(Pass& pass, const Model& model, const TextInputs& in) {
  if (!model.text) {
    fail(Code::kInvalidArgument, "A " + model.config.model_type + " model has no decoder.");
  }
  TextOutputs out;
  Tensor ids = model.config.is_multimodal() ? in.ids.clone() : in.ids;
  const std::vector<int64_t> image_places = take_places(ids, model.config.image_token_id, in);
  const std::vector<int64_t> video_places = take_places(ids, model.config.video_token_id, in);
  const std::vector<int64_t> sound_places = take_places(ids, model.config.audio_token_id, in);
  Tensor features = in.image_features;
  if (!features.defined() && in.pixels.defined()) {
    out.image_features = image_features_of(pass, model, in.pixels);
    features = out.image_features.flatten(0, 1);  // [I*P, C]
  }
  if (in.images.patches.defined()) {
    features = out.image_features =
        picture_features(pass, model, in.images, in.keep_states ? &out.vision_states : nullptr);
  }
  out.video_features = in.videos.patches.defined()
                           ? picture_features(pass, model, in.videos, nullptr)
                           : in.video_features;
  out.sound_features =
      in.sounds.mels.defined() ? features_of_sounds(pass, model, in.sounds) : in.sound_features;
  Tensor embeds = model.text->embed.forward(pass, ids);
  place_features(model, "image", features, image_places, embeds);
  place_features(model, "video", out.video_features, video_places, embeds);
  place_features(model, "sound", out.sound_features, sound_places, embeds);
  DecoderOutputs decoded = run_decoder(pass, *model.text,
                                       {.embeds = embeds,
                                        .positions = in.positions,
                                        .bounds = in.bounds,
                                        .key_rows = in.key_rows,
                                        .key_bounds = in.key_bounds,
                                        .caches = in.caches,
                                        .keep_states = in.keep_states});
  out.last = std::move(decoded.last);
  out.states = std::move(decoded.states);
  return out;
}

Tensor logits_of(Pass& pass, const Model& model, const Tensor& hidden) {
  return linear(*pass.device, hidden, head_weight(*model.text), Tensor());
}

Tensor loss_of(Pass& pass, const Model& model, const Tensor& hidden, const Tensor& rows,
               const Tensor& labels, Loss* loss) {
  const Tensor weight = head_weight(*model.text);
  if (loss != nullptr) return loss->apply(*pass.device, hidden, weight, rows, labels);
  return linear_cross_entropy(*pass.device, hidden, weight, rows, labels);
}

}  // namespace mortise::engine
