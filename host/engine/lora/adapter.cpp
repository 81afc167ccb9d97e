// Making, attaching, writing and merging adapters. Reading is in adapter_load.cpp.
#include "engine/lora/adapter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/op/counter_rng.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;

std::string last_parts(const std::string& module, size_t count) {
  size_t dot = std::string::npos;
  for (; count > 0; --count) {
    dot = module.rfind('.', dot - 1);
    if (dot == std::string::npos) return module;
  }
  return module.substr(dot + 1);
}

// The shortest end of a linear module's name that PEFT may look for: two parts where the last is a
// number, or names a module that is not linear too ("proj" of Qwen's patches beside "attn.proj").
std::string target_name(const Model& model, const std::string& module) {
  const std::string part = last_parts(module, 1);
  const auto is_other = [&](const Parameter& parameter) {
    const std::string owner = parameter.name.substr(0, parameter.name.rfind('.'));
    return last_parts(owner, 1) == part &&
           std::none_of(model.linears.begin(), model.linears.end(),
                        [&](const Linear* linear) { return linear->name == owner; });
  };
  const bool number = part.find_first_not_of("0123456789") == std::string::npos;
  const bool shared = std::any_of(model.parameters.begin(), model.parameters.end(), is_other);
  return last_parts(module, number || shared ? 2 : 1);
}

// "all-linear": the end of each linear module's name, without the head.
void resolve_all_linear(const Model& model, AdapterConfig& config) {
  if (!config.target_modules.all_linear) return;
  std::set<std::string> names, seen;
  const Linear* head = model.text ? &model.text->head : nullptr;
  for (const Linear* linear : model.linears) {
    if (linear == head || !linear->weight.defined()) continue;
    const std::string end = last_parts(linear->name, 2);
    if (seen.insert(end).second) names.insert(target_name(model, linear->name));
  }
  config.target_modules.all_linear = false;
  config.target_modules.names.assign(names.begin(), names.end());
}

std::string known_modules(const Model& model) {
  std::set<std::string> names;
  for (const Linear* linear : model.linears) names.insert(last_parts(linear->name, 1));
  for (const Embedding* embedding : model.embeddings) names.insert(last_parts(embedding->name, 1));
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// FNV-1a: which stream of random numbers a tensor draws from.
uint64_t stream_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

void fill_uniform(Tensor& tensor, uint64_t seed, const std::string& name, double bound) {
  const CounterRng random(seed, stream_of(name));
  float* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = static_cast<float>((2 * random.uniform(static_cast<uint64_t>(i)) - 1) * bound);
  }
}

void fill_normal(Tensor& tensor, uint64_t seed, const std::string& name, double deviation) {
  const CounterRng random(seed, stream_of(name));
  float* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)) * deviation);
  }
}

Tensor row_norms(const Tensor& weight) {
  return at::norm(weight.detach().to(at::kFloat), 2, {1});
}

}  // namespace

Adapter::~Adapter() {
  for (const auto& layer : layers_) {
    if (layer->linear != nullptr) layer->linear->lora = nullptr;
    if (layer->embedding != nullptr) layer->embedding->lora = nullptr;
  }
  for (auto& [slot, original] : originals_) *slot = original;
}

// Keeps what the base had and gives the slot memory of its own.
void Adapter::own(const std::string& key, Tensor& slot) {
  originals_.emplace_back(&slot, slot);
  slot = slot.detach().clone();
  parameters_.push_back({key, &slot});
}

