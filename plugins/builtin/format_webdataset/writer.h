// Rows into one WebDataset shard that is visible only once it is whole.
//
// Called by plugin.cpp. Writes what a reader of this pack reads back as it was: "text" as .txt, a
// whole "label" as .cls, the other fields as .json, media under their own endings. [serial]
#pragma once

#include <mortise/cpp/files.hpp>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/media.hpp>

#include <set>
#include <string>
#include <vector>

namespace mortise::format_webdataset {

class ShardWriter : public sdk::FormatWriter {
 public:
  // schema: "row", utf8, and columns of media; "byte_offset" may stand beside them. Throws
  // INVALID_ARGUMENT naming any other column, ALREADY_EXISTS.
  ShardWriter(std::string_view uri, const ArrowSchema& schema, sdk::Json config);

  // Throws INVALID_ARGUMENT with the row (from 1, over all batches): no JSON object, a key twice.
  void append(const sdk::StructView& batch) override;
  void commit() override;

 private:
  struct Column {
    int64_t index;
    bool is_list;
  };
  std::string write_fields(std::string_view json);
  void write_medium(const std::string& key, const sdk::Medium& medium, const std::string& infix);
  void write_member(const std::string& name, std::string_view data);
  void write_header(const std::string& name, uint64_t size_bytes);

  int64_t row_column_ = -1;
  std::vector<Column> media_;
  sdk::File file_;
  std::set<std::string> keys_;
  int64_t rows_ = 0;
};

}  // namespace mortise::format_webdataset
