// The loader and the packing of rows into passes.
#include "engine/train/batch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "engine/infer/batch.h"
#include "engine/op/failure.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;

Tensor pixel_tensor(const PixelValues& pixels) {
  Tensor out = at::empty({1, 3, pixels.height, pixels.width}, at::TensorOptions(at::kFloat));
  std::copy(pixels.values.begin(), pixels.values.end(), out.mutable_data_ptr<float>());
  return out;
}

// What an image becomes, as far as the options fix it.
uint64_t prepared_bytes(const ImageOptions& options) {
  const int64_t side = options.shortest_edge;
  const int64_t height =
      options.do_center_crop ? options.crop_height : std::max(side, options.height);
  const int64_t width = options.do_center_crop ? options.crop_width : std::max(side, options.width);
  return static_cast<uint64_t>(height * width * 3) * sizeof(float);
}

uint64_t pixel_bytes(const LoadedRow& row) {
  uint64_t bytes = 0;
  for (const Tensor* pixels : {&row.pixels, &row.images.patches, &row.videos.patches}) {
    if (pixels->defined()) bytes += pixels->nbytes();
  }
  return bytes;
}

constexpr std::array<std::string_view, 5> kRowTensors = {"pixel_values", "image_grid_thw",
                                                         "pixel_values_videos", "video_grid_thw",
                                                         "second_per_grid_ts"};

// The tensors of a "tokens" row: pixel_values [I, 3, H, W], or those of Qwen-VL with their grids.
base::Status load_tensors(const Dataset& dataset, LoadedRow& row) {
  const std::string& name = row.tokens.tensors;
  MORTISE_ASSIGN(const std::string path, dataset.media_path(name));
  MORTISE_ASSIGN(const Checkpoint file, Checkpoint::open_file(dataset.media_files(), path));
  TensorMap tensors;
  for (const std::string& tensor : file.names()) {
    if (std::find(kRowTensors.begin(), kRowTensors.end(), tensor) == kRowTensors.end()) {
      return Error(
                 Code::kUnimplemented, "Tensors of a row may not hold \"" + tensor + "\".",
                 "Known are pixel_values, image_grid_thw, pixel_values_videos, video_grid_thw and "
                 "second_per_grid_ts.")
          .at_file(path);
    }
    MORTISE_ASSIGN(tensors[tensor], file.tensor(tensor));
  }
  if (tensors.size() == 1 && tensors.contains("pixel_values")) {
    const Tensor& pixels = tensors.at("pixel_values");
    row.pixels = pixels.dim() == 3 ? pixels.unsqueeze(0) : pixels;
    for (int64_t i = 0; i < row.pixels.size(0); ++i) {
      row.image_keys.push_back(name + "#" + std::to_string(i));
    }
    return {};
  }
  auto status = guarded([&]() -> base::Status {
    std::tie(row.images, row.videos) = pictures_of(tensors);
    return {};
  });
  if (!status.ok()) return std::move(status.error().at_file(path));
  return {};
}

// The opened pictures of a row as one tensor [I, 3, H, W].
base::Status load_images(std::vector<ingest::OpenMedium>& opened, const ImageOptions& options,
                         LoadedRow& row) {
  std::vector<Tensor> all;
  for (size_t i = 0; i < opened.size(); ++i) {
    MORTISE_ASSIGN(const ingest::Medium medium, opened[i].decode());
    auto pixels = prepare_image(std::get<ingest::Image>(medium), options);
    if (!pixels.ok()) return std::move(pixels.error().at_file(row.tokens.images[i]));
    all.push_back(pixel_tensor(*pixels));
  }
  row.pixels = at::cat(all, 0);
  return {};
}

// Which rows of the pass are the keys of each sequence: its own, and before them the beginning that
// the worse answer of a pair shares with the better one.
class KeyRows {
 public:
  // The row whose tokens begin at `offset` of the pass.
  void add(int32_t offset, const EncodedRow& tokens) {
    const auto size = static_cast<int32_t>(tokens.ids.size());
    const auto split = tokens.split > 0 ? static_cast<int32_t>(tokens.split) : size;
    append(offset, split);
    if (split == size) return;
    for (int32_t t = 0; t < tokens.shared; ++t) rows_.push_back(offset + t);
    append(offset + split, size - split);
    shares_ = shares_ || tokens.shared > 0;
  }
  // Into `inputs`, when there is anything to say.
  void give(TextInputs& inputs) {
    if (!shares_) return;
    inputs.key_rows = int_tensor(rows_);
    inputs.key_bounds = Bounds::of(std::move(bounds_));
  }

 private:
  void append(int32_t begin, int32_t count) {
    for (int32_t t = 0; t < count; ++t) rows_.push_back(begin + t);
    bounds_.push_back(static_cast<int32_t>(rows_.size()));
  }
  std::vector<int32_t> rows_, bounds_ = {0};
  bool shares_ = false;
};

}  // namespace

int64_t labelled_count(const EncodedRow& row) {
  return std::count_if(row.labels.begin() + 1, row.labels.end(),
                       [](int32_t label) { return label != kNoLabel; });
}

double labelled_weight(const EncodedRow& row) {
  if (row.weights.empty()) return static_cast<double>(labelled_count(row));
  double sum = 0;
  for (size_t t = 1; t < row.ids.size(); ++t) {
    if (row.labels[t] != kNoLabel) sum += row.weights[t];
  }
  return sum;
}

