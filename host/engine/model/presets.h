// `mortise model new`: a fresh model of a named shape, its weights a function of the seed. Called
// by app/mortise-worker, the benches and the demo. Knows nothing of tokenizers: the caller puts one
// into the folder and gives its vocabulary size as an override.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::engine {

struct NewModelRequest {
  std::string preset;                           // one of preset_names()
  uint64_t seed = 0;                            // equal seeds give equal bytes
  std::string dtype = {};                       // "float32" or "bfloat16"; empty: the preset's own
  base::Json overrides = base::Json::object();  // merged into config.json, objects key by key
};

std::vector<std::string> preset_names();

// config.json of a preset with the overrides merged in. Errors: NOT_FOUND listing the presets;
// INVALID_ARGUMENT for an override of a key that the preset does not have, or a value that
// parse_config refuses.
base::Result<base::Json> preset_config(const NewModelRequest& request);

// Writes config.json, generation_config.json, model.safetensors (or shards) and, with a vision
// tower, preprocessor_config.json and processor_config.json into `folder`, which is made when
// absent. Errors: those of preset_config; ALREADY_EXISTS when the folder holds a config.json; those
// of FileOps.
base::Status new_model(base::FileOps& files, const NewModelRequest& request,
                       const std::string& folder);

}  // namespace mortise::engine
