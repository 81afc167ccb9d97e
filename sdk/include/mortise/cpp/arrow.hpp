// mortise/cpp/arrow.hpp: owners of Arrow structs, and schemas made and read.
//
// Used by arrow_build.hpp (arrays out), arrow_read.hpp (arrays in) and the kind templates. An owner
// releases exactly once. Knows no library of Arrow.
#ifndef MORTISE_CPP_ARROW_HPP
#define MORTISE_CPP_ARROW_HPP

#include <mortise/arrow.h>
#include <mortise/cpp/status.hpp>

#include <cstring>
#include <memory>
#include <vector>

namespace mortise::sdk {

// Owns one Arrow struct; moving leaves the source released, as the specification says.
template <class Raw>
class ArrowOwner {
 public:
  ArrowOwner() = default;
  // Takes over *from and leaves it released.
  explicit ArrowOwner(Raw* from) : raw_(*from) { from->release = nullptr; }
  ArrowOwner(ArrowOwner&& other) noexcept : raw_(other.raw_) { other.raw_.release = nullptr; }
  ArrowOwner& operator=(ArrowOwner&& other) noexcept {
    if (this != &other) {
      reset();
      raw_ = std::exchange(other.raw_, Raw{});
    }
    return *this;
  }
  ~ArrowOwner() { reset(); }

  Raw* get() { return &raw_; }
  const Raw* get() const { return &raw_; }
  bool is_released() const { return raw_.release == nullptr; }
  void reset() {
    if (raw_.release != nullptr) raw_.release(&raw_);
    raw_.release = nullptr;
  }
  // Gives the struct away: the receiver of *out releases it.
  void move_to(Raw* out) {
    *out = raw_;
    raw_ = Raw{};
  }

 private:
  Raw raw_{};
};

using Array = ArrowOwner<ArrowArray>;
using Schema = ArrowOwner<ArrowSchema>;
using ArrayStream = ArrowOwner<ArrowArrayStream>;

namespace detail {

struct SchemaNode {
  std::string format;
  std::string name;
  std::string metadata;
  std::vector<Schema> children;
  std::vector<ArrowSchema*> pointers;
};

inline void release_schema(ArrowSchema* schema) {
  delete static_cast<SchemaNode*>(schema->private_data);  // releases the children that are left
  schema->release = nullptr;
}

inline void append_int32(std::string* out, int32_t value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace detail

// One pair of a schema's metadata.
struct MetadataPair {
  std::string_view key;
  std::string_view value;
};

// A field: format as in arrow.h, its name, whether nulls may occur, children of "+s" and "+l".
inline Schema make_schema(std::string_view format, std::string_view name, bool is_nullable = false,
                          std::vector<Schema> children = {},
                          const std::vector<MetadataPair>& metadata = {}) {
  auto node = std::make_unique<detail::SchemaNode>();
  node->format = format;
  node->name = name;
  node->children = std::move(children);
  for (Schema& child : node->children) node->pointers.push_back(child.get());
  if (!metadata.empty()) {
    detail::append_int32(&node->metadata, static_cast<int32_t>(metadata.size()));
    for (const MetadataPair& pair : metadata) {
      for (const std::string_view part : {pair.key, pair.value}) {
        detail::append_int32(&node->metadata, static_cast<int32_t>(part.size()));
        node->metadata += part;
      }
    }
  }
  ArrowSchema raw{};
  raw.format = node->format.c_str();
  raw.name = node->name.c_str();
  raw.metadata = node->metadata.empty() ? nullptr : node->metadata.data();
  raw.flags = is_nullable ? ARROW_FLAG_NULLABLE : 0;
  raw.n_children = static_cast<int64_t>(node->pointers.size());
  raw.children = node->pointers.empty() ? nullptr : node->pointers.data();
  raw.release = detail::release_schema;
  raw.private_data = node.release();
  return Schema(&raw);
}

inline Schema struct_schema(std::vector<Schema> fields, std::string_view name = {}) {
  return make_schema("+s", name, false, std::move(fields));
}

inline Schema list_schema(std::string_view name, Schema item, bool is_nullable = false) {
  std::vector<Schema> children;
  children.push_back(std::move(item));
  return make_schema("+l", name, is_nullable, std::move(children));
}

// make_vector(std::move(a), ...): a vector of movables, which an initialiser list cannot give.
template <class Owner, class... Owners>
std::vector<Owner> make_vector(Owner first, Owners... rest) {
  std::vector<Owner> list;
  list.reserve(1 + sizeof...(rest));
  list.push_back(std::move(first));
  (list.push_back(std::move(rest)), ...);
  return list;
}

inline std::string_view schema_name(const ArrowSchema& schema) {
  return schema.name == nullptr ? std::string_view() : std::string_view(schema.name);
}

// Index of the field of a struct schema, or -1.
inline int64_t find_field(const ArrowSchema& schema, std::string_view name) {
  for (int64_t i = 0; i < schema.n_children; ++i) {
    if (schema_name(*schema.children[i]) == name) return i;
  }
  return -1;
}

// Value of a metadata key, or "".
inline std::string_view find_metadata(const ArrowSchema& schema, std::string_view key) {
  const char* at = schema.metadata;
  if (at == nullptr) return {};
  const auto take = [&at] {
    int32_t size = 0;
    std::memcpy(&size, at, sizeof(size));
    at += sizeof(size);
    return size;
  };
  const auto take_text = [&] {
    const int32_t size = take();
    const std::string_view part(at, static_cast<size_t>(size < 0 ? 0 : size));
    at += part.size();
    return part;
  };
  for (int32_t left = take(); left > 0; --left) {
    const std::string_view found = take_text();
    const std::string_view value = take_text();
    if (found == key) return value;
  }
  return {};
}

// A deep copy, with the metadata; dictionaries are left out.
inline Schema copy_schema(const ArrowSchema& from) {
  std::vector<Schema> children;
  for (int64_t i = 0; i < from.n_children; ++i) children.push_back(copy_schema(*from.children[i]));
  std::vector<MetadataPair> metadata;
  constexpr std::string_view kExtensionKeys[] = {"ARROW:extension:name",
                                                 "ARROW:extension:metadata"};
  for (const std::string_view key : kExtensionKeys) {
    const std::string_view value = find_metadata(from, key);
    if (!value.empty()) metadata.push_back({key, value});
  }
  return make_schema(from.format, schema_name(from), (from.flags & ARROW_FLAG_NULLABLE) != 0,
                     std::move(children), metadata);
}

// Throws INVALID_ARGUMENT unless the field has this format; names the field and both formats.
inline void check_format(const ArrowSchema& schema, std::string_view format) {
  if (schema.format == nullptr || std::string_view(schema.format) != format) {
    throw invalid_argument("Column \"" + std::string(schema_name(schema)) +
                           "\" has the Arrow format \"" +
                           (schema.format == nullptr ? "" : schema.format) + "\", expected \"" +
                           std::string(format) + "\".")
        .at("", -1, -1, schema_name(schema));
  }
}

}  // namespace mortise::sdk

#endif
