// See multimodal_dataset.h.
#include "engine/data/multimodal_dataset.h"

namespace mortise::engine {
namespace {

using base::Error;
using base::Json;
using base::Result;
using ingest::OpenMedium;

Error at_place(Error error, uint64_t index, const std::string& field) {
  if (error.row < 0) error.at_row(static_cast<int64_t>(index) + 1);
  if (error.field.empty()) error.at_field(field);
  return error;
}

}  // namespace

Result<OpenMedium> MultiModalDataset::open_medium(const MediaField& from, uint64_t index) const {
  auto opened = OpenMedium::open(rows_, from.kind, from.names, options_);
  if (!opened.ok()) return at_place(std::move(opened).error(), index, from.field);
  return opened;
}

Result<std::string> MultiModalDataset::LazyRow::id() const {
  return dataset_->rows_.row_id(index_);
}

Result<Json> MultiModalDataset::LazyRow::json() const {
  return dataset_->rows_.row(index_);
}

Result<std::vector<MediaField>> MultiModalDataset::LazyRow::media() const {
  MORTISE_ASSIGN(const Json row, json());
  return media_fields(row);
}

Result<PoolWork<DecodedRow>> MultiModalDataset::LazyRow::open() const {
  MORTISE_ASSIGN(const std::string line, dataset_->rows_.line(index_));
  auto row = base::parse_json(line);
  if (!row.ok()) {
    row.error().at_file(dataset_->rows_.name());
    return at_place(std::move(row).error(), index_, "");
  }
  struct Opened {
    DecodedRow out;
    std::vector<std::pair<MediaField, OpenMedium>> media;
  };
  const auto opened = std::make_shared<Opened>();
  PoolWork<DecodedRow> work{.bytes_max = line.size(), .make = {}};
  for (MediaField& from : media_fields(*row)) {
    MORTISE_ASSIGN(OpenMedium medium, dataset_->open_medium(from, index_));
    work.bytes_max += medium.bytes_max();
    opened->media.emplace_back(std::move(from), std::move(medium));
  }
  opened->out = {index_, std::move(*row), {}, line.size()};
  work.make = [opened]() -> Result<DecodedRow> {
    DecodedRow& out = opened->out;
    for (auto& [from, medium] : opened->media) {
      auto decoded = medium.decode();
      if (!decoded.ok()) return at_place(std::move(decoded).error(), out.index, from.field);
      out.size_bytes += ingest::size_bytes(*decoded);
      out.media.push_back({std::move(from), std::move(*decoded)});
    }
    return std::move(out);
  };
  return work;
}

Result<DecodedRow> MultiModalDataset::LazyRow::decode() const {
  MORTISE_ASSIGN(const PoolWork<DecodedRow> work, open());
  return work.make();
}

MultiModalStream::MultiModalStream(const MultiModalDataset& dataset, std::vector<uint64_t> chosen,
                                   Sampler sampler, PoolOptions options)
    : chosen_(std::move(chosen)),
      pool_(
          std::move(sampler),
          [this, &dataset](uint64_t at) { return dataset.row(chosen_.at(at)).open(); },
          [](const DecodedRow& row) { return row.size_bytes; }, options) {}

}  // namespace mortise::engine