base::Status Adapter::attach_layer(const std::string& module, Linear* linear,
                                   Embedding* embedding) {
  MORTISE_ASSIGN(const bool wanted, is_target(config_, module));
  if (!wanted) return {};
  if (embedding != nullptr && config_.use_dora) {
    return Error(Code::kUnimplemented, "DoRA on the embedding " + module + " is not supported.",
                 "Leave it out of target_modules.");
  }
  LoraFactors*& slot = linear != nullptr ? linear->lora : embedding->lora;
  if (slot != nullptr) {
    return Error(Code::kFailedPrecondition, "The model carries an adapter already.");
  }
  Tensor weight = linear != nullptr ? linear->weight : embedding->weight;
  if (!weight.defined()) weight = model_.text->embed.weight;  // a tied head
  MORTISE_ASSIGN(const ModuleRank rank, rank_of(config_, module));
  auto layer = std::make_unique<Layer>();
  layer->linear = linear;
  layer->embedding = embedding;
  const auto options = at::TensorOptions().dtype(at::kFloat);
  // A Linear's weight is [O, K], an Embedding's [V, C].
  const int64_t inputs = linear != nullptr ? weight.size(1) : weight.size(0);
  const int64_t outputs = linear != nullptr ? weight.size(0) : weight.size(1);
  layer->factors.a = at::zeros({rank.rank, inputs}, options);
  layer->factors.b = at::zeros({outputs, rank.rank}, options);
  if (config_.use_dora) layer->factors.magnitude = row_norms(weight);
  layer->factors.scale = rank.scale;
  layer->factors.dropout = config_.lora_dropout;
  slot = &layer->factors;
  layers_.push_back(std::move(layer));
  return {};
}

base::Status Adapter::attach() {
  resolve_all_linear(model_, config_);
  for (Embedding* embedding : model_.embeddings) {
    MORTISE_TRY(attach_layer(embedding->name, nullptr, embedding));
  }
  for (Linear* linear : model_.linears) {
    MORTISE_TRY(attach_layer(linear->name, linear, nullptr));
  }
  if (layers_.empty()) {
    return Error(Code::kInvalidArgument, "target_modules matches no module of the model.",
                 "The model has " + known_modules(model_) + ".")
        .at_field("/target_modules");
  }
  list_factors();
  MORTISE_TRY(list_whole_modules());
  list_biases();
  return {};
}

// Off: the factors leave their layers, and tensors that train whole change places with the base's.
void Adapter::attach_factors(bool on) {
  for (const auto& layer : layers_) {
    LoraFactors* factors = on ? &layer->factors : nullptr;
    if (layer->linear != nullptr) layer->linear->lora = factors;
    if (layer->embedding != nullptr) layer->embedding->lora = factors;
  }
  for (auto& [slot, other] : originals_) std::swap(*slot, other);
}

base::Status Adapter::check_patterns() const {
  const auto find_unused = [&](const auto& patterns, const char* field) -> base::Status {
    for (const auto& [text, value] : patterns) {
      AdapterConfig alone;
      alone.rank_pattern = {{text, 2}};  // r is 8 where it does not match
      bool is_used = false;
      for (const auto& layer : layers_) {
        MORTISE_ASSIGN(const ModuleRank rank, rank_of(alone, layer->name()));
        is_used = is_used || rank.rank == 2;
      }
      if (is_used) continue;
      return Error(Code::kInvalidArgument,
                   "\"" + text + "\" of " + field + " matches no module that the adapter takes.",
                   "It is a regular expression of the end of a module's name; the adapter takes " +
                       layers_.front()->name() + ", ...")
          .at_field(std::string("/method/") + field);
    }
    return {};
  };
  MORTISE_TRY(find_unused(config_.rank_pattern, "rank_pattern"));
  return find_unused(config_.alpha_pattern, "alpha_pattern");
}

void Adapter::list_factors() {
  for (const auto& layer : layers_) {
    LoraFactors& f = layer->factors;
    if (layer->embedding != nullptr) {
      const std::string key = std::string(kPeftPrefix) + layer->embedding->name;
      parameters_.push_back({key + ".lora_embedding_A", &f.a});
      parameters_.push_back({key + ".lora_embedding_B", &f.b});
      continue;
    }
    const std::string key = std::string(kPeftPrefix) + layer->linear->name;
    parameters_.push_back({key + ".lora_A.weight", &f.a});
    parameters_.push_back({key + ".lora_B.weight", &f.b});
    if (f.magnitude.defined())
      parameters_.push_back({key + ".lora_magnitude_vector", &f.magnitude});
  }
}

