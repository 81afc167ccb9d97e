#include "engine/weights/safetensors.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <tuple>

#include "base/json.h"
#include "base/utf8.h"

namespace mortise::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "data are used as they lie in the file");

using base::Code;
using base::Error;
using base::Json;

const std::map<std::string, size_t, std::less<>>& element_sizes() {
  static const std::map<std::string, size_t, std::less<>> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
      {"F32", 4},  {"I64", 8}, {"U64", 8}, {"F64", 8},     {"C64", 8}};
  return sizes;
}

Error bad_file(const std::string& path, const char* reason, std::string message,
               std::string hint = "Fetch or export the file again.") {
  Error error(Code::kInvalidArgument, std::move(message), std::move(hint));
  error.at_file(path).with("reason", reason);
  return error;
}

// Address space of one file. An empty file has none.
class Mapping {
 public:
  static base::Result<std::shared_ptr<Mapping>> of(base::FileOps& files, const std::string& path) {
    MORTISE_ASSIGN(const auto file, files.open(path, base::OpenMode::kRead));
    MORTISE_ASSIGN(const uint64_t size, file->size());
    auto mapping = std::make_shared<Mapping>();
    if (size == 0) return mapping;
    // A sealed file has no descriptor: it is read into memory.
    const bool is_sealed = file->descriptor() < 0;
    void* at = is_sealed ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                         : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->descriptor(), 0);
    if (at == MAP_FAILED) {
      Error error(Code::kUnavailable, "The file could not be mapped into memory.",
                  "Check that it is an ordinary file on a local disk.");
      return std::move(error.at_file(path));
    }
    mapping->bytes_ = {static_cast<const std::byte*>(at), size};
    for (uint64_t done = 0; is_sealed && done < size;) {
      MORTISE_ASSIGN(const size_t got,
                     file->read_at(done, {static_cast<std::byte*>(at) + done, size - done}));
      if (got == 0) return Error(Code::kDataLoss, "The file ends while it is read.").at_file(path);
      done += got;
    }
    return mapping;
  }
  Mapping() = default;
  ~Mapping() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

// The JSON text of the header, its length checked against the file.
base::Result<std::string_view> header_of(const std::string& path,
                                         std::span<const std::byte> bytes) {
  if (bytes.size() < 8) {
    return bad_file(path, "HeaderTooSmall",
                    "The file has " + std::to_string(bytes.size()) +
                        " bytes; a safetensors file begins with 8 bytes of header length.");
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > kSafetensorsHeaderMax) {
    return bad_file(path, "HeaderTooLarge",
                    "The header length at byte 0 is " + std::to_string(length) +
                        "; the format allows 100000000 at most.")
        .at_byte(0);
  }
  if (length > bytes.size() - 8) {
    return bad_file(path, "InvalidHeaderLength",
                    "The header length at byte 0 is " + std::to_string(length) + ", but only " +
                        std::to_string(bytes.size() - 8) + " bytes follow it.")
        .at_byte(0);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  const size_t valid = base::utf8_error_offset(text);
  if (valid < text.size()) {
    return bad_file(path, "InvalidHeader", "The header is not valid UTF-8.")
        .at_byte(static_cast<int64_t>(8 + valid));
  }
  return text;
}

Error bad_tensor(const std::string& path, const std::string& name, const char* reason,
                 const std::string& message) {
  return bad_file(path, reason, "Tensor \"" + name + "\" " + message).at_field(name);
}

// A tensor of the header with its place relative to the data.
struct Entry {
  TensorBytes tensor;
  uint64_t begin = 0, end = 0;
};

constexpr const char* kFields = "InvalidHeaderDeserialization";

base::Result<std::vector<uint64_t>> numbers_of(const std::string& path, const std::string& name,
                                               const Json& info, const char* field) {
  const Json* list = info.find(field);
  if (list == nullptr || !list->is_array()) {
    return bad_tensor(path, name, kFields, std::string("has no list \"") + field + "\".");
  }
  std::vector<uint64_t> numbers;
  for (const Json& item : list->items()) {
    const bool whole = item.kind() == Json::Kind::kInt || item.kind() == Json::Kind::kUint;
    if (!whole || (item.kind() == Json::Kind::kInt && item.as_int() < 0)) {
      return bad_tensor(
          path, name, kFields,
          std::string("has in \"") + field + "\" something that is not a whole number from 0.");
    }
    numbers.push_back(item.as_uint());
  }
  return numbers;
}

// Product of the shape times the element size, refusing overflow.
base::Result<uint64_t> bytes_of(const std::string& path, const Entry& entry) {
  uint64_t bytes = safetensors_element_bytes(entry.tensor.dtype);
  for (const int64_t size : entry.tensor.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      return bad_tensor(path, entry.tensor.name, "ValidationOverflow",
                        "has a shape whose size in bytes does not fit 64 bits.");
    }
  }
  return bytes;
}

