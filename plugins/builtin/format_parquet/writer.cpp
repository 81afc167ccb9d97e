// The columns are known before the first row group: Parquet has one schema.
#include "writer.h"

#include <arrow/record_batch.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/exception.h>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/services.hpp>

#include <algorithm>

#include "parquet_file.h"

namespace mortise::format_parquet {
namespace {

constexpr int64_t kRowGroupRows = 8192;

std::shared_ptr<arrow::DataType> medium_type() {
  return arrow::struct_(
      {arrow::field("bytes", arrow::binary()), arrow::field("path", arrow::utf8())});
}

// The bytes of a medium, read where it is a range.
std::string bytes_of(const sdk::Medium& medium) {
  if (medium.member.empty()) return std::string(medium.bytes);
  const sdk::File file = sdk::File::open(medium.member);
  const auto offset = static_cast<uint64_t>(medium.offset);
  const auto length = static_cast<uint64_t>(medium.length);
  const uint64_t size = file.size_bytes();
  if (offset > size || length > size - offset) {
    throw sdk::data_loss("The range of a medium ends past its file.")
        .at(medium.member, -1, medium.offset);
  }
  std::string bytes(length, '\0');
  bytes.resize(file.read_at(offset, bytes.data(), length));
  return bytes;
}

void append_medium(arrow::StructBuilder* builder, const sdk::Medium& medium,
                   const std::string& file) {
  check(builder->Append(), file);
  auto* bytes = static_cast<arrow::BinaryBuilder*>(builder->field_builder(0));
  auto* path = static_cast<arrow::StringBuilder*>(builder->field_builder(1));
  check(bytes->Append(bytes_of(medium)), file);
  check(medium.name.empty() ? path->AppendNull() : path->Append(medium.name), file);
}

}  // namespace

ParquetWriter::ParquetWriter(std::string_view uri, const ArrowSchema& schema, sdk::Json config) {
  if (const sdk::Json fields = config["fields"]; fields.exists()) {
    fields.for_each_member([&](std::string_view name, sdk::Json kind) {
      const std::string_view text = kind.as_text();
      fields_.push_back({std::string(name), text == "integer"   ? Kind::kInteger
                                            : text == "number"  ? Kind::kDouble
                                            : text == "boolean" ? Kind::kBool
                                            : text == "string"  ? Kind::kText
                                                                : Kind::kJson});
    });
  }
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& column = *schema.children[i];
    const std::string name(sdk::schema_name(column));
    if (name == "row") {
      sdk::check_format(column, "u");
      row_column_ = i;
    } else if (!sdk::media_extension(column).empty()) {
      media_.push_back({i, std::string_view(column.format) == "+l", name});
    } else if (name != "byte_offset") {
      throw sdk::invalid_argument("Rows and media are written; the column \"" + name +
                                  "\" is neither.")
          .at("", -1, -1, name);
    }
  }
  if (row_column_ < 0) {
    throw sdk::invalid_argument("There is no column \"row\" to write.").at("", -1, -1, "row");
  }
  sink_ = std::make_shared<HostSink>(uri);
}

// Names and kinds of the members, in the order they are met.
void ParquetWriter::infer(const std::vector<sdk::JsonDocument>& rows) {
  for (const sdk::JsonDocument& row : rows) {
    row.root().for_each_member([&](std::string_view name, sdk::Json value) {
      if (value.is_null()) return;
      const Kind kind = value.is_integer()  ? Kind::kInteger
                        : value.is_number() ? Kind::kDouble
                        : value.is_bool()   ? Kind::kBool
                        : value.is_text()   ? Kind::kText
                                            : Kind::kJson;
      auto known = std::find_if(fields_.begin(), fields_.end(),
                                [&](const Field& field) { return field.name == name; });
      if (known == fields_.end()) {
        fields_.push_back({std::string(name), kind});
      } else if (known->kind != kind) {
        known->kind = Kind::kJson;
      }
    });
  }
}

void ParquetWriter::begin() {
  std::string json_columns;
  arrow::FieldVector fields;
  for (const Field& field : fields_) {
    const auto type = field.kind == Kind::kInteger  ? arrow::int64()
                      : field.kind == Kind::kDouble ? arrow::float64()
                      : field.kind == Kind::kBool   ? arrow::boolean()
                                                    : arrow::utf8();
    if (field.kind == Kind::kJson) json_columns += (json_columns.empty() ? "" : "\n") + field.name;
    fields.push_back(arrow::field(field.name, type));
  }
  for (const MediaSource& source : media_) {
    const auto type = source.is_list ? arrow::list(medium_type()) : medium_type();
    fields.push_back(arrow::field(source.name, type));
  }
  const auto metadata = arrow::key_value_metadata({kRowsKey, kJsonColumnsKey}, {"1", json_columns});
  schema_ = arrow::schema(fields, metadata);
  const auto properties = parquet::WriterProperties::Builder()
                              .compression(parquet::Compression::ZSTD)
                              ->max_row_group_length(kRowGroupRows)
                              ->created_by("mortise")
                              ->build();
  const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  writer_ = take(parquet::arrow::FileWriter::Open(*schema_, arrow::system_memory_pool(), sink_,
                                                  properties, arrow_properties),
                 sink_->name());
  check(writer_->AddKeyValueMetadata(metadata), sink_->name());
}

