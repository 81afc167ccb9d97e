#include "engine/weights/checkpoint.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/json.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

struct TypeName {
  std::string_view name;
  at::ScalarType type;
};
constexpr TypeName kTypes[] = {{"BF16", at::kBFloat16}, {"F16", at::kHalf}, {"F32", at::kFloat},
                               {"F64", at::kDouble},    {"I64", at::kLong}, {"I32", at::kInt},
                               {"I16", at::kShort},     {"I8", at::kChar},  {"U8", at::kByte},
                               {"BOOL", at::kBool}};

Error not_a_checkpoint(base::FileOps& files, const std::string& folder) {
  Error error(Code::kNotFound, "The folder holds neither model.safetensors nor an index of shards.",
              "Give a folder in Hugging Face layout.");
  const auto list = files.list(folder);
  if (list.ok()) {
    for (const auto& file : *list) {
      if (file.name.ends_with(".bin") || file.name.ends_with(".pt") ||
          file.name.ends_with(".pth")) {
        error.message = "The weights in " + file.name +
                        " are a pickle, which can run code when it is opened; only safetensors "
                        "are read.";
        error.hint = "Convert them to safetensors on a machine that trusts them.";
      }
    }
  }
  return std::move(error.at_file(folder));
}

// The bytes of `tensor` as they go into a file; `keep` holds what they lie in.
TensorBytes bytes_of(const std::string& name, const at::Tensor& tensor,
                     std::vector<at::Tensor>& keep) {
  keep.push_back(tensor.detach().cpu().contiguous());
  const at::Tensor& compact = keep.back();
  return {name, std::string(safetensors_dtype(compact)),
          std::vector<int64_t>(compact.sizes().begin(), compact.sizes().end()),
          std::span(static_cast<const std::byte*>(compact.const_data_ptr()), compact.nbytes())};
}

std::string shard_name(size_t index, size_t count) {
  char text[64];
  std::snprintf(text, sizeof(text), "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return text;
}

// Cuts the list where the next tensor would pass the limit; each tensor stays whole.
std::vector<NamedTensors> shards_of(const NamedTensors& tensors, uint64_t shard_bytes_max) {
  std::vector<NamedTensors> shards(1);
  uint64_t bytes = 0;
  for (const auto& item : tensors) {
    if (bytes > 0 && bytes + item.second.nbytes() > shard_bytes_max) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(item);
    bytes += item.second.nbytes();
  }
  return shards;
}

}  // namespace

std::string_view safetensors_dtype(const at::Tensor& tensor) {
  for (const TypeName& type : kTypes) {
    if (type.type == tensor.scalar_type()) return type.name;
  }
  return {};
}

base::Status Checkpoint::add(const SafetensorsFile& file) {
  files_.push_back(file);
  for (const TensorBytes& tensor : file.tensors()) {
    if (!by_name_.emplace(tensor.name, Place{files_.size() - 1, &tensor}).second) {
      Error error(Code::kInvalidArgument, "Tensor \"" + tensor.name + "\" is in two shards.",
                  "Export the checkpoint again.");
      return std::move(error.at_file(file.path()).at_field(tensor.name));
    }
  }
  return {};
}

base::Result<Checkpoint> Checkpoint::open_file(base::FileOps& files, const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  MORTISE_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(files, path));
  MORTISE_TRY(checkpoint.add(file));
  checkpoint.metadata_ = file.metadata();
  return checkpoint;
}

