// The writing half of weights/safetensors.h.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/json.h"
#include "engine/weights/safetensors.h"

namespace mortise::engine {
namespace {

using base::Json;

base::Error bad_tensor(const std::string& path, const TensorBytes& tensor,
                       const std::string& message) {
  base::Error error(base::Code::kInvalidArgument, "Tensor \"" + tensor.name + "\" " + message);
  error.at_file(path).at_field(tensor.name);
  return error;
}

base::Status check(const std::string& path, const std::vector<TensorBytes>& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorBytes& tensor = tensors[i];
    if (i > 0 && tensors[i - 1].name == tensor.name) {
      return bad_tensor(path, tensor, "was given twice.");
    }
    if (tensor.name == "__metadata__") return bad_tensor(path, tensor, "has a reserved name.");
    uint64_t bytes = safetensors_element_bytes(tensor.dtype);
    if (bytes == 0) return bad_tensor(path, tensor, "has the unknown dtype " + tensor.dtype + ".");
    for (const int64_t size : tensor.shape) {
      if (size < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
        return bad_tensor(path, tensor, "has an impossible shape.");
      }
    }
    if (bytes != tensor.data.size()) {
      return bad_tensor(path, tensor,
                        "has " + std::to_string(tensor.data.size()) +
                            " bytes, but its shape needs " + std::to_string(bytes) + ".");
    }
  }
  return {};
}

std::string header_of(const std::vector<TensorBytes>& tensors,
                      const std::vector<std::pair<std::string, std::string>>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    Json texts = Json::object();
    for (const auto& [key, value] : metadata) texts[key] = value;
    header["__metadata__"] = std::move(texts);
  }
  uint64_t at = 0;
  for (const TensorBytes& tensor : tensors) {
    Json shape = Json::array();
    for (const int64_t size : tensor.shape) shape.push_back(size);
    const uint64_t end = at + tensor.data.size();
    header.members().emplace_back(
        tensor.name, Json::object({{"dtype", tensor.dtype},
                                   {"shape", std::move(shape)},
                                   {"data_offsets", Json::array({Json(at), Json(end)})}}));
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data begin 8-aligned
  return text;
}

base::Status write_parts(base::FileOps& files, const std::string& path, const std::string& header,
                         const std::vector<TensorBytes>& tensors) {
  MORTISE_ASSIGN(const auto file, files.open(path, base::OpenMode::kTruncate));
  const uint64_t length = header.size();
  std::array<std::byte, 8> prefix;
  std::memcpy(prefix.data(), &length, 8);
  MORTISE_TRY(file->write(prefix));
  MORTISE_TRY(file->write(std::as_bytes(std::span(header))));
  for (const TensorBytes& tensor : tensors) {
    if (!tensor.data.empty()) MORTISE_TRY(file->write(tensor.data));
  }
  MORTISE_TRY(file->sync());
  return file->close();
}

}  // namespace

base::Status write_safetensors(base::FileOps& files, const std::string& path,
                               std::vector<TensorBytes> tensors,
                               const std::vector<std::pair<std::string, std::string>>& metadata) {
  const auto by_name = [](const TensorBytes& a, const TensorBytes& b) { return a.name < b.name; };
  std::sort(tensors.begin(), tensors.end(), by_name);
  MORTISE_TRY(check(path, tensors));
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorBytes& a, const TensorBytes& b) {
    return safetensors_element_bytes(a.dtype) > safetensors_element_bytes(b.dtype);
  });
  const std::string header = header_of(tensors, metadata);
  if (header.size() > kSafetensorsHeaderMax) {
    base::Error error(base::Code::kResourceExhausted,
                      "The header of this file would be larger than the format allows.",
                      "Write the tensors in more shards.");
    return std::move(error.at_file(path));
  }
  const std::string temporary = path + ".part";
  MORTISE_TRY(write_parts(files, temporary, header, tensors));
  MORTISE_TRY(files.rename(temporary, path));
  const size_t slash = path.find_last_of('/');
  return files.sync_folder(slash == std::string::npos ? "." : path.substr(0, slash));
}

}  // namespace mortise::engine
