// Which tensors a model of a given configuration has: names as transformers has them in memory,
// shapes, how a new model begins, and how the names on disk map to them. Data, no tensors. Called
// by model/model (to check a checkpoint), model/presets (to make one) and engine/export.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/config.h"

namespace mortise::engine {

// kSinusoid: sines, then cosines of rising wave length (Vaswani et al. 2017), [positions, C].
enum class Init { kNormal, kOnes, kZeros, kSinusoid };

struct TensorSpec {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  std::vector<int64_t> shape;
  Init init = Init::kNormal;
  double std = 0.02;  // of kNormal
};

// Every tensor of the model, in the order of the layers. A tied head is not listed.
std::vector<TensorSpec> layout_of(const ModelConfig& config);

// Where the parts stand in memory: "model." or "model.language_model." and so on.
struct ModulePrefixes {
  std::string text, head, tower, projector;
};
ModulePrefixes prefixes_of(const std::string& model_type);

// The name in memory of a tensor on disk; both the published spellings and the in-memory one are
// understood. Unknown names come back unchanged.
std::string memory_name(const std::string& model_type, std::string_view disk_name);
// The spelling in which checkpoints are published (and transformers writes them).
std::string disk_name(const std::string& model_type, std::string_view memory_name);

// Buffers and duplicates that published checkpoints carry and no model needs.
bool is_ignorable(const ModelConfig& config, std::string_view memory_name);

}  // namespace mortise::engine
