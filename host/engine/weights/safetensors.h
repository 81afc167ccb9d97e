// The safetensors format: a bounds-checked reader over mapped memory and a deterministic writer.
// Layout: u64 little-endian N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data
// without holes. Called by weights/checkpoint and by engine/lora. Knows no tensor library: a tensor
// here is a name, a type, a shape and bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::engine {

constexpr uint64_t kSafetensorsHeaderMax = 100'000'000;  // bytes; the format's own limit

// One tensor. `data` is borrowed: from the file's mapping (reader) or from the caller (writer).
struct TensorBytes {
  std::string name;
  std::string dtype;  // "F32", "BF16", "I64", ... as the format spells it
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
};

// Bytes of one element; 0 for a type that the format does not have or packs below a byte.
size_t safetensors_element_bytes(std::string_view dtype);

// A file open for reading. Cheap to copy; the mapping lives as long as any copy.
class SafetensorsFile {
 public:
  // Maps the file and checks everything in its header. Errors: INVALID_ARGUMENT naming file,
  // tensor, byte and remedy, with detail "reason" one of HeaderTooSmall, HeaderTooLarge,
  // InvalidHeaderLength, InvalidHeader (not UTF-8), InvalidHeaderDeserialization (not JSON,
  // duplicate name, wrong or unknown field), InvalidOffset (hole, overlap), ValidationOverflow,
  // TensorInvalidInfo (bytes do not fit type and shape), MetadataIncompleteBuffer (file shorter or
  // longer than its tensors); those of FileOps::open.
  static base::Result<SafetensorsFile> open(base::FileOps& files, const std::string& path);

  // In the order of their bytes.
  const std::vector<TensorBytes>& tensors() const;
  const TensorBytes* find(std::string_view name) const;  // nullptr when absent
  const std::vector<std::pair<std::string, std::string>>& metadata() const;
  const std::string& path() const;
  // Keeps the mapped bytes alive.
  std::shared_ptr<const void> owner() const { return state_; }

 private:
  struct State;
  explicit SafetensorsFile(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// Writes one file durably (temporary file, sync, rename, sync of the folder). Tensors are stored by
// falling element size, then by name, so equal content gives equal bytes. Errors: INVALID_ARGUMENT
// for a duplicate name or bytes that do not fit the shape; those of FileOps.
base::Status write_safetensors(base::FileOps& files, const std::string& path,
                               std::vector<TensorBytes> tensors,
                               const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace mortise::engine
