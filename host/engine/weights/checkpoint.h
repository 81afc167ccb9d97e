// A checkpoint folder in Hugging Face layout as a map from name to tensor: one model.safetensors,
// or shards with model.safetensors.index.json. Tensors are views of the mapped files; nothing is
// read before it is touched. Called by engine/model, engine/lora and engine/train. Knows nothing of
// architectures or of how names map to modules.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/weights/safetensors.h"

namespace mortise::engine {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

class Checkpoint {
 public:
  // Opens model.safetensors of `folder`, or the shards that its index names. Errors: NOT_FOUND when
  // there is neither (a .bin, .pt or .pth beside is named and refused: those are pickle);
  // INVALID_ARGUMENT for an index that names a file outside the folder, an absent file, a tensor
  // that its shard does not hold, or the same tensor twice; those of SafetensorsFile::open.
  static base::Result<Checkpoint> open(base::FileOps& files, const std::string& folder);
  // The same over one file.
  static base::Result<Checkpoint> open_file(base::FileOps& files, const std::string& path);

  std::vector<std::string> names() const;  // sorted
  bool contains(std::string_view name) const { return by_name_.contains(name); }
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

  // A read-only view of the mapped bytes, in the file's own type; it keeps the file mapped. A
  // tensor that does not lie on a multiple of its element size is copied. Errors: NOT_FOUND naming
  // the folder; UNIMPLEMENTED for a type that libtorch does not have.
  base::Result<at::Tensor> tensor(std::string_view name) const;
  // Shape without touching data; nullptr when absent.
  const TensorBytes* find(std::string_view name) const;

 private:
  base::Status add(const SafetensorsFile& file);
  struct Place {
    size_t file;
    const TensorBytes* tensor;
  };
  std::string path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, Place, std::less<>> by_name_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

// Writes tensors as one file with metadata {"format": "pt"}. They may lie anywhere and in any
// layout.
base::Status save_tensors(base::FileOps& files, const std::string& path,
                          const NamedTensors& tensors);

// Writes model.safetensors, or model-0000i-of-0000n.safetensors and the index when the tensors need
// more than shard_bytes_max. The order of `tensors` decides the shards. Files of the same names are
// replaced; the index is written last.
base::Status save_checkpoint(base::FileOps& files, const std::string& folder,
                             const NamedTensors& tensors,
                             uint64_t shard_bytes_max = uint64_t{5'000'000'000});

// "BF16" for at::kBFloat16 and so on; empty for a type that safetensors does not have.
std::string_view safetensors_dtype(const at::Tensor& tensor);

}  // namespace mortise::engine
