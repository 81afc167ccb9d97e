// Reading an adapter of PEFT: names of old and new transformers, shapes, and what is missing or too
// much, all of it in one message.
#include <map>
#include <set>

#include "engine/lora/adapter.h"
#include "engine/model/layout.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;

constexpr const char* kWeightsName = "adapter_model.safetensors";

// The key as this release of PEFT writes it: an adapter's own name goes, old module paths become
// new ones.
std::string current_key(const std::string& model_type, std::string key) {
  const size_t named = key.find(".default.");
  if (named != std::string::npos && key.find("lora_") != std::string::npos) {
    key.erase(named, std::string_view(".default").size());
  }
  if (!key.starts_with(kPeftPrefix)) return key;
  std::string_view path = std::string_view(key).substr(kPeftPrefix.size());
  // PEFT splits a module's path from what it adds to it.
  size_t own = path.find(".lora_");
  if (own == std::string_view::npos) own = path.find(".base_layer.");
  const std::string_view tail = own == std::string_view::npos ? "" : path.substr(own);
  if (own != std::string_view::npos) path = path.substr(0, own);
  std::string name(path);
  if (!tail.empty()) name += ".weight";  // memory_name knows tensors
  name = memory_name(model_type, name);
  if (!tail.empty()) name.resize(name.size() - std::string_view(".weight").size());
  std::string out(kPeftPrefix);
  out += name;
  out += tail;
  return out;
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

}  // namespace

base::Status Adapter::take(const Checkpoint& checkpoint, const std::string& path) {
  std::map<std::string, std::string> stored;  // current key -> key in the file
  for (const std::string& key : checkpoint.names()) {
    stored.emplace(current_key(model_.config.model_type, key), key);
  }
  std::string complaints;
  size_t count = 0;
  const auto complain = [&](const std::string& line) {
    if (++count <= 20) complaints += "\n  " + line;
  };
  for (const Parameter& parameter : parameters_) {
    const auto found = stored.find(parameter.name);
    if (found == stored.end()) {
      complain(parameter.name + " is missing");
      continue;
    }
    MORTISE_ASSIGN(const Tensor tensor, checkpoint.tensor(found->second));
    if (tensor.sizes() != parameter.tensor->sizes()) {
      complain(found->second + " has the shape " + shape_text(tensor.sizes()) + ", expected " +
               shape_text(parameter.tensor->sizes()));
    } else {
      *parameter.tensor = tensor.to(parameter.tensor->scalar_type()).clone();
    }
    stored.erase(found);
  }
  for (const auto& [key, in_file] : stored) complain(in_file + " belongs to no module chosen");
  if (count == 0) return {};
  return Error(Code::kInvalidArgument,
               "The adapter does not fit the model in " + std::to_string(count) +
                   " tensors:" + complaints,
               "Use the base model that the adapter was trained on.")
      .at_file(path);
}

base::Result<std::unique_ptr<Adapter>> Adapter::load(base::FileOps& files,
                                                     const std::string& folder, Model& model) {
  return guarded([&]() -> base::Result<std::unique_ptr<Adapter>> {
    MORTISE_ASSIGN(AdapterConfig config, read_adapter_config(files, folder));
    const std::string path = base::join_path(folder, kWeightsName);
    MORTISE_ASSIGN(const bool exists, files.exists(path));
    if (!exists) {
      return Error(Code::kNotFound,
                   "The adapter's folder holds no " + std::string(kWeightsName) + ".",
                   "Weights in .bin, .pt or .pth files are pickle and are not read; convert them.")
          .at_file(folder);
    }
    MORTISE_ASSIGN(const Checkpoint checkpoint, Checkpoint::open_file(files, path));
    std::unique_ptr<Adapter> adapter(new Adapter(model, std::move(config)));
    MORTISE_TRY(adapter->attach());
    MORTISE_TRY(adapter->take(checkpoint, path));
    return adapter;
  });
}

}  // namespace mortise::engine
