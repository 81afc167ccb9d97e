// Data sets of equal first dimension: uint8 [N, H, W] and [N, H, W, 1 or 3] are pictures, texts are
// texts, numbers with one value a row are numbers, with several a flat list.
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/png_write.hpp>

#include <algorithm>
#include <cmath>

#include "hdf5_rows.h"

namespace mortise::format_hdf5 {
namespace {

constexpr uint64_t kPixelsMax = 64'000'000, kValuesMax = 65'536;

enum class Kind { kPicture, kText, kInteger, kReal };

struct Source {
  std::string name;
  Dataset data;
  Kind kind = Kind::kInteger;
  uint64_t values = 1;  // of one row
};

// Throws UNIMPLEMENTED for a type or a shape that has no place in a row.
Source source_of(hid_t file, const std::string& name, const Limits& limits) {
  Source source;
  source.name = name;
  source.data = open_dataset(file, name, limits);
  const std::vector<hsize_t>& shape = source.data.shape;
  for (size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] == 0 || source.values > 4 * kPixelsMax / shape[i]) {
      throw sdk::resource_exhausted("A row of \"" + name + "\" is too large, or empty.");
    }
    source.values *= shape[i];
  }
  const bool is_byte = source.data.type_class == H5T_INTEGER && source.data.type_bytes == 1;
  const size_t rank = shape.size();
  const bool is_picture = is_byte && source.values > 1 &&
                          (rank == 3 || (rank == 4 && (shape[3] == 1 || shape[3] == 3)));
  if (is_picture && shape[1] <= kPixelsMax / shape[2]) {
    source.kind = Kind::kPicture;
  } else if (source.data.is_text && rank == 1) {
    source.kind = Kind::kText;
  } else if (source.data.type_class == H5T_INTEGER && source.values <= kValuesMax) {
    source.kind = Kind::kInteger;
  } else if (source.data.type_class == H5T_FLOAT && source.values <= kValuesMax) {
    source.kind = Kind::kReal;
  } else {
    throw sdk::unimplemented("The data set \"" + name + "\" has a type or shape that is not read.")
        .with_hint("Texts, whole numbers, numbers, and uint8 pictures [N, H, W, 1 or 3] are.");
  }
  return source;
}

class ArraysLayout : public Layout {
 public:
  ArraysLayout(std::vector<Handle> files, std::vector<Source> sources, const Limits& limits)
      : files_(std::move(files)), sources_(std::move(sources)), limits_(limits) {
    for (const Source& source : sources_) {
      if (source.kind == Kind::kPicture) {
        columns_.push_back({source.name, MORTISE_MEDIA_IMAGE, false});
      }
    }
  }
  uint64_t rows() const override { return sources_[0].data.shape[0]; }
  const std::vector<sdk::MediaColumn>& columns() const override { return columns_; }

  void read(uint64_t row, sdk::MediaRow* out) override {
    sdk::JsonObject object;
    size_t picture = 0;
    for (const Source& source : sources_) {
      if (source.kind == Kind::kPicture) {
        sdk::OwnedMedium medium;
        medium.bytes = picture_of(source, row);
        out->media[picture++].push_back(std::move(medium));
      } else if (source.kind == Kind::kText) {
        object.text(source.name, read_text(source.data, row, limits_, source.name));
      } else {
        object.raw(source.name, numbers_of(source, row));
      }
    }
    out->json = object.finish();
  }

 private:
  static std::string picture_of(const Source& source, uint64_t row) {
    std::string pixels(source.values, '\0');
    read_rows(source.data, H5T_NATIVE_UINT8, row, 1, pixels.data(), source.name);
    const std::vector<hsize_t>& shape = source.data.shape;
    const bool is_colour = shape.size() == 4 && shape[3] == 3;
    return sdk::encode_png(pixels, static_cast<uint32_t>(shape[2]), static_cast<uint32_t>(shape[1]),
                           is_colour ? 3 : 1);
  }
  static std::string numbers_of(const Source& source, uint64_t row) {
    std::string list;
    const bool is_list = source.data.shape.size() > 1 && source.values > 1;
    const auto comma = [&] {
      if (!list.empty()) list += ',';
    };
    if (source.kind == Kind::kInteger) {
      std::vector<int64_t> values(source.values);
      read_rows(source.data, H5T_NATIVE_INT64, row, 1, values.data(), source.name);
      for (const int64_t value : values) {
        comma();
        list += std::to_string(value);
      }
    } else {
      std::vector<double> values(source.values);
      read_rows(source.data, H5T_NATIVE_DOUBLE, row, 1, values.data(), source.name);
      for (const double value : values) {
        comma();
        std::isfinite(value) ? sdk::append_json_number(&list, value) : void(list += "null");
      }
    }
    return is_list ? "[" + list + "]" : list;
  }

  std::vector<Handle> files_;
  std::vector<Source> sources_;  // released before their files
  const Limits& limits_;
  std::vector<sdk::MediaColumn> columns_;
};

}  // namespace

std::unique_ptr<Layout> open_arrays(std::vector<Handle> files,
                                    const std::vector<std::string>& names, const Limits& limits) {
  std::vector<Source> sources;
  for (size_t i = 0; i < files.size(); ++i) {
    try {
      for (const std::string& name : names_in(files[i].id())) {
        Source source = source_of(files[i].id(), name, limits);
        const auto same = [&](const Source& other) { return other.name == name; };
        if (std::any_of(sources.begin(), sources.end(), same)) {
          throw sdk::invalid_argument("Two of the joined files have a data set \"" + name + "\".");
        }
        if (!sources.empty() && source.data.shape[0] != sources[0].data.shape[0]) {
          throw sdk::invalid_argument(
              "\"" + name + "\" has " + std::to_string(source.data.shape[0]) + " rows, \"" +
              sources[0].name + "\" has " + std::to_string(sources[0].data.shape[0]) + ".")
              .with_hint("Data sets of one file are columns and need equal first dimensions.");
        }
        sources.push_back(std::move(source));
      }
    } catch (const sdk::Failure& failure) {
      throw failure.at(names[i], -1, -1, failure.field);
    }
  }
  if (sources.empty()) {
    throw sdk::invalid_argument("The file holds no data sets at its root.").at(names[0]);
  }
  return std::make_unique<ArraysLayout>(std::move(files), std::move(sources), limits);
}

}  // namespace mortise::format_hdf5