base::Status Adapter::list_whole_modules() {
  if (config_.modules_to_save.empty()) return {};
  size_t found = 0;
  for (Parameter& parameter : model_.parameters) {
    const std::string module = parameter.name.substr(0, parameter.name.rfind('.'));
    if (!is_saved_module(config_, module)) continue;
    own(std::string(kPeftPrefix) + parameter.name, *parameter.tensor);
    ++found;
  }
  const bool tied_head = model_.text && !model_.text->head.weight.defined() &&
                         is_saved_module(config_, model_.text->head.name);
  if (tied_head) {
    return Error(Code::kUnimplemented,
                 "modules_to_save names the head, which this model ties to its embeddings.",
                 "Leave it out, or untie the model first.")
        .at_field("/modules_to_save");
  }
  if (found > 0) return {};
  return Error(Code::kInvalidArgument, "modules_to_save matches no module of the model.",
               "The model has " + known_modules(model_) + ".")
      .at_field("/modules_to_save");
}

void Adapter::list_biases() {
  if (config_.bias == "none") return;
  std::set<const Tensor*> listed;
  for (const Parameter& parameter : parameters_) listed.insert(parameter.tensor);
  for (const auto& layer : layers_) {
    if (layer->linear == nullptr || !layer->linear->bias.defined()) continue;
    own(std::string(kPeftPrefix) + layer->linear->name + ".base_layer.bias", layer->linear->bias);
    listed.insert(&layer->linear->bias);
  }
  if (config_.bias != "all") return;
  for (Parameter& parameter : model_.parameters) {
    if (!parameter.name.ends_with(".bias") || listed.contains(parameter.tensor)) continue;
    own(std::string(kPeftPrefix) + parameter.name, *parameter.tensor);
  }
}

void Adapter::initialise(uint64_t seed) {
  for (const auto& layer : layers_) {
    LoraFactors& f = layer->factors;
    const std::string& module = layer->name();
    if (layer->embedding != nullptr) {
      fill_normal(f.b, seed, module + ".lora_embedding_B", 1);
    } else if (config_.gaussian_init) {
      fill_normal(f.a, seed, module + ".lora_A", 1 / static_cast<double>(f.a.size(0)));
    } else {
      fill_uniform(f.a, seed, module + ".lora_A", 1 / std::sqrt(static_cast<double>(f.a.size(1))));
    }
  }
}

base::Result<std::unique_ptr<Adapter>> Adapter::create(Model& model, AdapterConfig config,
                                                       uint64_t seed) {
  return guarded([&]() -> base::Result<std::unique_ptr<Adapter>> {
    std::unique_ptr<Adapter> adapter(new Adapter(model, std::move(config)));
    MORTISE_TRY(adapter->attach());
    MORTISE_TRY(adapter->check_patterns());
    adapter->initialise(seed);
    return adapter;
  });
}

NamedTensors Adapter::tensors() const {
  NamedTensors out;
  for (const Parameter& parameter : parameters_) {
    out.emplace_back(parameter.name, parameter.tensor->detach());
  }
  return out;
}

base::Status Adapter::save(base::FileOps& files, const std::string& folder,
                           const std::string& base_model) const {
  return guarded([&]() -> base::Status {
    MORTISE_TRY(base::make_folders(files, folder));
    MORTISE_TRY(
        save_tensors(files, base::join_path(folder, "adapter_model.safetensors"), tensors()));
    return base::write_file_durably(files, base::join_path(folder, "adapter_config.json"),
                                    adapter_config_json(config_, base_model).dump(2) + "\n");
  });
}

base::Status Adapter::merge() {
  return guarded([&]() -> base::Status {
    for (const auto& layer : layers_) {
      const LoraFactors& f = layer->factors;
      if (layer->linear != nullptr) {
        Linear& linear = *layer->linear;
        if (!linear.weight.defined()) {
          return Error(Code::kUnimplemented,
                       "The adapter changes the head, which this model ties "
                       "to its embeddings, so it cannot be merged.");
        }
        linear.weight = merged_weight(linear.weight, f);
        linear.lora = nullptr;
        continue;
      }
      Embedding& embedding = *layer->embedding;
      const Tensor delta = at::mm(f.b, f.a).t() * f.scale;  // [V, C]
      embedding.weight =
          (embedding.weight.to(at::kFloat) + delta).to(embedding.weight.scalar_type());
      embedding.lora = nullptr;
    }
    layers_.clear();
    parameters_.clear();
    originals_.clear();
    return {};
  });
}

}  // namespace mortise::engine
