// The rows of a table of URLs and texts, as LAION and img2dataset write it, with the picture that
// belongs to each.
//
// Called by plugin_laion.cpp. Columns come under one name whatever a release calls them
// (name_columns). A row whose picture is not there names where it should be, so that the host says
// so of this row; or it is left out, where the configuration asks for that.
#pragma once

#include "picture_finder.h"
#include "row_group.h"

namespace mortise::format_parquet {

struct LaionOptions {
  std::string media_folder;       // "": beside the table
  bool has_media_folder = false;  // is media_folder given?
  int64_t rows_per_shard = 10'000;
  int64_t first_shard = -1;  // of tables that are numbered neither by name nor by keys; -1: unknown
  bool skips_missing = false;
};

// Gives the columns that the table of aliases knows their one name (url, text, width, ...). Where
// two columns would get the same name, or it is taken, they keep theirs. Throws INVALID_ARGUMENT
// when there is neither url nor key, or when the file has an image column of its own.
void name_columns(ParquetFile* file);

class LaionReader : public sdk::MediaRowReader {
 public:
  // first_shard: number of the shard that row 0 of the file is in; -1: only keys and URLs tell.
  // file, no_media (empty), options outlive the reader.
  LaionReader(const ParquetFile& file, int row_group, int64_t first_shard,
              const std::vector<sdk::MediaColumn>& no_media, const LaionOptions& options,
              int64_t memory_bytes_max, const sdk::RowPosition* from);

  bool next(sdk::MediaRow* out) override;
  sdk::RowPosition position() const override { return rows_.position(); }

 private:
  void place(const sdk::MediaRow& row, std::string* shard, std::string* key,
             std::string* url) const;

  const ParquetFile& file_;
  const LaionOptions& options_;
  int64_t first_shard_;
  int digits_;  // of a row's number in a key
  RowGroupReader rows_;
  PictureFinder pictures_;
};

// The number of shards that a file's rows fill, and the number in its name: "00012.parquet" -> 12,
// -1 for another name.
int64_t shards_of(const ParquetFile& file, int64_t rows_per_shard);
int64_t shard_in_name(std::string_view file_name);

}  // namespace mortise::format_parquet