base::Result<Entry> entry_of(const std::string& path, const std::string& name, const Json& info) {
  if (!info.is_object()) return bad_tensor(path, name, kFields, "is not described by an object.");
  for (const auto& [key, value] : info.members()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return bad_tensor(path, name, kFields, "has the unknown field \"" + key + "\".");
    }
  }
  Entry entry;
  entry.tensor.name = name;
  entry.tensor.dtype = info["dtype"].as_string();
  if (safetensors_element_bytes(entry.tensor.dtype) == 0) {
    return bad_tensor(path, name, kFields,
                      "has the dtype \"" + entry.tensor.dtype + "\", which is not known here.");
  }
  MORTISE_ASSIGN(const auto shape, numbers_of(path, name, info, "shape"));
  for (const uint64_t size : shape) {
    if (size > uint64_t{std::numeric_limits<int64_t>::max()}) {
      return bad_tensor(path, name, "ValidationOverflow", "has a dimension over 2^63.");
    }
    entry.tensor.shape.push_back(static_cast<int64_t>(size));
  }
  MORTISE_ASSIGN(const auto offsets, numbers_of(path, name, info, "data_offsets"));
  if (offsets.size() != 2) {
    return bad_tensor(path, name, kFields, "needs two numbers in \"data_offsets\".");
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  return entry;
}

std::string span_text(uint64_t begin, uint64_t end) {
  return std::to_string(begin) + " .. " + std::to_string(end);
}

// Places every tensor: no hole, no overlap, no byte past the end or left over.
base::Status place(const std::string& path, std::vector<Entry>& entries,
                   std::span<const std::byte> data) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
  });
  uint64_t at = 0;
  for (Entry& entry : entries) {
    if (entry.begin != at || entry.end < entry.begin) {
      return bad_tensor(path, entry.tensor.name, "InvalidOffset",
                        "says it lies at data bytes " + span_text(entry.begin, entry.end) +
                            ", but the tensor before it ends at " + std::to_string(at) +
                            ": tensors may neither overlap nor leave holes.")
          .at_byte(static_cast<int64_t>(entry.begin & INT64_MAX));
    }
    MORTISE_ASSIGN(const uint64_t bytes, bytes_of(path, entry));
    if (bytes != entry.end - entry.begin) {
      return bad_tensor(path, entry.tensor.name, "TensorInvalidInfo",
                        "needs " + std::to_string(bytes) + " bytes by its shape and dtype " +
                            entry.tensor.dtype + ", but lies at data bytes " +
                            span_text(entry.begin, entry.end) + ".");
    }
    at = entry.end;
  }
  if (at != data.size()) {
    return bad_file(path, "MetadataIncompleteBuffer",
                    "The tensors need " + std::to_string(at) + " bytes of data, but the file has " +
                        std::to_string(data.size()) + " after its header.",
                    at > data.size() ? "The file was cut: fetch it again."
                                     : "Something was appended to the file: fetch it again.");
  }
  for (Entry& entry : entries) {
    entry.tensor.data = data.subspan(entry.begin, entry.end - entry.begin);
  }
  return {};
}

base::Result<std::vector<std::pair<std::string, std::string>>> metadata_of(const std::string& path,
                                                                           const Json& value) {
  std::vector<std::pair<std::string, std::string>> metadata;
  if (!value.is_object()) {
    return bad_file(path, kFields, "\"__metadata__\" is not an object of texts.");
  }
  for (const auto& [key, text] : value.members()) {
    if (!text.is_string()) {
      return bad_file(path, kFields, "\"__metadata__\" holds \"" + key + "\", which is no text.");
    }
    metadata.emplace_back(key, text.as_string());
  }
  return metadata;
}

}  // namespace

struct SafetensorsFile::State {
  std::string path;
  std::shared_ptr<Mapping> mapping;
  std::vector<TensorBytes> tensors;
  std::map<std::string, size_t, std::less<>> by_name;
  std::vector<std::pair<std::string, std::string>> metadata;
};

size_t safetensors_element_bytes(std::string_view dtype) {
  const auto at = element_sizes().find(dtype);
  return at == element_sizes().end() ? 0 : at->second;
}

base::Result<SafetensorsFile> SafetensorsFile::open(base::FileOps& files, const std::string& path) {
  auto state = std::make_shared<State>();
  state->path = path;
  MORTISE_ASSIGN(state->mapping, Mapping::of(files, path));
  const auto bytes = state->mapping->bytes();
  MORTISE_ASSIGN(const std::string_view text, header_of(path, bytes));
  const auto header =
      base::parse_json(text, {.size_bytes_max = kSafetensorsHeaderMax, .depth_max = 8});
  if (!header.ok()) {
    return bad_file(path, kFields, "The header is not valid JSON: " + header.error().message)
        .at_byte(8 + std::max<int64_t>(header.error().byte_offset, 0));
  }
  if (!header->is_object()) return bad_file(path, kFields, "The header is not a JSON object.");
  std::vector<Entry> entries;
  for (const auto& [name, info] : header->members()) {
    if (name == "__metadata__") {
      MORTISE_ASSIGN(state->metadata, metadata_of(path, info));
      continue;
    }
    MORTISE_ASSIGN(Entry entry, entry_of(path, name, info));
    entries.push_back(std::move(entry));
  }
  MORTISE_TRY(place(path, entries, bytes.subspan(8 + text.size())));
  for (Entry& entry : entries) {
    state->by_name.emplace(entry.tensor.name, state->tensors.size());
    state->tensors.push_back(std::move(entry.tensor));
  }
  return SafetensorsFile(std::move(state));
}

const std::vector<TensorBytes>& SafetensorsFile::tensors() const {
  return state_->tensors;
}
const std::string& SafetensorsFile::path() const {
  return state_->path;
}
const std::vector<std::pair<std::string, std::string>>& SafetensorsFile::metadata() const {
  return state_->metadata;
}

const TensorBytes* SafetensorsFile::find(std::string_view name) const {
  const auto at = state_->by_name.find(name);
  return at == state_->by_name.end() ? nullptr : &state_->tensors[at->second];
}

}  // namespace mortise::engine
