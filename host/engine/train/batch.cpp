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

uint64_t pixel_bytes(const LoadedRow& row) {
  uint64_t bytes = 0;
  const PictureTensors& all = row.pictures;
  for (const Tensor* pixels :
       {&all.pixels, &all.images.patches, &all.videos.patches, &all.sounds.mels}) {
    if (pixels->defined()) bytes += pixels->nbytes();
  }
  return bytes;
}

constexpr std::array<std::string_view, 7> kRowTensors = {
    "pixel_values",       "image_grid_thw", "pixel_values_videos",   "video_grid_thw",
    "second_per_grid_ts", "input_features", "feature_attention_mask"};

void name_pictures(const std::string& prefix, int64_t count, std::vector<std::string>& keys) {
  for (int64_t i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(i));
}

// The tensors of a "tokens" row: pixel_values [I, 3, H, W], those of Qwen-VL with their grids, or
// input_features of sounds.
base::Status load_tensors(const Dataset& dataset, LoadedRow& row) {
  const std::string& name = row.tokens.tensors;
  MORTISE_ASSIGN(const std::string path, dataset.media_path(name));
  MORTISE_ASSIGN(const Checkpoint file, Checkpoint::open_file(dataset.media_files(), path));
  TensorMap tensors;
  for (const std::string& tensor : file.names()) {
    if (std::find(kRowTensors.begin(), kRowTensors.end(), tensor) == kRowTensors.end()) {
      return Error(Code::kUnimplemented, "Tensors of a row may not hold \"" + tensor + "\".",
                   "Known are pixel_values, image_grid_thw, pixel_values_videos, video_grid_thw, "
                   "second_per_grid_ts, input_features and feature_attention_mask.")
          .at_file(path);
    }
    MORTISE_ASSIGN(tensors[tensor], file.tensor(tensor));
  }
  PictureTensors& pictures = row.pictures;
  if (tensors.size() == 1 && tensors.contains("pixel_values")) {
    const Tensor& pixels = tensors.at("pixel_values");
    pictures.pixels = pixels.dim() == 3 ? pixels.unsqueeze(0) : pixels;
    name_pictures(name + "#", pictures.pixels.size(0), row.image_keys);
    return {};
  }
  auto status = guarded([&]() -> base::Status {
    std::tie(pictures.images, pictures.videos) = pictures_of(tensors);
    pictures.sounds = sounds_of(tensors);
    return {};
  });
  if (!status.ok()) return std::move(status.error().at_file(path));
  name_pictures(name + "#image", std::ssize(pictures.images.grids), row.image_keys);
  name_pictures(name + "#video", std::ssize(pictures.videos.grids), row.video_keys);
  name_pictures(name + "#sound", std::ssize(pictures.sounds.clips), row.sound_keys);
  return {};
}

// Names under which pictures of one row are the same: a film of several files has all of them.
std::string key_of(const MediaField& medium) {
  std::string key;
  for (const std::string& name : medium.names) key += (key.empty() ? "" : "\n") + name;
  return key;
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
  std::vector<const PatchBatch*> images, videos;
  std::vector<const SoundBatch*> sounds;
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
    if (row->pictures.pixels.defined()) pixels.push_back(row->pictures.pixels);
    images.push_back(&row->pictures.images);
    videos.push_back(&row->pictures.videos);
    sounds.push_back(&row->pictures.sounds);
    pass.image_keys.insert(pass.image_keys.end(), row->image_keys.begin(), row->image_keys.end());
    pass.video_keys.insert(pass.video_keys.end(), row->video_keys.begin(), row->video_keys.end());
    pass.sound_keys.insert(pass.sound_keys.end(), row->sound_keys.begin(), row->sound_keys.end());
  }
  pass.tokens = static_cast<int64_t>(ids.size());
  pass.labelled = static_cast<int64_t>(labels.size());
  if (std::ranges::all_of(pass.weights, [](double weight) { return weight == 1; })) {
    pass.weights.clear();
  }
  keys.give(pass.inputs);
  pass.inputs.images = joined(images);
  pass.inputs.videos = joined(videos);
  pass.inputs.sounds = joined(sounds);
  pass.inputs.ids = int_tensor(ids);
  pass.inputs.bounds = Bounds::of(std::move(bounds));
  if (!pixels.empty()) pass.inputs.pixels = at::cat(pixels, 0);  // [I, 3, H, W]
  pass.rows = int_tensor(labelled_rows);
  pass.labels = int_tensor(labels);
  return pass;
}