base::Result<Checkpoint> Checkpoint::open(base::FileOps& files, const std::string& folder) {
  const std::string index_path = base::join_path(folder, kIndex);
  MORTISE_ASSIGN(const bool sharded, files.exists(index_path));
  if (!sharded) {
    const std::string single = base::join_path(folder, kSingle);
    MORTISE_ASSIGN(const bool there, files.exists(single));
    if (!there) return not_a_checkpoint(files, folder);
    return open_file(files, single);
  }
  MORTISE_ASSIGN(const std::string text, base::read_file(files, index_path, 64u << 20));
  auto index = base::parse_json(text);
  if (!index.ok()) return std::move(index.error().at_file(index_path));
  const base::Json& map = (*index)["weight_map"];
  const auto refuse = [&](std::string message, const std::string& field) {
    Error error(Code::kInvalidArgument, std::move(message), "Export the checkpoint again.");
    return std::move(error.at_file(index_path).at_field(field));
  };
  if (map.size() == 0) return refuse("The index has no \"weight_map\".", "/weight_map");
  Checkpoint checkpoint;
  checkpoint.path_ = folder;
  std::map<std::string, bool> opened;
  for (const auto& [name, shard] : map.members()) {
    if (!opened.emplace(shard.as_string(), true).second) continue;
    const base::Status inside = base::check_relative_path(shard.as_string());
    if (!inside.ok()) return refuse("The index names a bad file: " + inside.error().message, name);
    MORTISE_ASSIGN(const SafetensorsFile file,
                   SafetensorsFile::open(files, base::join_path(folder, shard.as_string())));
    MORTISE_TRY(checkpoint.add(file));
  }
  for (const auto& [name, shard] : map.members()) {
    const auto at = checkpoint.by_name_.find(name);
    if (at == checkpoint.by_name_.end() ||
        checkpoint.files_[at->second.file].path() != base::join_path(folder, shard.as_string())) {
      return refuse("The index places tensor \"" + name + "\" in " + shard.as_string() +
                        ", which does not hold it.",
                    name);
    }
  }
  return checkpoint;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, place] : by_name_) names.push_back(name);
  return names;
}

const TensorBytes* Checkpoint::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second.tensor;
}

base::Result<at::Tensor> Checkpoint::tensor(std::string_view name) const {
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) {
    Error error(Code::kNotFound, "Tensor \"" + std::string(name) + "\" is not in the checkpoint.");
    return std::move(error.at_file(path_).at_field(std::string(name)));
  }
  const TensorBytes& bytes = *at->second.tensor;
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const TypeName& item) { return item.name == bytes.dtype; });
  if (type == std::end(kTypes)) {
    Error error(Code::kUnimplemented,
                "Tensor \"" + bytes.name + "\" has the dtype " + bytes.dtype +
                    ", which the engine does not compute with.",
                "Convert the checkpoint to bf16 or fp32.");
    return std::move(error.at_file(path_).at_field(bytes.name));
  }
  return guarded([&]() -> base::Result<at::Tensor> {
    const auto options = at::TensorOptions().dtype(type->type);
    const auto address = reinterpret_cast<uintptr_t>(bytes.data.data());
    if (bytes.data.empty() || address % safetensors_element_bytes(bytes.dtype) != 0) {
      at::Tensor copy = at::empty(bytes.shape, options);
      if (!bytes.data.empty()) {
        std::memcpy(copy.mutable_data_ptr(), bytes.data.data(), bytes.data.size());
      }
      return copy;
    }
    void* data = const_cast<std::byte*>(bytes.data.data());  // mapped read-only; nobody writes
    return at::from_blob(
        data, bytes.shape, [owner = files_[at->second.file].owner()](void*) {}, options);
  });
}

base::Status save_tensors(base::FileOps& files, const std::string& path,
                          const NamedTensors& tensors) {
  return guarded([&]() -> base::Status {
    std::vector<at::Tensor> keep;
    std::vector<TensorBytes> bytes;
    for (const auto& [name, tensor] : tensors) bytes.push_back(bytes_of(name, tensor, keep));
    return write_safetensors(files, path, std::move(bytes), {{"format", "pt"}});
  });
}

base::Status save_checkpoint(base::FileOps& files, const std::string& folder,
                             const NamedTensors& tensors, uint64_t shard_bytes_max) {
  const auto shards = shards_of(tensors, shard_bytes_max);
  if (shards.size() == 1) {
    return save_tensors(files, base::join_path(folder, kSingle), tensors);
  }
  uint64_t total = 0;
  base::Json map = base::Json::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    for (const auto& [key, tensor] : shards[i]) {
      total += tensor.nbytes();
      map.members().emplace_back(key, base::Json(name));
    }
    MORTISE_TRY(save_tensors(files, base::join_path(folder, name), shards[i]));
  }
  std::sort(map.members().begin(), map.members().end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  const base::Json index = base::Json::object(
      {{"metadata", base::Json::object({{"total_size", total}})}, {"weight_map", std::move(map)}});
  return base::write_file_durably(files, base::join_path(folder, kIndex), index.dump(2) + "\n");
}

}  // namespace mortise::engine
