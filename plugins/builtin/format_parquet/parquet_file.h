// One Parquet file opened: its columns as this pack sees them, and its row groups.
//
// Called by plugin.cpp and row_group.cpp. Reads the footer only. The bounds of a file are checked
// here, before a page is touched.
#pragma once

#include <parquet/arrow/reader.h>
#include <mortise/cpp/media_rows.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "arrow_files.h"

namespace mortise::format_parquet {

struct ParquetOptions {
  std::set<std::string, std::less<>> columns;             // empty: all
  std::map<std::string, std::string, std::less<>> media;  // column -> image, audio, video, none
  int64_t memory_bytes_max = 0;                           // of one stream
};

// A top-level column.
struct Column {
  std::string name;
  std::vector<int> leaves;  // as Parquet numbers them
  std::string_view media;   // MORTISE_MEDIA_..., or empty
  bool is_list = false;     // of media
  bool is_json = false;     // text written by this pack that is JSON
};

// What this pack writes into the key-value metadata of a file, so that rows come back as they were.
inline constexpr const char* kRowsKey = "mortise.rows";
inline constexpr const char* kJsonColumnsKey = "mortise.json_columns";

class ParquetFile {
 public:
  // Throws INVALID_ARGUMENT for what is no Parquet file or lacks a column that options name,
  // RESOURCE_EXHAUSTED over a bound, UNIMPLEMENTED for encrypted files.
  ParquetFile(const std::string& name, const ParquetOptions& options);

  const std::string& name() const { return name_; }
  const std::vector<Column>& columns() const { return columns_; }
  // Rows call this column so; it is read by its leaves.
  void rename(size_t column, std::string name) { columns_[column].name = std::move(name); }
  bool is_ours() const { return is_ours_; }  // absent members are left out, not null
  int row_groups() const;
  int64_t rows(int row_group) const;
  int64_t first_row(int row_group) const;  // of the file, from 0
  uint64_t bytes(int row_group) const;     // uncompressed, as the file says
  // A reader of its own for one stream.
  std::unique_ptr<parquet::arrow::FileReader> open_reader(arrow::MemoryPool* pool) const;

 private:
  void plan(const parquet::arrow::FileReader& reader, const ParquetOptions& options);

  std::string name_;
  std::shared_ptr<BoundedPool> pool_;  // the metadata take memory from it as long as they live
  std::shared_ptr<parquet::FileMetaData> metadata_;
  std::vector<Column> columns_;
  bool is_ours_ = false;
};

}  // namespace mortise::format_parquet
