// Rows into a Parquet file that is visible only once it is whole.
//
// Called by plugin.cpp. The configuration's "fields", else the members of the first batch's rows,
// become columns: whole numbers, numbers, true and false, texts; anything else, and what differs
// from row to row, is JSON text.
// Media become structs {bytes, path}. [serial]
#pragma once

#include <arrow/builder.h>
#include <parquet/arrow/writer.h>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/media.hpp>

#include <memory>
#include <string>
#include <vector>

#include "arrow_files.h"

namespace mortise::format_parquet {

class ParquetWriter : public sdk::FormatWriter {
 public:
  // schema: "row", utf8, and columns of media; "byte_offset" may stand beside them. Throws
  // INVALID_ARGUMENT naming any other column, ALREADY_EXISTS.
  ParquetWriter(std::string_view uri, const ArrowSchema& schema, sdk::Json config);

  // Throws INVALID_ARGUMENT with row (from 1, over all batches) and field: no JSON object, a member
  // or a type that is in no column.
  void append(const sdk::StructView& batch) override;
  void commit() override;

 private:
  enum class Kind { kInteger, kDouble, kBool, kText, kJson };
  struct Field {
    std::string name;
    Kind kind;
  };
  struct MediaSource {
    int64_t index;
    bool is_list;
    std::string name;
  };
  void infer(const std::vector<sdk::JsonDocument>& rows);
  void begin();  // the file, once the columns are known
  void append_member(arrow::ArrayBuilder* builder, const Field& field, sdk::Json value);
  std::shared_ptr<arrow::Array> fields_of(const Field& field,
                                          const std::vector<sdk::JsonDocument>& rows);
  std::shared_ptr<arrow::Array> media_of(const MediaSource& source, const sdk::StructView& batch);
  void check_members(const std::vector<sdk::JsonDocument>& rows) const;

  int64_t row_column_ = -1;
  std::vector<MediaSource> media_;
  std::shared_ptr<HostSink> sink_;
  std::vector<Field> fields_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t rows_ = 0;
};

}  // namespace mortise::format_parquet
