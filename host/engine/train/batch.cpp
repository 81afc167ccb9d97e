// The loader and the packing of rows into passes.
#include "engine/train/batch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/op/failure.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;

constexpr uint64_t kImageBytesMax = uint64_t{256} << 20;

Tensor pixel_tensor(const PixelValues& pixels) {
  Tensor out = at::empty({1, 3, pixels.height, pixels.width}, at::TensorOptions(at::kFloat));
  std::copy(pixels.values.begin(), pixels.values.end(), out.mutable_data_ptr<float>());
  return out;
}

}  // namespace

int64_t labelled_count(const EncodedRow& row) {
  return std::count_if(row.labels.begin() + 1, row.labels.end(),
                       [](int32_t label) { return label != kNoLabel; });
}

PassBatch make_pass(const std::vector<const LoadedRow*>& rows) {
  PassBatch pass;
  std::vector<int32_t> ids, bounds = {0}, labelled_rows, labels;
  std::vector<Tensor> pixels;
  for (const LoadedRow* row : rows) {
    const EncodedRow& tokens = row->tokens;
    const auto offset = static_cast<int32_t>(ids.size());
    ids.insert(ids.end(), tokens.ids.begin(), tokens.ids.end());
    for (size_t t = 0; t < tokens.ids.size(); ++t) {
      const auto position = static_cast<int32_t>(t);
      pass.inputs.positions.push_back(position);
      if (t + 1 == tokens.ids.size() || tokens.labels[t + 1] == kNoLabel) continue;
      labelled_rows.push_back(offset + position);
      labels.push_back(tokens.labels[t + 1]);
    }
    bounds.push_back(static_cast<int32_t>(ids.size()));
    if (row->pixels.defined()) pixels.push_back(row->pixels);
    pass.image_keys.insert(pass.image_keys.end(), row->image_keys.begin(), row->image_keys.end());
  }
  pass.tokens = static_cast<int64_t>(ids.size());
  pass.labelled = static_cast<int64_t>(labels.size());
  pass.inputs.ids = int_tensor(ids);
  pass.inputs.bounds = Bounds::of(std::move(bounds));
  if (!pixels.empty()) pass.inputs.pixels = at::cat(pixels, 0);  // [I, 3, H, W]
  pass.rows = int_tensor(labelled_rows);
  pass.labels = int_tensor(labels);
  return pass;
}

StepLoader::StepLoader(base::FileOps& files, const Dataset& dataset, const RowEncoder& encoder,
                       std::optional<ImageOptions> images, std::vector<uint64_t> chosen,
                       Sampler sampler, LoaderOptions options)
    : files_(files),
      dataset_(dataset),
      encoder_(encoder),
      images_(std::move(images)),
      chosen_(std::move(chosen)),
      sampler_(std::move(sampler)),
      options_(options) {}

StepLoader::~StepLoader() {
  if (ahead_.valid()) ahead_.wait();
}

base::Result<StepRows> StepLoader::next() {
  base::Result<StepRows> result = ahead_.valid() ? ahead_.get() : load();
  if (options_.ahead && result.ok()) {
    ahead_ = std::async(std::launch::async, [this] { return load(); });
  }
  return result;
}

base::Result<StepRows> StepLoader::load() {
  return guarded([&]() -> base::Result<StepRows> {
    StepRows step;
    for (int64_t i = 0; i < options_.rows_per_step; ++i) {
      const bool epoch_ended = sampler_.cursor().position == sampler_.count();
      if (i > 0 && epoch_ended) break;
      MORTISE_ASSIGN(LoadedRow row, load_row(chosen_[sampler_.next()]));
      step.rows.push_back(std::move(row));
    }
    step.after = sampler_.cursor();
    return step;
  });
}

base::Result<LoadedRow> StepLoader::load_row(uint64_t index) const {
  MORTISE_ASSIGN(const base::Json json, dataset_.row(index));
  LoadedRow row;
  auto tokens = encoder_.encode(json);
  if (!tokens.ok()) return std::move(tokens.error().at_row(static_cast<int64_t>(index) + 1));
  row.tokens = std::move(tokens).value();
  auto status = load_images(row);
  if (!status.ok()) return std::move(status.error().at_row(static_cast<int64_t>(index) + 1));
  return row;
}

base::Status StepLoader::load_images(LoadedRow& row) const {
  if (!row.tokens.tensors.empty()) {
    MORTISE_ASSIGN(const std::string path, dataset_.media_path(row.tokens.tensors));
    MORTISE_ASSIGN(const Checkpoint file, Checkpoint::open_file(dataset_.media_files(), path));
    for (const std::string& name : file.names()) {
      if (name != "pixel_values") {
        return Error(Code::kUnimplemented,
                     "Tensors of a row may hold pixel_values only, not \"" + name + "\".")
            .at_file(path);
      }
      MORTISE_ASSIGN(const Tensor pixels, file.tensor(name));
      row.pixels = pixels.dim() == 3 ? pixels.unsqueeze(0) : pixels;
      for (int64_t i = 0; i < row.pixels.size(0); ++i) {
        row.image_keys.push_back(row.tokens.tensors + "#" + std::to_string(i));
      }
    }
    return {};
  }
  std::vector<Tensor> all;
  for (const std::string& name : row.tokens.images) {
    MORTISE_ASSIGN(const std::string path, dataset_.media_path(name));
    MORTISE_ASSIGN(const std::string bytes, base::read_file(dataset_.media_files(), path, kImageBytesMax));
    auto image = ingest::decode_image(base::as_bytes(bytes));
    if (!image.ok()) return std::move(image.error().at_file(name));
    auto pixels = prepare_image(*image, *images_);
    if (!pixels.ok()) return std::move(pixels.error().at_file(name));
    all.push_back(pixel_tensor(*pixels));
  }
  if (!all.empty()) row.pixels = at::cat(all, 0);
  row.image_keys = row.tokens.images;
  return {};
}

}  // namespace mortise::engine
