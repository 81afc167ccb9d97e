// Rows into an HDF5 file of the layout in docs/formats/hdf5.md, visible only once it is whole.
//
// Called by plugin.cpp. Rows and media are gathered in memory, at most 2 GiB, and written by
// commit. [serial]
#pragma once

#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/media.hpp>

#include <string>
#include <vector>

#include "hdf5.h"

namespace mortise::format_hdf5 {

class Hdf5Writer : public sdk::FormatWriter {
 public:
  // schema: "row", utf8, and columns of media; "byte_offset" may stand beside them. Throws
  // INVALID_ARGUMENT naming any other column, ALREADY_EXISTS.
  Hdf5Writer(std::string_view uri, const ArrowSchema& schema, sdk::Json config);

  // Throws INVALID_ARGUMENT with the row (from 1, over all batches), RESOURCE_EXHAUSTED over 2 GiB.
  void append(const sdk::StructView& batch) override;
  void commit() override;

 private:
  struct Column {
    std::string name;
    int64_t index = -1;
    int32_t kind = 0;
    bool is_list = false;
    std::string bytes;
    std::vector<int64_t> offsets{0}, first{0};
    std::vector<std::string> names;
  };
  void take(Column* column, const sdk::Medium& medium);
  void write_column(hid_t media, const Column& column) const;

  int64_t row_column_ = -1;
  std::vector<Column> columns_;
  std::vector<std::string> rows_;
  uint64_t size_bytes_ = 0;
  sdk::File file_;
};

}  // namespace mortise::format_hdf5
