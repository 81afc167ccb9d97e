// Schemas between Column and ArrowSchema. See arrow_rows.h.
#include <cstring>
#include <memory>

#include "base/utf8.h"
#include "plugin/arrow_rows.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr int kDepthMax = 64;
constexpr int64_t kChildrenMax = 4096;
constexpr std::string_view kExtensionKey = "ARROW:extension:name";

bool is_plain(std::string_view format) {
  return format.size() == 1 && std::string_view("uUzZbcCsSiIlLfg").find(format) != format.npos;
}
bool is_list(std::string_view format) {
  return format == "+l" || format == "+L";
}

// Of the metadata block: int32 count, then per pair int32 length and bytes of key and value. The
// block has no size of its own, so only its inner bounds can be kept.
std::string read_extension(const char* metadata) {
  if (metadata == nullptr) return {};
  const auto take_int = [&] {
    int32_t value = 0;
    std::memcpy(&value, metadata, sizeof value);
    metadata += sizeof value;
    return value;
  };
  const int32_t count = take_int();
  for (int32_t i = 0; i < count && i < 256; ++i) {
    const int32_t key_size = take_int();
    if (key_size < 0 || key_size > 65536) return {};
    const std::string_view key(metadata, static_cast<size_t>(key_size));
    metadata += key_size;
    const int32_t value_size = take_int();
    if (value_size < 0 || value_size > 65536) return {};
    const std::string_view value(metadata, static_cast<size_t>(value_size));
    metadata += value_size;
    if (key == kExtensionKey) return std::string(value);
  }
  return {};
}

Result<Column> read_column(const ArrowSchema& schema, int depth) {
  Column column;
  if (schema.name != nullptr) column.name = std::string_view(schema.name).substr(0, 4096);
  const auto refuse = [&](std::string text) {
    return Error(Code::kInvalidArgument, "The Arrow schema " + std::move(text))
        .at_field(column.name);
  };
  if (base::utf8_error_offset(column.name) != SIZE_MAX) {
    column.name.clear();
    return refuse("has a column name that is not UTF-8.");
  }
  if (depth > kDepthMax) return refuse("is nested more than 64 levels deep.");
  if (schema.format == nullptr || schema.release == nullptr) return refuse("was released.");
  column.format = std::string_view(schema.format).substr(0, 64);
  column.is_nullable = (schema.flags & ARROW_FLAG_NULLABLE) != 0;
  column.extension = read_extension(schema.metadata);
  if (schema.dictionary != nullptr) return refuse("has a dictionary column, which is not taken.");
  const bool is_struct = column.format == "+s";
  if (!is_plain(column.format) && !is_struct && !is_list(column.format)) {
    return refuse("has the format \"" + column.format + "\" in column \"" + column.name +
                  "\", which is not taken.");
  }
  const int64_t wanted = is_list(column.format) ? 1 : 0;
  if (schema.n_children < 0 || schema.n_children > kChildrenMax ||
      (!is_struct && schema.n_children != wanted) ||
      (schema.n_children > 0 && schema.children == nullptr)) {
    return refuse("has " + std::to_string(schema.n_children) + " children in column \"" +
                  column.name + "\" of format \"" + column.format + "\".");
  }
  for (int64_t i = 0; i < schema.n_children; ++i) {
    if (schema.children[i] == nullptr) return refuse("lacks a child of \"" + column.name + "\".");
    MORTISE_ASSIGN(Column child, read_column(*schema.children[i], depth + 1));
    column.children.push_back(std::move(child));
  }
  return column;
}

// What a made schema points into.
struct SchemaStorage {
  std::string format, name, metadata;
  std::vector<std::unique_ptr<ArrowSchema>> children;
  std::vector<ArrowSchema*> pointers;
};

void release_schema(ArrowSchema* schema) {
  auto* storage = static_cast<SchemaStorage*>(schema->private_data);
  for (auto& child : storage->children) {
    if (child->release != nullptr) child->release(child.get());
  }
  delete storage;
  schema->release = nullptr;
}

std::string metadata_of(std::string_view extension) {
  std::string text;
  const auto put = [&](size_t value) {
    const auto number = static_cast<int32_t>(value);
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
  };
  put(1);
  put(kExtensionKey.size());
  text += kExtensionKey;
  put(extension.size());
  text += extension;
  return text;
}

void fill_schema(const Column& column, ArrowSchema& out) {
  auto storage = std::make_unique<SchemaStorage>();
  storage->format = column.format;
  storage->name = column.name;
  if (!column.extension.empty()) storage->metadata = metadata_of(column.extension);
  for (const Column& child : column.children) {
    storage->children.push_back(std::make_unique<ArrowSchema>());
    fill_schema(child, *storage->children.back());
    storage->pointers.push_back(storage->children.back().get());
  }
  out.format = storage->format.c_str();
  out.name = storage->name.c_str();
  out.metadata = storage->metadata.empty() ? nullptr : storage->metadata.data();
  out.flags = column.is_nullable ? ARROW_FLAG_NULLABLE : 0;
  out.n_children = static_cast<int64_t>(storage->pointers.size());
  out.children = storage->pointers.data();
  out.dictionary = nullptr;
  out.release = &release_schema;
  out.private_data = storage.release();
}

}  // namespace

Result<Column> read_schema(const ArrowSchema& schema) {
  return read_column(schema, 0);
}

OwnedSchema make_schema(const Column& column) {
  OwnedSchema schema;
  fill_schema(column, *schema.out());
  return schema;
}

}  // namespace mortise::plugin
