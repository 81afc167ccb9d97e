// A Parquet file in memory, made by Arrow from columns written as JSON.
#pragma once

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/json/from_string.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <string>
#include <vector>

namespace mortise::packs_test {

struct TableColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  std::string json;  // of the whole column
};

inline std::string parquet_of(const std::vector<TableColumn>& columns,
                              int64_t row_group_rows = 1000,
                              std::shared_ptr<arrow::KeyValueMetadata> metadata = nullptr) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const TableColumn& column : columns) {
    fields.push_back(arrow::field(column.name, column.type));
    arrays.push_back(arrow::json::ArrayFromJSONString(column.type, column.json).ValueOrDie());
  }
  const auto table = arrow::Table::Make(arrow::schema(fields, metadata), arrays);
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(
      parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, row_group_rows).ok());
  return sink->Finish().ValueOrDie()->ToString();
}

}  // namespace mortise::packs_test
