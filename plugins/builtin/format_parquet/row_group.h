// The rows of one row group as JSON and media.
//
// Called by plugin.cpp. Only the leaves of the wanted columns are read; a few rows at a time are in
// memory. A position is the number of the row in its group: resuming passes over the rows before.
#pragma once

#include <arrow/record_batch.h>

#include "parquet_file.h"

namespace mortise::format_parquet {

// Turns rows that lie in columns into rows of a batch; the LAION plugin looks its media up.
class RowGroupReader : public sdk::MediaRowReader {
 public:
  // file, columns (of the schema) must outlive the reader. wanted: names of columns of the schema
  // to fill; empty: all.
  RowGroupReader(const ParquetFile& file, int row_group,
                 const std::vector<sdk::MediaColumn>& columns,
                 const std::vector<std::string>& wanted, int64_t memory_bytes_max,
                 const sdk::RowPosition* from);

  bool next(sdk::MediaRow* out) override;
  sdk::RowPosition position() const override {
    return {static_cast<uint64_t>(first_row_ + row_ + 1), static_cast<uint64_t>(row_), 0};
  }

 private:
  bool load();
  void fill(sdk::MediaRow* out, int64_t index);

  struct Source {  // a column of the file that is read
    const Column* column;
    int64_t media_index;  // among the columns of the schema; -1 for a field of the row
  };
  const ParquetFile& file_;
  std::vector<Source> sources_;
  BoundedPool pool_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t first_row_, rows_;
  int64_t row_ = 0;       // next
  int64_t in_batch_ = 0;  // its place in batch_
};

}  // namespace mortise::format_parquet
