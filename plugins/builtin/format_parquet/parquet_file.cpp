// A column of media is a struct {bytes, path} as Hugging Face data sets write it, a list of it, or
// plain bytes under a name that says so.
#include "parquet_file.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <mortise/cpp/json_parse.hpp>

#include <algorithm>

namespace mortise::format_parquet {
namespace {

constexpr int kColumnsMax = 4096;
constexpr int kRowGroupsMax = 1 << 20;
constexpr int32_t kThriftBytesMax = 64 << 20, kThriftItemsMax = 4 << 20;

bool is_bytes(const arrow::DataType& type) {
  return type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY;
}
bool is_medium_struct(const arrow::DataType& type) {
  if (type.id() != arrow::Type::STRUCT || type.num_fields() != 2) return false;
  const auto& shape = static_cast<const arrow::StructType&>(type);
  const auto bytes = shape.GetFieldByName("bytes"), path = shape.GetFieldByName("path");
  return bytes != nullptr && path != nullptr && is_bytes(*bytes->type()) &&
         (path->type()->id() == arrow::Type::STRING ||
          path->type()->id() == arrow::Type::LARGE_STRING);
}
bool is_list(const arrow::DataType& type) {
  return type.id() == arrow::Type::LIST || type.id() == arrow::Type::LARGE_LIST;
}

// What a name or a word says of a column.
std::string_view kind_of(std::string_view word, std::string_view otherwise) {
  std::string lower(word);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::pair<const char*, const char*> kWords[] = {
      {"audio", MORTISE_MEDIA_AUDIO},   {"sound", MORTISE_MEDIA_AUDIO},
      {"speech", MORTISE_MEDIA_AUDIO},  {"wav", MORTISE_MEDIA_AUDIO},
      {"video", MORTISE_MEDIA_VIDEO},   {"mp4", MORTISE_MEDIA_VIDEO},
      {"image", MORTISE_MEDIA_IMAGE},   {"img", MORTISE_MEDIA_IMAGE},
      {"picture", MORTISE_MEDIA_IMAGE}, {"jpg", MORTISE_MEDIA_IMAGE},
      {"png", MORTISE_MEDIA_IMAGE}};
  for (const auto& [part, kind] : kWords) {
    if (lower.find(part) != lower.npos) return kind;
  }
  return otherwise;
}

// The features of a Hugging Face data set: column -> "Image", "Audio", "Video".
std::map<std::string, std::string> features_of(const arrow::KeyValueMetadata* metadata) {
  std::map<std::string, std::string> kinds;
  const auto text = metadata == nullptr ? std::string() : metadata->Get("huggingface").ValueOr("");
  if (text.empty()) return kinds;
  try {
    const sdk::JsonDocument document = sdk::JsonDocument::parse(text);
    const sdk::Json features = document.root()["info"]["features"];
    if (!features.is_object()) return kinds;
    features.for_each_member([&](std::string_view name, sdk::Json feature) {
      if (feature["_type"].is_text()) kinds.emplace(name, feature["_type"].as_text());
    });
  } catch (const sdk::Failure&) {
    kinds.clear();  // a hint only: the shapes of the columns remain
  }
  return kinds;
}

void add_leaves(const parquet::arrow::SchemaField& field, std::vector<int>* out) {
  if (field.children.empty() && field.column_index >= 0) out->push_back(field.column_index);
  for (const auto& child : field.children) add_leaves(child, out);
}

std::string_view media_of(const arrow::Field& field, const std::string& feature,
                          const ParquetOptions& options, bool* is_list_out) {
  const arrow::DataType* type = field.type().get();
  *is_list_out = is_list(*type);
  if (*is_list_out) type = static_cast<const arrow::BaseListType&>(*type).value_type().get();
  const bool is_struct = is_medium_struct(*type);
  if (!is_struct && !is_bytes(*type)) return {};
  if (const auto chosen = options.media.find(field.name()); chosen != options.media.end()) {
    return chosen->second == "none" ? std::string_view() : kind_of(chosen->second, {});
  }
  if (feature == "Image" || feature == "Audio" || feature == "Video") return kind_of(feature, {});
  return kind_of(field.name(), is_struct ? MORTISE_MEDIA_IMAGE : std::string_view());
}

parquet::ReaderProperties properties(arrow::MemoryPool* pool) {
  parquet::ReaderProperties made(pool);
  made.enable_buffered_stream();
  made.set_buffer_size(1 << 20);
  made.set_thrift_string_size_limit(kThriftBytesMax);
  made.set_thrift_container_size_limit(kThriftItemsMax);
  return made;
}

// Parquet's own half of Arrow throws.
template <class Body>
auto guard_parquet(const std::string& file, Body&& body) {
  try {
    return body();
  } catch (const parquet::ParquetStatusException& error) {
    check(error.status(), file);
    throw sdk::internal_fault("A status without an error was thrown.");
  } catch (const parquet::ParquetException& error) {
    check(arrow::Status::Invalid(error.what()), file);
    throw sdk::internal_fault("A status without an error was thrown.");
  }
}

}  // namespace

ParquetFile::ParquetFile(const std::string& name, const ParquetOptions& options)
    : name_(name), pool_(std::make_shared<BoundedPool>(options.memory_bytes_max)) {
  const auto reader = open_reader(pool_.get());
  metadata_ = reader->parquet_reader()->metadata();
  if (metadata_->num_columns() > kColumnsMax || metadata_->num_row_groups() > kRowGroupsMax) {
    throw sdk::resource_exhausted("The file has " + std::to_string(metadata_->num_columns()) +
                                  " columns and " + std::to_string(metadata_->num_row_groups()) +
                                  " row groups, which is too many.")
        .at(name_);
  }
  for (int group = 0; group < metadata_->num_row_groups(); ++group) {
    if (rows(group) >= 0 && rows(group) <= int64_t{1} << 40) continue;
    throw sdk::invalid_argument("Row group " + std::to_string(group) + " says it has " +
                                std::to_string(rows(group)) + " rows.")
        .at(name_);
  }
  plan(*reader, options);
}

void ParquetFile::plan(const parquet::arrow::FileReader& reader, const ParquetOptions& options) {
  const auto metadata = metadata_->key_value_metadata();
  const auto features = features_of(metadata.get());
  is_ours_ = metadata != nullptr && metadata->Contains(kRowsKey);
  const std::string json_columns =
      is_ours_ ? "\n" + metadata->Get(kJsonColumnsKey).ValueOr("") + "\n" : std::string();
  std::set<std::string, std::less<>> seen;
  for (const parquet::arrow::SchemaField& field : reader.manifest().schema_fields) {
    Column column;
    column.name = field.field->name();
    if (!seen.insert(column.name).second) {
      throw sdk::invalid_argument("The file has two columns \"" + column.name + "\".")
          .at(name_, -1, -1, column.name);
    }
    if (!options.columns.empty() && !options.columns.contains(column.name)) continue;
    const auto feature = features.find(column.name);
    column.media = media_of(*field.field, feature == features.end() ? "" : feature->second, options,
                            &column.is_list);
    column.is_json = json_columns.find("\n" + column.name + "\n") != json_columns.npos;
    add_leaves(field, &column.leaves);
    columns_.push_back(std::move(column));
  }
  for (const std::string& wanted : options.columns) {
    if (seen.contains(wanted)) continue;
    throw sdk::invalid_argument("The file has no column \"" + wanted + "\".")
        .at(name_, -1, -1, wanted);
  }
}

int ParquetFile::row_groups() const {
  return metadata_->num_row_groups();
}
int64_t ParquetFile::rows(int row_group) const {
  return metadata_->RowGroup(row_group)->num_rows();
}
int64_t ParquetFile::first_row(int row_group) const {
  int64_t row = 0;
  for (int group = 0; group < row_group; ++group) row += rows(group);
  return row;
}
uint64_t ParquetFile::bytes(int row_group) const {
  return static_cast<uint64_t>(
      std::max<int64_t>(metadata_->RowGroup(row_group)->total_byte_size(), 0));
}

std::unique_ptr<parquet::arrow::FileReader> ParquetFile::open_reader(
    arrow::MemoryPool* pool) const {
  return guard_parquet(name_, [&] {
    auto file = parquet::ParquetFileReader::Open(std::make_shared<HostFile>(name_, pool),
                                                 properties(pool), metadata_);
    parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
    arrow_properties.set_pre_buffer(false);
    return take(parquet::arrow::FileReader::Make(pool, std::move(file), arrow_properties), name_);
  });
}

}  // namespace mortise::format_parquet
