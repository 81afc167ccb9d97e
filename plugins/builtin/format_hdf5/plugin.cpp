// The face of the pack: mortise.dataset_format/1 and its writer for HDF5. A shard is a file, or all
// files together when they are joined by row. Columns: row, utf8; byte_offset, int64, always -1;
// one column of media for each that the layout has.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "hdf5_rows.h"
#include "writer.h"

namespace mortise::format_hdf5 {
namespace {

class Reader : public sdk::MediaRowReader {
 public:
  // columns: of the schema; limits must outlive the reader.
  Reader(const std::vector<std::string>& names, const std::vector<sdk::MediaColumn>& columns,
         const Limits& limits, const sdk::RowPosition* from)
      : name_(names[0]), row_(from == nullptr ? 0 : from->at) {
    const auto lock = library_lock();
    layout_ = open_layout(names, limits);
    for (const sdk::MediaColumn& column : layout_->columns()) {
      places_.push_back(static_cast<size_t>(sdk::find_media_column(columns, column.name)));
    }
    if (row_ > layout_->rows()) {
      throw sdk::data_loss("The cursor does not stand at a row of this file.").at(name_);
    }
  }
  ~Reader() override {
    const auto lock = library_lock();
    layout_.reset();
  }

  bool next(sdk::MediaRow* out) override {
    const auto lock = library_lock();
    if (row_ >= layout_->rows()) return false;
    sdk::MediaRow own;
    own.media.resize(places_.size());
    try {
      layout_->read(row_, &own);
    } catch (const sdk::Failure& failure) {
      throw failure.at(name_, static_cast<int64_t>(row_) + 1, failure.byte, failure.field);
    }
    out->json = std::move(own.json);
    out->byte_offset = UINT64_MAX;  // -1 in the column: the format does not tell
    for (size_t i = 0; i < places_.size(); ++i) out->media[places_[i]] = std::move(own.media[i]);
    ++row_;
    return true;
  }
  sdk::RowPosition position() const override { return {row_ + 1, row_, 0}; }

 private:
  std::string name_;
  uint64_t row_;
  std::unique_ptr<Layout> layout_;
  std::vector<size_t> places_;  // of the layout's columns in the schema
};

struct Opened {
  sdk::RowFiles files;
  std::vector<std::vector<std::string>> shards;
  std::vector<sdk::MediaColumn> columns;
  int64_t rows = 0;
  std::string identity;
};

Opened open_all(std::vector<std::string> uris, sdk::Json config, const Limits& limits) {
  const auto lock = library_lock();
  Opened opened;
  sdk::append_json(&opened.identity, config);
  opened.files = sdk::RowFiles::open(std::move(uris));
  if (config.get("join", false)) {
    opened.shards.push_back(opened.files.names);
  } else {
    for (const std::string& name : opened.files.names) opened.shards.push_back({name});
  }
  for (const auto& shard : opened.shards) {
    const auto layout = open_layout(shard, limits);
    opened.rows += static_cast<int64_t>(layout->rows());
    for (const sdk::MediaColumn& column : layout->columns()) {
      const int64_t known = sdk::find_media_column(opened.columns, column.name);
      if (column.name == "row" || column.name == "byte_offset" ||
          (known >= 0 && opened.columns[static_cast<size_t>(known)].is_list != column.is_list)) {
        throw sdk::invalid_argument("The column of media \"" + column.name +
                                    "\" cannot stand beside the others.")
            .at(shard[0], -1, -1, column.name);
      }
      if (known < 0) opened.columns.push_back(column);
    }
  }
  return opened;
}

Limits read_limits(sdk::Json config) {
  Limits limits;
  limits.chunk_bytes_max = sdk::size_option(config, "chunk_bytes_max", limits.chunk_bytes_max);
  limits.text_bytes_max = sdk::size_option(config, "row_bytes_max", limits.text_bytes_max);
  return limits;
}

class Hdf5 : public sdk::MediaFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    if (sample.head.starts_with("\x89HDF\r\n\x1A\n")) {
      return {95, "The file begins with the mark of HDF5."};
    }
    return {0, "The file does not begin with the mark of HDF5."};
  }

  Hdf5(std::vector<std::string> uris, sdk::Json config)
      : Hdf5(open_all(std::move(uris), config, read_limits(config)), read_limits(config)) {}

  sdk::FormatFacts describe() const override {
    return {rows_, static_cast<uint32_t>(shards_.size())};
  }

 protected:
  std::unique_ptr<sdk::MediaRowReader> open_shard(const sdk::ScanOptions& options,
                                                  const sdk::RowPosition* from) const override {
    return std::make_unique<Reader>(shards_[options.shard_index], columns(), limits_, from);
  }

 private:
  Hdf5(Opened opened, const Limits& limits)
      : MediaFormat(std::move(opened.files), opened.identity, std::move(opened.columns)),
        shards_(std::move(opened.shards)),
        rows_(opened.rows),
        limits_(limits) {}

  std::vector<std::vector<std::string>> shards_;
  int64_t rows_;
  Limits limits_;
};

}  // namespace
}  // namespace mortise::format_hdf5

using mortise::format_hdf5::Hdf5;
using mortise::format_hdf5::Hdf5Writer;

MORTISE_PLUGIN("mortise.format_hdf5",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<Hdf5>()},
               {MORTISE_KIND_DATASET_FORMAT_WRITER,
                mortise::sdk::format_writer_table<Hdf5Writer>()});