PassBatch make_pass(const std::vector<const LoadedRow*>& rows) {
  PassBatch pass;
  std::vector<int32_t> ids, bounds = {0}, labelled_rows, labels;
  std::vector<Tensor> pixels;
  KeyRows keys;
  for (const LoadedRow* row : rows) {
    const EncodedRow& tokens = row->tokens;
    const auto offset = static_cast<int32_t>(ids.size());
    const auto split = static_cast<size_t>(tokens.split);
    ids.insert(ids.end(), tokens.ids.begin(), tokens.ids.end());
    for (size_t t = 0; t < tokens.ids.size(); ++t) {
      const bool is_worse = split > 0 && t >= split;
      if (is_worse && t == split) bounds.push_back(offset + static_cast<int32_t>(split));
      const size_t position = is_worse ? t - split + static_cast<size_t>(tokens.shared) : t;
      pass.inputs.positions.push_back(static_cast<int32_t>(position));
      if (t + 1 == tokens.ids.size() || tokens.labels[t + 1] == kNoLabel) continue;
      labelled_rows.push_back(offset + static_cast<int32_t>(t));
      labels.push_back(tokens.labels[t + 1]);
      pass.weights.push_back(tokens.weights.empty() ? 1 : tokens.weights[t + 1]);
      pass.answers.push_back(static_cast<int32_t>(bounds.size()) - 1);
    }
    bounds.push_back(static_cast<int32_t>(ids.size()));
    keys.add(offset, tokens);
    pass.wanted.push_back(tokens.is_wanted ? 1 : 0);
    if (split > 0) pass.wanted.push_back(0);
    if (row->pixels.defined()) pixels.push_back(row->pixels);
    append_pictures(row->images, pass.inputs.images);
    append_pictures(row->videos, pass.inputs.videos);
    pass.image_keys.insert(pass.image_keys.end(), row->image_keys.begin(), row->image_keys.end());
  }
  pass.tokens = static_cast<int64_t>(ids.size());
  pass.labelled = static_cast<int64_t>(labels.size());
  if (std::ranges::all_of(pass.weights, [](double weight) { return weight == 1; })) {
    pass.weights.clear();
  }
  keys.give(pass.inputs);
  pass.inputs.ids = int_tensor(ids);
  pass.inputs.bounds = Bounds::of(std::move(bounds));
  if (!pixels.empty()) pass.inputs.pixels = at::cat(pixels, 0);  // [I, 3, H, W]
  pass.rows = int_tensor(labelled_rows);
  pass.labels = int_tensor(labels);
  return pass;
}

StepLoader::StepLoader(const Dataset& dataset, const RowEncoder& encoder,
                       std::optional<ImageOptions> images, std::vector<uint64_t> chosen,
                       Sampler sampler, LoaderOptions options)
    : dataset_(dataset, {}),
      encoder_(encoder),
      images_(std::move(images)),
      chosen_(std::move(chosen)),
      rows_per_step_(options.rows_per_step),
      count_(sampler.count()),
      pool_(std::move(sampler), [this](uint64_t at) { return open(chosen_.at(at)); }, pixel_bytes,
            {.threads = options.threads,
             .bytes_max = options.bytes_max,
             .items_max = options.rows_per_step + options.threads}) {}

base::Result<StepRows> StepLoader::next() {
  StepRows step;
  for (int64_t i = 0; i < rows_per_step_; ++i) {
    MORTISE_ASSIGN(LoadedRow row, pool_.next());
    step.rows.push_back(std::move(row));
    step.after = pool_.cursor();
    if (step.after.position == count_) break;
  }
  return step;
}

base::Result<PoolWork<LoadedRow>> StepLoader::open(uint64_t index) const {
  const auto at_row = [index](Error error) {
    return error.row >= 0 ? error : error.at_row(static_cast<int64_t>(index) + 1);
  };
  MORTISE_ASSIGN(const base::Json json, dataset_.row(index).json());
  LoadedRow row;
  auto tokens = encoder_.encode(json);
  if (!tokens.ok()) return at_row(std::move(tokens).error());
  row.tokens = std::move(tokens).value();
  auto work = open_images(std::move(row), media_fields(json), index);
  if (!work.ok()) return at_row(std::move(work).error());
  work->make = [make = std::move(work->make), at_row]() -> base::Result<LoadedRow> {
    auto made = guarded(make);
    if (!made.ok()) return at_row(std::move(made).error());
    return made;
  };
  return work;
}

base::Result<PoolWork<LoadedRow>> StepLoader::open_images(LoadedRow row,
                                                          const std::vector<MediaField>& fields,
                                                          uint64_t index) const {
  PoolWork<LoadedRow> work;
  const auto shared = std::make_shared<LoadedRow>(std::move(row));
  if (!shared->tokens.tensors.empty()) {
    work.make = [this, shared]() -> base::Result<LoadedRow> {
      MORTISE_TRY(load_tensors(dataset_.rows(), *shared));
      return std::move(*shared);
    };
    return work;
  }
  shared->image_keys = shared->tokens.images;
  const auto opened = std::make_shared<std::vector<ingest::OpenMedium>>();
  for (const std::string& name : shared->tokens.images) {
    const auto field = std::ranges::find(fields, std::vector{name}, &MediaField::names);
    MORTISE_ASSIGN(ingest::OpenMedium medium, dataset_.open_medium(*field, index));
    work.bytes_max += medium.bytes_max() + prepared_bytes(*images_);
    opened->push_back(std::move(medium));
  }
  work.make = [this, shared, opened]() -> base::Result<LoadedRow> {
    if (!opened->empty()) MORTISE_TRY(load_images(*opened, *images_, *shared));
    return std::move(*shared);
  };
  return work;
}

}  // namespace mortise::engine
