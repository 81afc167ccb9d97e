// See writer.h. The file is made by HDF5's core driver in memory; its image goes to the host.
#include "writer.h"

#include <mortise/cpp/services.hpp>

#include <algorithm>

#include "hdf5_rows.h"

namespace mortise::format_hdf5 {
namespace {

constexpr uint64_t kBytesMax = uint64_t{2} << 30;

void need(herr_t code) {
  if (code < 0) throw sdk::internal_fault("libhdf5 cannot write a file in memory.");
}

Handle make_dataset(hid_t group, const char* name, hid_t type, hsize_t count) {
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose, "a shape");
  return Handle(H5Dcreate2(group, name, type, space.id(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                H5Dclose, name);
}

template <class Value>
void write_numbers(hid_t group, const char* name, hid_t stored, hid_t memory, const Value* values,
                   size_t count) {
  const Handle dataset = make_dataset(group, name, stored, count);
  if (count == 0) return;
  need(H5Dwrite(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
}

void write_texts(hid_t group, const char* name, const std::vector<std::string>& texts) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "a type");
  need(H5Tset_size(type.id(), H5T_VARIABLE));
  need(H5Tset_cset(type.id(), H5T_CSET_UTF8));
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  write_numbers(group, name, type.id(), type.id(), pointers.data(), pointers.size());
}

void write_attribute(hid_t object, const char* name, int32_t value) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "a shape");
  const Handle attribute(
      H5Acreate2(object, name, H5T_STD_I32LE, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      name);
  need(H5Awrite(attribute.id(), H5T_NATIVE_INT32, &value));
}

}  // namespace

Hdf5Writer::Hdf5Writer(std::string_view uri, const ArrowSchema& schema, sdk::Json)
    : file_(sdk::File::create(uri)) {
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& schema_column = *schema.children[i];
    Column column;
    column.name = sdk::schema_name(schema_column);
    column.index = i;
    const std::string_view kind = sdk::media_extension(schema_column);
    if (column.name == "row") {
      sdk::check_format(schema_column, "u");
      row_column_ = i;
    } else if (!kind.empty() && column.name.find('/') == column.name.npos) {
      column.kind = kind == MORTISE_MEDIA_IMAGE ? 0 : kind == MORTISE_MEDIA_AUDIO ? 1 : 2;
      column.is_list = std::string_view(schema_column.format) == "+l";
      columns_.push_back(std::move(column));
    } else if (column.name != "byte_offset") {
      throw sdk::invalid_argument("Rows and media are written; the column \"" + column.name +
                                  "\" is neither.")
          .at("", -1, -1, column.name);
    }
  }
  if (row_column_ >= 0) return;
  throw sdk::invalid_argument("There is no column \"row\" to write.").at("", -1, -1, "row");
}

void Hdf5Writer::take(Column* column, const sdk::Medium& medium) {
  const uint64_t length =
      medium.member.empty() ? medium.bytes.size() : static_cast<uint64_t>(medium.length);
  if (length > kBytesMax - std::min(size_bytes_, kBytesMax)) {
    throw sdk::resource_exhausted("One HDF5 file takes at most 2 GiB of rows and media.")
        .with_hint("Write several files.");
  }
  if (medium.member.empty()) {
    column->bytes += medium.bytes;
  } else {
    const size_t begin = column->bytes.size();
    column->bytes.resize(begin + length);
    const sdk::File from = sdk::File::open(medium.member);
    const auto at = static_cast<uint64_t>(medium.offset);
    if (from.read_at(at, column->bytes.data() + begin, length) != length) {
      throw sdk::data_loss("The range of a medium ends past its file.")
          .at(medium.member, -1, medium.offset);
    }
  }
  size_bytes_ += length;
  column->offsets.push_back(static_cast<int64_t>(column->bytes.size()));
  column->names.emplace_back(medium.name);
}

void Hdf5Writer::append(const sdk::StructView& batch) {
  const auto texts = batch.column<sdk::TextView>(row_column_, "row");
  for (int64_t row = 0; row < texts.size(); ++row) {
    if (row % 64 == 0) sdk::check_cancelled();
    const auto number = static_cast<int64_t>(rows_.size()) + 1;
    try {
      if (!sdk::JsonDocument::parse(std::string(texts[row])).root().is_object()) {
        throw sdk::invalid_argument("The row is JSON, but not an object.");
      }
      rows_.emplace_back(texts[row]);
      size_bytes_ += texts[row].size();
      for (Column& column : columns_) {
        if (!column.is_list) {
          const auto media = batch.column<sdk::MediumView>(column.index, column.name);
          if (!media.is_null(row)) take(&column, media[row]);
        } else {
          const auto lists =
              batch.column<sdk::ListView<sdk::MediumView>>(column.index, column.name);
          for (int64_t i = lists.begin(row); i < lists.end(row); ++i) {
            if (lists.items().is_null(i)) {
              throw sdk::invalid_argument("A list of media with gaps cannot be written.");
            }
            take(&column, lists.items()[i]);
          }
        }
        column.first.push_back(static_cast<int64_t>(column.names.size()));
      }
    } catch (const sdk::Failure& failure) {
      throw failure.at(file_.name(), number, failure.byte);
    }
  }
}

void Hdf5Writer::write_column(hid_t media, const Column& column) const {
  const Handle group(H5Gcreate2(media, column.name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                     H5Gclose, column.name);
  write_attribute(group.id(), "kind", column.kind);
  write_attribute(group.id(), "is_list", column.is_list ? 1 : 0);
  write_numbers(group.id(), "bytes", H5T_STD_U8LE, H5T_NATIVE_UINT8, column.bytes.data(),
                column.bytes.size());
  write_numbers(group.id(), "offsets", H5T_STD_I64LE, H5T_NATIVE_INT64, column.offsets.data(),
                column.offsets.size());
  write_numbers(group.id(), "first", H5T_STD_I64LE, H5T_NATIVE_INT64, column.first.data(),
                column.first.size());
  write_texts(group.id(), "names", column.names);
}

void Hdf5Writer::commit() {
  const auto lock = library_lock();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "a property list");
  need(H5Pset_fapl_core(access.id(), 1 << 20, 0));
  const Handle made(H5Fcreate("mortise.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose,
                    "a file in memory");
  write_attribute(made.id(), kVersionName, kVersion);
  write_texts(made.id(), "rows", rows_);
  if (!columns_.empty()) {
    const Handle media(H5Gcreate2(made.id(), "media", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                       H5Gclose, "media");
    for (const Column& column : columns_) write_column(media.id(), column);
  }
  need(H5Fflush(made.id(), H5F_SCOPE_GLOBAL));
  const ssize_t size = H5Fget_file_image(made.id(), nullptr, 0);
  if (size < 0) throw sdk::internal_fault("libhdf5 gives no image of a file in memory.");
  std::string image(static_cast<size_t>(size), '\0');
  if (H5Fget_file_image(made.id(), image.data(), image.size()) != size) {
    throw sdk::internal_fault("libhdf5 gives no image of a file in memory.");
  }
  file_.write(image);
  file_.close();
}

}  // namespace mortise::format_hdf5