void ParquetWriter::check_members(const std::vector<sdk::JsonDocument>& rows) const {
  int64_t row = rows_;
  for (const sdk::JsonDocument& document : rows) {
    ++row;
    document.root().for_each_member([&](std::string_view name, sdk::Json value) {
      const bool is_known = std::any_of(fields_.begin(), fields_.end(),
                                        [&](const Field& field) { return field.name == name; });
      if (is_known || value.is_null()) return;
      throw sdk::invalid_argument("The member \"" + std::string(name) + "\" has no column.")
          .at(sink_->name(), row, -1, name)
          .with_hint(
              "A Parquet file has one schema: name all members in the configuration's"
              " \"fields\", or have them in the first batch.");
    });
  }
}

void ParquetWriter::append_member(arrow::ArrayBuilder* builder, const Field& field,
                                  sdk::Json value) {
  const auto put = [&](arrow::Status status) { check(status, sink_->name()); };
  if (!value.exists() || (value.is_null() && field.kind != Kind::kJson)) {
    return put(builder->AppendNull());
  }
  const auto expect = [&](bool holds) {
    if (holds) return;
    throw sdk::invalid_argument("The member \"" + field.name +
                                "\" is of another type than its column.");
  };
  switch (field.kind) {
    case Kind::kInteger:
      expect(value.is_integer());
      return put(static_cast<arrow::Int64Builder*>(builder)->Append(value.as_integer()));
    case Kind::kDouble:
      expect(value.type() == sdk::JsonType::kDouble);
      return put(static_cast<arrow::DoubleBuilder*>(builder)->Append(value.as_double()));
    case Kind::kBool:
      expect(value.is_bool());
      return put(static_cast<arrow::BooleanBuilder*>(builder)->Append(value.as_bool()));
    case Kind::kText:
      expect(value.is_text());
      return put(static_cast<arrow::StringBuilder*>(builder)->Append(value.as_text()));
    case Kind::kJson: {
      std::string json;
      sdk::append_json(&json, value);
      return put(static_cast<arrow::StringBuilder*>(builder)->Append(json));
    }
  }
}

std::shared_ptr<arrow::Array> ParquetWriter::fields_of(const Field& field,
                                                       const std::vector<sdk::JsonDocument>& rows) {
  const auto builder =
      take(arrow::MakeBuilder(schema_->GetFieldByName(field.name)->type()), sink_->name());
  int64_t row = rows_;
  for (const sdk::JsonDocument& document : rows) {
    ++row;
    try {
      append_member(builder.get(), field, document.root()[field.name]);
    } catch (const sdk::Failure& failure) {
      throw failure.at(sink_->name(), row, -1, field.name);
    }
  }
  return take(builder->Finish(), sink_->name());
}

std::shared_ptr<arrow::Array> ParquetWriter::media_of(const MediaSource& source,
                                                      const sdk::StructView& batch) {
  const auto builder =
      take(arrow::MakeBuilder(schema_->GetFieldByName(source.name)->type()), sink_->name());
  if (!source.is_list) {
    const auto media = batch.column<sdk::MediumView>(source.index, source.name);
    auto* items = static_cast<arrow::StructBuilder*>(builder.get());
    for (int64_t row = 0; row < media.size(); ++row) {
      if (media.is_null(row)) {
        check(items->AppendNull(), sink_->name());
      } else {
        append_medium(items, media[row], sink_->name());
      }
    }
    return take(builder->Finish(), sink_->name());
  }
  const auto lists = batch.column<sdk::ListView<sdk::MediumView>>(source.index, source.name);
  auto* list = static_cast<arrow::ListBuilder*>(builder.get());
  auto* items = static_cast<arrow::StructBuilder*>(list->value_builder());
  for (int64_t row = 0; row < lists.size(); ++row) {
    check(lists.is_null(row) ? list->AppendNull() : list->Append(), sink_->name());
    for (int64_t i = lists.begin(row); i < lists.end(row); ++i) {
      if (lists.items().is_null(i)) {
        check(items->AppendNull(), sink_->name());
      } else {
        append_medium(items, lists.items()[i], sink_->name());
      }
    }
  }
  return take(builder->Finish(), sink_->name());
}

void ParquetWriter::append(const sdk::StructView& batch) {
  const auto texts = batch.column<sdk::TextView>(row_column_, "row");
  std::vector<sdk::JsonDocument> rows;
  for (int64_t row = 0; row < texts.size(); ++row) {
    try {
      rows.push_back(sdk::JsonDocument::parse(std::string(texts[row])));
      if (!rows.back().root().is_object()) {
        throw sdk::invalid_argument("The row is JSON, but not an object.");
      }
    } catch (const sdk::Failure& failure) {
      throw failure.at(sink_->name(), rows_ + row + 1, failure.byte);
    }
  }
  if (rows.empty()) return;
  sdk::check_cancelled();
  if (writer_ == nullptr) {
    if (fields_.empty()) infer(rows);
    begin();
  }
  check_members(rows);
  arrow::ArrayVector columns;
  for (const Field& field : fields_) columns.push_back(fields_of(field, rows));
  for (const MediaSource& source : media_) columns.push_back(media_of(source, batch));
  const auto made =
      arrow::RecordBatch::Make(schema_, static_cast<int64_t>(rows.size()), std::move(columns));
  check(writer_->WriteRecordBatch(*made), sink_->name());
  rows_ += static_cast<int64_t>(rows.size());
}

void ParquetWriter::commit() {
  if (writer_ == nullptr) begin();
  check(writer_->Close(), sink_->name());
  sink_->publish();
}

}  // namespace mortise::format_parquet