StepLoader::StepLoader(const Dataset& dataset, const RowEncoder& encoder,
                       const PictureProcessor& pictures, std::vector<uint64_t> chosen,
                       Sampler sampler, LoaderOptions options)
    : dataset_(dataset, pictures.media_options()),
      encoder_(encoder),
      pictures_(pictures),
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

// Opens the media of a row; the rest is done where their bytes are free: decoded, prepared and
// counted, then the text around them is encoded.
base::Result<PoolWork<LoadedRow>> StepLoader::open(uint64_t index) const {
  MORTISE_ASSIGN(base::Json json, dataset_.row(index).json());
  struct Opened {
    base::Json row;
    std::vector<ingest::OpenMedium> media;
  };
  const auto opened = std::make_shared<Opened>();
  PoolWork<LoadedRow> work;
  for (const MediaField& field : media_fields(json)) {
    MORTISE_ASSIGN(ingest::OpenMedium medium, dataset_.open_medium(field, index));
    // Prepared, then once more as a tensor.
    work.bytes_max += medium.bytes_max() + 2 * pictures_.bytes_max(field.kind, medium.shape());
    opened->media.push_back(std::move(medium));
  }
  opened->row = std::move(json);
  work.make = [this, opened, index]() -> base::Result<LoadedRow> {
    auto made = guarded([&] { return make(opened->row, opened->media); });
    if (made.ok() || made.error().row >= 0) return made;
    return std::move(made.error().at_row(static_cast<int64_t>(index) + 1));
  };
  return work;
}

base::Result<LoadedRow> StepLoader::make(const base::Json& json,
                                         std::vector<ingest::OpenMedium>& opened) const {
  std::vector<PreparedPicture> prepared;
  std::vector<int64_t> counts;  // beside prepared
  std::vector<MediaField> fields;
  const MediaTokens tokens =
      [&](const std::vector<MediaField>& media) -> base::Result<std::vector<int64_t>> {
    for (size_t i = counts.size(); i < media.size(); ++i) {  // in the order of media_fields()
      const auto at_medium = [&](Error error) {
        if (error.file.empty()) error.at_file(media[i].names.front());
        return error.field.empty() ? std::move(error.at_field(media[i].field)) : error;
      };
      const auto medium = opened[i].decode();
      if (!medium.ok()) return at_medium(medium.error());
      auto picture = pictures_.prepare(*medium);
      if (!picture.ok()) return at_medium(std::move(picture).error());
      counts.push_back(picture->tokens);
      prepared.push_back(std::move(*picture));
    }
    fields = media;
    return counts;
  };
  LoadedRow row;
  MORTISE_ASSIGN(row.tokens, encoder_.encode(json, tokens));
  if (!row.tokens.tensors.empty()) {
    MORTISE_TRY(load_tensors(dataset_.rows(), row));
    return row;
  }
  std::vector<const PreparedPicture*> placed;
  for (const PicturePlace& place : row.tokens.pictures) {
    const PreparedPicture& picture = prepared[place.medium];
    placed.push_back(&picture);
    auto& keys = picture.kind == ingest::MediaKind::kVideo   ? row.video_keys
                 : picture.kind == ingest::MediaKind::kAudio ? row.sound_keys
                                                             : row.image_keys;
    keys.push_back(key_of(fields[place.medium]));
  }
  MORTISE_ASSIGN(row.pictures, tensors_of(placed));
  return row;
}

}  // namespace mortise::engine
