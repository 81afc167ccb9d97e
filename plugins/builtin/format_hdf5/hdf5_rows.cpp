// See hdf5_rows.h.
#include "hdf5_rows.h"

#include <mortise/cpp/json_parse.hpp>

#include <algorithm>

namespace mortise::format_hdf5 {
namespace {

constexpr int64_t kMediumBytesMax = int64_t{1} << 30;

// Media of one column: the media of row i are first[i] .. first[i + 1] - 1.
struct MediaSource {
  std::string name;
  Dataset bytes, offsets, first, names;
};

int32_t read_int_attribute(hid_t object, const char* name) {
  const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose,
                         std::string("attribute ") + name);
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, "an attribute");
  int32_t value = 0;
  if (H5Sget_simple_extent_npoints(space.id()) != 1 ||
      H5Aread(attribute.id(), H5T_NATIVE_INT32, &value) < 0) {
    fail(std::string("the attribute ") + name + " is no whole number");
  }
  return value;
}

class RowsLayout : public Layout {
 public:
  RowsLayout(Handle file, std::string name, const Limits& limits)
      : file_(std::move(file)), name_(std::move(name)), limits_(limits) {
    rows_ = open_dataset(file_.id(), "rows", limits);
    if (!rows_.is_text || rows_.shape.size() != 1) fail("\"rows\" is no list of texts");
    if (!has_name(file_.id(), "media")) return;
    const Handle media(H5Gopen2(file_.id(), "media", H5P_DEFAULT), H5Gclose, "media");
    for (const std::string& column : names_in(media.id())) open_column(media.id(), column);
  }
  uint64_t rows() const override { return rows_.shape[0]; }
  const std::vector<sdk::MediaColumn>& columns() const override { return columns_; }

  void read(uint64_t row, sdk::MediaRow* out) override {
    out->json = read_text(rows_, row, limits_, "rows");
    sdk::JsonLimits json;
    json.size_bytes = limits_.text_bytes_max;
    if (!sdk::JsonDocument::parse(out->json, json).root().is_object()) {
      throw sdk::invalid_argument("The row is JSON, but not an object.");
    }
    for (size_t i = 0; i < media_.size(); ++i) read_media(media_[i], row, &out->media[i]);
  }

 private:
  void open_column(hid_t media, const std::string& column) {
    constexpr std::string_view kKinds[] = {MORTISE_MEDIA_IMAGE, MORTISE_MEDIA_AUDIO,
                                           MORTISE_MEDIA_VIDEO};
    const Handle group(H5Gopen2(media, column.c_str(), H5P_DEFAULT), H5Gclose, "media/" + column);
    const int32_t kind = read_int_attribute(group.id(), "kind");
    if (kind < 0 || kind > 2) fail("media/" + column + " is of an unknown kind");
    const bool is_list = read_int_attribute(group.id(), "is_list") != 0;
    MediaSource source;
    source.name = "media/" + column;
    source.bytes = open_dataset(group.id(), "bytes", limits_);
    source.offsets = open_dataset(group.id(), "offsets", limits_);
    source.first = open_dataset(group.id(), "first", limits_);
    source.names = open_dataset(group.id(), "names", limits_);
    const auto is_flat = [](const Dataset& data, H5T_class_t wanted) {
      return data.type_class == wanted && data.shape.size() == 1;
    };
    if (!is_flat(source.bytes, H5T_INTEGER) || source.bytes.type_bytes != 1 ||
        !is_flat(source.offsets, H5T_INTEGER) || !is_flat(source.first, H5T_INTEGER) ||
        !is_flat(source.names, H5T_STRING) || source.first.shape[0] != rows() + 1 ||
        source.offsets.shape[0] != source.names.shape[0] + 1) {
      fail(source.name + " does not have the shapes of its layout");
    }
    columns_.push_back({column, kKinds[kind], is_list});
    media_.push_back(std::move(source));
  }

  void read_media(const MediaSource& source, uint64_t row, std::vector<sdk::OwnedMedium>* out) {
    int64_t first[2];
    read_rows(source.first, H5T_NATIVE_INT64, row, 2, first, source.name);
    if (first[0] < 0 || first[1] < first[0] || first[1] - first[0] > 10'000) {
      fail(source.name + " has a list without end");
    }
    for (int64_t i = first[0]; i < first[1]; ++i) {
      const auto at = static_cast<uint64_t>(i);
      int64_t range[2];
      read_rows(source.offsets, H5T_NATIVE_INT64, at, 2, range, source.name);
      if (range[0] < 0 || range[1] < range[0] || range[1] - range[0] > kMediumBytesMax ||
          static_cast<uint64_t>(range[1]) > source.bytes.shape[0]) {
        fail(source.name + " has an offset outside its bytes");
      }
      sdk::OwnedMedium medium;
      medium.name = read_text(source.names, at, limits_, source.name);
      medium.bytes.resize(static_cast<size_t>(range[1] - range[0]));
      if (!medium.bytes.empty()) {
        read_rows(source.bytes, H5T_NATIVE_UINT8, static_cast<uint64_t>(range[0]),
                  medium.bytes.size(), medium.bytes.data(), source.name);
      }
      out->push_back(std::move(medium));
    }
  }

  Handle file_;
  std::string name_;
  const Limits& limits_;
  Dataset rows_;
  std::vector<MediaSource> media_;
  std::vector<sdk::MediaColumn> columns_;
};

}  // namespace

std::unique_ptr<Layout> open_layout(const std::vector<std::string>& names, const Limits& limits) {
  std::vector<Handle> files;
  for (const std::string& name : names) {
    try {
      files.push_back(open_file(name));
      if (H5Aexists(files.back().id(), kVersionName) <= 0) continue;
      if (names.size() != 1) {
        throw sdk::invalid_argument("Files with rows of their own are not joined.");
      }
      const int32_t version = read_int_attribute(files.back().id(), kVersionName);
      if (version != kVersion) {
        throw sdk::unimplemented("The file has version " + std::to_string(version) +
                                 " of the layout; version 1 is read.");
      }
      return std::make_unique<RowsLayout>(std::move(files.back()), name, limits);
    } catch (const sdk::Failure& failure) {
      throw failure.at(name);
    }
  }
  return open_arrays(std::move(files), names, limits);
}

}  // namespace mortise::format_hdf5
