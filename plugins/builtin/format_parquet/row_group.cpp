// See row_group.h. Exceptions of Parquet cannot leave Arrow's record batch readers, but a damaged
// page may throw when a reader is made; both become failures with file and row.
#include "row_group.h"

#include <arrow/array.h>
#include <parquet/exception.h>
#include <mortise/cpp/json_write.hpp>

#include <algorithm>

#include "arrow_json.h"

namespace mortise::format_parquet {
namespace {

constexpr uint64_t kBatchBytes = 4 << 20;  // of one read, by what the file says of itself

std::string_view bytes_at(const arrow::Array& array, int64_t index) {
  if (array.type_id() == arrow::Type::LARGE_BINARY) {
    return static_cast<const arrow::LargeBinaryArray&>(array).GetView(index);
  }
  if (array.type_id() == arrow::Type::LARGE_STRING) {
    return static_cast<const arrow::LargeStringArray&>(array).GetView(index);
  }
  return static_cast<const arrow::BinaryArray&>(array).GetView(index);  // also StringArray
}

// The last part of a path: what a data set of another machine calls its file.
std::string base_of(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

// One medium. Answers false, with the path in *path, for one that is only named.
bool medium_at(const arrow::Array& array, int64_t index, sdk::OwnedMedium* out, std::string* path) {
  out->is_null = array.IsNull(index);
  if (out->is_null) return true;
  if (array.type_id() != arrow::Type::STRUCT) {
    out->bytes = bytes_at(array, index);
    return true;
  }
  const auto& shape = static_cast<const arrow::StructArray&>(array);
  const auto bytes = shape.GetFieldByName("bytes"), name = shape.GetFieldByName("path");
  if (!name->IsNull(index)) *path = bytes_at(*name, index);
  if (bytes->IsNull(index)) {
    out->is_null = path->empty();
    return out->is_null;
  }
  out->bytes = bytes_at(*bytes, index);
  out->name = base_of(*path);
  return true;
}

}  // namespace

RowGroupReader::RowGroupReader(const ParquetFile& file, int row_group,
                               const std::vector<sdk::MediaColumn>& columns,
                               const std::vector<std::string>& wanted, int64_t memory_bytes_max,
                               const sdk::RowPosition* from)
    : file_(file),
      pool_(memory_bytes_max),
      first_row_(file.first_row(row_group)),
      rows_(file.rows(row_group)) {
  const auto is_wanted = [&](std::string_view name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  std::vector<int> leaves;
  for (const Column& column : file.columns()) {
    const int64_t media = column.media.empty() ? -1 : sdk::find_media_column(columns, column.name);
    // The path of a medium without bytes stands in the row, so "row" needs those columns too.
    if (!is_wanted("row") && (media < 0 || !is_wanted(column.name))) continue;
    sources_.push_back({&column, media});
    leaves.insert(leaves.end(), column.leaves.begin(), column.leaves.end());
  }
  row_ = from == nullptr ? 0 : static_cast<int64_t>(std::min(from->at, uint64_t{1} << 41));
  if (row_ > rows_) {
    throw sdk::data_loss("The cursor does not stand at a row of this file.").at(file.name());
  }
  const uint64_t each = file.bytes(row_group) / static_cast<uint64_t>(std::max<int64_t>(rows_, 1));
  const auto count = std::clamp<uint64_t>(kBatchBytes / std::max<uint64_t>(each, 1), 1, 1024);
  reader_ = file.open_reader(&pool_);
  reader_->set_batch_size(static_cast<int64_t>(count));
  batches_ = take(reader_->GetRecordBatchReader({row_group}, leaves), file.name());
  in_batch_ = row_;
}

// A batch that has the next row; false at the end.
bool RowGroupReader::load() {
  while (batch_ == nullptr || in_batch_ >= batch_->num_rows()) {
    if (batch_ != nullptr) in_batch_ -= batch_->num_rows();
    batch_.reset();
    try {
      check(batches_->ReadNext(&batch_), file_.name());
      if (batch_ != nullptr) check(batch_->ValidateFull(), file_.name());
    } catch (const sdk::Failure& failure) {
      throw failure.at(file_.name(), first_row_ + row_ + 1);
    } catch (const parquet::ParquetException& error) {
      throw sdk::invalid_argument(std::string("The Parquet file is damaged: ") + error.what())
          .at(file_.name(), first_row_ + row_ + 1);
    }
    if (batch_ == nullptr) return false;
  }
  return true;
}

bool RowGroupReader::next(sdk::MediaRow* out) {
  if (row_ >= rows_) return false;
  if (sources_.empty()) {
    out->json = "{}";
  } else if (!load()) {
    throw sdk::data_loss("The row group has fewer rows than it says.")
        .at(file_.name(), first_row_ + row_ + 1);
  } else {
    fill(out, in_batch_);
  }
  out->byte_offset = UINT64_MAX;  // -1 in the column: the format does not tell
  ++row_;
  ++in_batch_;
  return true;
}

void RowGroupReader::fill(sdk::MediaRow* out, int64_t index) {
  sdk::JsonObject row;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    const arrow::Array& array = *batch_->column(static_cast<int>(i));
    try {
      if (source.media_index < 0) {
        if (array.IsNull(index) && file_.is_ours()) continue;
        std::string value;
        if (source.column->is_json) {
          value = bytes_at(array, index);
        } else {
          append_value(&value, array, index);
        }
        row.raw(source.column->name, value);
        continue;
      }
      if (array.IsNull(index)) continue;
      auto& media = out->media[static_cast<size_t>(source.media_index)];
      const auto add = [&](const arrow::Array& items, int64_t at) {
        std::string path;
        sdk::OwnedMedium medium;
        if (medium_at(items, at, &medium, &path)) return media.push_back(std::move(medium));
        if (source.column->is_list) {
          throw sdk::unimplemented("A list of media has items that are only named: \"" + path +
                                   "\".")
              .with_hint("Write the bytes into the file.");
        }
        row.text(source.column->name, path);
      };
      if (!source.column->is_list) {
        add(array, index);
        if (media.size() == 1 && media[0].is_null) media.clear();
      } else if (array.type_id() == arrow::Type::LIST) {
        const auto& list = static_cast<const arrow::ListArray&>(array);
        for (int64_t k = 0; k < list.value_length(index); ++k) {
          add(*list.values(), list.value_offset(index) + k);
        }
      } else {
        const auto& list = static_cast<const arrow::LargeListArray&>(array);
        for (int64_t k = 0; k < list.value_length(index); ++k) {
          add(*list.values(), list.value_offset(index) + k);
        }
      }
    } catch (const sdk::Failure& failure) {
      throw failure.at(file_.name(), first_row_ + row_ + 1, -1, source.column->name);
    }
  }
  out->json = row.finish();
}

}  // namespace mortise::format_parquet
