// See picture_prepare.h.
#include "engine/data/picture_prepare.h"

#include <algorithm>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;
using ingest::MediaKind;

constexpr const char* kImageFile = "preprocessor_config.json";
constexpr const char* kFilmFile = "video_preprocessor_config.json";
constexpr int64_t kFilmCells = 768;  // of one frame, as transformers bounds it
constexpr double kFilmFps = 2;
constexpr int64_t kFilmFramesMin = 4, kFilmFramesMax = 32;

Result<Json> read_json(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return Json();
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1 << 20));
  auto json = base::parse_json(text);
  if (!json.ok()) return std::move(json.error().at_file(path));
  return json;
}

// A processor's file of its own, or its section of processor_config.json; null when there is none.
Result<Json> processor_json(base::FileOps& files, const std::string& folder, const char* file,
                            const char* section) {
  MORTISE_ASSIGN(Json own, read_json(files, base::join_path(folder, file)));
  if (!own.is_null()) return own;
  MORTISE_ASSIGN(const Json both,
                 read_json(files, base::join_path(folder, "processor_config.json")));
  return both[section];
}

// The first folder that says how images (or sound) are prepared; the last one when none does.
Result<std::string> folder_of(base::FileOps& files, const std::vector<std::string>& folders,
                              const char* section = "image_processor") {
  for (const std::string& folder : folders) {
    if (folder.empty()) continue;
    MORTISE_ASSIGN(const Json found, processor_json(files, folder, kImageFile, section));
    if (!found.is_null()) return folder;
  }
  return folders.back();
}

// Patches are cut as this tower was trained to see them.
Status check_patches(const PatchOptions& options, const QwenVisionConfig& vision) {
  const struct {
    const char* name;
    int64_t got, wanted;
  } sizes[] = {{"patch_size", options.patch_size, vision.patch_size},
               {"merge_size", options.merge_size, vision.merge_size},
               {"temporal_patch_size", options.temporal_patch_size, vision.temporal_patch_size}};
  for (const auto& size : sizes) {
    if (size.got == size.wanted) continue;
    return Error(Code::kInvalidArgument,
                 std::string("\"") + size.name + "\" is " + std::to_string(size.got) +
                     ", but the model's tower has " + std::to_string(size.wanted) + ".",
                 "Use the processor's files that belong to this model.")
        .at_field(std::string("/") + size.name);
  }
  return {};
}

// A spectrum is as this tower was trained to hear it.
Status check_spectrum(const LogMelOptions& options, const AudioConfig& audio) {
  const struct {
    const char *name, *what;
    int64_t got, wanted;
  } sizes[] = {{"feature_size", "bins", options.bins, audio.mel_bins},
               {"chunk_length", "frames", options.frames_max(), audio.frames_max()}};
  for (const auto& size : sizes) {
    if (size.got == size.wanted) continue;
    return Error(Code::kInvalidArgument,
                 std::string("\"") + size.name + "\" makes spectra of " + std::to_string(size.got) +
                     " " + size.what + ", but the model's tower takes " +
                     std::to_string(size.wanted) + ".",
                 "Use the processor's files that belong to this model.")
        .at_field(std::string("/") + size.name);
  }
  return {};
}

Status set_pixels(const Json& media, const std::string& prefix, PatchOptions& options) {
  const Json &least = media[prefix + "min_pixels"], &most = media[prefix + "max_pixels"];
  options.min_pixels = least.as_int(options.min_pixels);
  options.max_pixels = most.as_int(options.max_pixels);
  // One bound alone moves the other one out of its way.
  if (most.is_null()) options.max_pixels = std::max(options.max_pixels, options.min_pixels);
  if (least.is_null()) options.min_pixels = std::min(options.min_pixels, options.max_pixels);
  if (options.min_pixels <= options.max_pixels) return {};
  return Error(Code::kInvalidArgument,
               "\"" + prefix + "min_pixels\" is " + std::to_string(options.min_pixels) +
                   ", more than \"" + prefix + "max_pixels\", which is " +
                   std::to_string(options.max_pixels) + ".",
               "Lower the one or raise the other.")
      .at_field("/media/" + prefix + "min_pixels");
}

void set_frames(const Json& json, ingest::FrameBudget& frames) {
  frames.fps = json["fps"].as_double(frames.fps);
  frames.frames_min = json["min_frames"].as_int(frames.frames_min);
  frames.frames_max = json["max_frames"].as_int(frames.frames_max);
}

Status check_frames(const ingest::FrameBudget& frames) {
  const bool fits = frames.fps > 0 && frames.fps <= 1000 && frames.frames_min >= 1 &&
                    frames.frames_max <= 4096 && frames.frames_min <= frames.frames_max;
  if (fits) return {};
  return Error(Code::kInvalidArgument,
               "Films are sampled with fps " + Json(frames.fps).dump() + ", min_frames " +
                   std::to_string(frames.frames_min) + " and max_frames " +
                   std::to_string(frames.frames_max) + ".",
               "Give fps above 0, and 1 <= min_frames <= max_frames <= 4096.")
      .at_field("/media/max_frames");
}

// The bounds of the area in every spelling that the file has, and in the plain one.
void write_pixels(const PatchOptions& options, Json& json) {
  if (!json.is_object()) json = Json::object();
  json["patch_size"] = options.patch_size;
  json["merge_size"] = options.merge_size;
  json["temporal_patch_size"] = options.temporal_patch_size;
  json["min_pixels"] = options.min_pixels;
  json["max_pixels"] = options.max_pixels;
  json["size"] =
      Json::object({{"shortest_edge", options.min_pixels}, {"longest_edge", options.max_pixels}});
}

Error not_taken(MediaKind kind) {
  const char* word = kind == MediaKind::kImage   ? "images"
                     : kind == MediaKind::kVideo ? "videos"
                                                 : "sound";
  return Error(Code::kInvalidArgument, std::string("The model takes no ") + word + ".",
               "Choose a model that does, or leave them out of the rows.");
}

uint64_t floats_bytes(int64_t count) {
  return static_cast<uint64_t>(count) * sizeof(float);
}

}  // namespace

Result<PictureProcessor> PictureProcessor::read(base::FileOps& files,
                                                const std::vector<std::string>& folders,
                                                const ModelConfig& config, const Json& media) {
  PictureProcessor out;
  if (!config.is_multimodal()) return out;
  if (media.size() > 0 && config.audio) {
    return Error(Code::kInvalidArgument,
                 "A " + config.model_type + " model takes no pictures that could be bounded.",
                 "Leave \"media\" out of the manifest.")
        .at_field("/media");
  }
  if (config.audio) {
    MORTISE_TRY(out.read_sound(files, folders, *config.audio));
    return out;
  }
  MORTISE_ASSIGN(const std::string folder, folder_of(files, folders));
  if (config.qwen_vision) {
    MORTISE_TRY(out.read_patches(files, folder, *config.qwen_vision, media));
    return out;
  }
  if (media.size() > 0) {
    return Error(Code::kInvalidArgument,
                 "A " + config.model_type + " model sees every image in one size of its own.",
                 "Leave \"media\" out of the manifest.")
        .at_field("/media");
  }
  out.fixed_tokens_ = config.tokens_per_image();
  MORTISE_ASSIGN(out.fixed_, read_image_options(files, folder, config.vision->image_size));
  return out;
}

Status PictureProcessor::read_patches(base::FileOps& files, const std::string& folder,
                                      const QwenVisionConfig& vision, const Json& media) {
  PatchOptions defaults;
  defaults.patch_size = vision.patch_size;
  defaults.merge_size = vision.merge_size;
  defaults.temporal_patch_size = vision.temporal_patch_size;
  const auto parsed = [&](const Json& json, const char* file,
                          const PatchOptions& from) -> Result<PatchOptions> {
    auto options = parse_patch_options(json, from);
    if (!options.ok()) return std::move(options.error().at_file(base::join_path(folder, file)));
    const Status fits = check_patches(*options, vision);
    if (!fits.ok()) return Error(fits.error()).at_file(base::join_path(folder, file));
    return options;
  };
  MORTISE_ASSIGN(image_json_, processor_json(files, folder, kImageFile, "image_processor"));
  MORTISE_ASSIGN(image_, parsed(image_json_, kImageFile, defaults));
  MORTISE_TRY(set_pixels(media, "", *image_));
  PatchOptions of_film = *image_;
  const int64_t side = vision.patch_size * vision.merge_size;
  of_film.max_pixels = std::min(of_film.max_pixels, kFilmCells * side * side);
  of_film.min_pixels = std::min(of_film.min_pixels, of_film.max_pixels);
  MORTISE_ASSIGN(film_json_, processor_json(files, folder, kFilmFile, "video_processor"));
  MORTISE_ASSIGN(film_, parsed(film_json_, kFilmFile, of_film));
  MORTISE_TRY(set_pixels(media, "video_", *film_));
  media_.frames.fps = kFilmFps;
  media_.frames.frames_min = kFilmFramesMin;
  media_.frames.frames_max = kFilmFramesMax;
  set_frames(film_json_, media_.frames);
  set_frames(media, media_.frames);
  if (media_.frames.frames_max < media_.frames.frames_min && media["min_frames"].is_null()) {
    media_.frames.frames_min = media_.frames.frames_max;
  }
  is_changed_ = media.size() > 0;
  return check_frames(media_.frames);
}

Status PictureProcessor::read_sound(base::FileOps& files, const std::vector<std::string>& folders,
                                    const AudioConfig& audio) {
  constexpr const char* kSection = "feature_extractor";
  MORTISE_ASSIGN(const std::string folder, folder_of(files, folders, kSection));
  MORTISE_ASSIGN(const Json json, processor_json(files, folder, kImageFile, kSection));
  LogMelOptions defaults;
  defaults.bins = audio.mel_bins;
  defaults.samples_max = audio.frames_max() * defaults.hop;
  auto options = parse_log_mel(json, defaults);
  if (options.ok()) {
    const Status fits = check_spectrum(*options, audio);
    if (!fits.ok()) options = Error(fits.error());
  }
  if (!options.ok()) return std::move(options.error().at_file(base::join_path(folder, kImageFile)));
  sound_ = *options;
  tower_ = audio;
  media_.audio_rate = static_cast<int>(sound_->rate);
  media_.audio.seconds_max =  // a longer one is not even decoded
      static_cast<double>(sound_->samples_max) / static_cast<double>(sound_->rate);
  return {};
}

uint64_t PictureProcessor::bytes_max(MediaKind kind, const ingest::MediumShape& shape) const {
  if (fixed_ && kind == MediaKind::kImage) {
    const int64_t side = fixed_->shortest_edge;
    const bool crops = fixed_->do_center_crop;
    const int64_t height = crops ? fixed_->crop_height : std::max(side, fixed_->height);
    const int64_t width = crops ? fixed_->crop_width : std::max(side, fixed_->width);
    return floats_bytes(height * width * 3);
  }
  if (kind == MediaKind::kAudio) {
    return sound_ ? floats_bytes(sound_->frames_max() * sound_->bins) : 0;
  }
  const auto& options = kind == MediaKind::kVideo ? film_ : image_;
  if (!options) return 0;
  const int64_t factor = options->patch_size * options->merge_size;
  const auto size =
      smart_resize(std::max<int64_t>(shape.height, 1), std::max<int64_t>(shape.width, 1), factor,
                   options->min_pixels, options->max_pixels);
  if (!size.ok()) return 0;  // prepare() will say why
  const int64_t deep = options->temporal_patch_size, area = size->first * size->second;
  const int64_t frames = (std::max<int64_t>(shape.frames, 1) + deep - 1) / deep;
  return floats_bytes(frames * deep * area * 3) + static_cast<uint64_t>(deep * area * 3);
}

Result<PreparedPicture> PictureProcessor::prepare_film(const ingest::Film& film) const {
  std::vector<const Image*> frames;
  for (const ingest::VideoFrame& frame : film.frames) frames.push_back(&frame.image);
  PreparedPicture out{.kind = MediaKind::kVideo, .values = {}};
  MORTISE_ASSIGN(PatchValues patches, prepare_film_patches(frames, *film_));
  const double shown = film.frames.back().seconds - film.frames.front().seconds;
  const double fps = shown > 0 ? static_cast<double>(frames.size() - 1) / shown : media_.frames.fps;
  out.seconds = static_cast<double>(film_->temporal_patch_size) / fps;
  out.values = std::move(patches);
  return out;
}

Result<PreparedPicture> PictureProcessor::prepare_sound(const ingest::Sound& sound) const {
  const int64_t hop = sound_->hop;
  const int64_t heard = (std::ssize(sound.samples) + hop - 1) / hop;
  MORTISE_ASSIGN(LogMel spectrum,
                 log_mel(sound.samples, *sound_, AudioConfig::frames_needed(heard)));
  PreparedPicture out{.kind = MediaKind::kAudio, .values = {}};
  out.tokens = tower_.tokens(spectrum.heard);
  if (out.tokens < 1) {
    return Error(Code::kInvalidArgument,
                 "The sound has " + std::to_string(sound.samples.size()) +
                     " samples, too few for one token of the model.",
                 "Leave it out, or pad it with silence to a tenth of a second.");
  }
  out.values = std::move(spectrum);
  return out;
}

Result<PreparedPicture> PictureProcessor::prepare(const ingest::Medium& medium) const {
  PreparedPicture out;
  if (const auto* image = std::get_if<Image>(&medium)) {
    if (fixed_) {
      MORTISE_ASSIGN(PixelValues pixels, prepare_image(*image, *fixed_));
      out.values = std::move(pixels);
      out.tokens = fixed_tokens_;
      return out;
    }
    if (!image_) return not_taken(MediaKind::kImage);
    MORTISE_ASSIGN(PatchValues patches, prepare_patches(*image, *image_));
    out.values = std::move(patches);
  } else if (const auto* film = std::get_if<ingest::Film>(&medium)) {
    if (!film_) return not_taken(MediaKind::kVideo);
    MORTISE_ASSIGN(out, prepare_film(*film));
  } else {
    if (!sound_) return not_taken(MediaKind::kAudio);
    return prepare_sound(std::get<ingest::Sound>(medium));
  }
  const auto& grid = std::get<PatchValues>(out.values);
  const int64_t merge = image_->merge_size * image_->merge_size;
  out.tokens = grid.grid_frames * grid.grid_height * grid.grid_width / merge;
  return out;
}

Status PictureProcessor::save(base::FileOps& files, const std::string& folder) const {
  if (!is_changed_) return {};
  const auto write = [&](const char* name, const Json& json) {
    return base::write_file_durably(files, base::join_path(folder, name), json.dump(2) + "\n");
  };
  Json image = image_json_, film = film_json_;
  write_pixels(*image_, image);
  if (!image.contains("image_processor_type")) {
    image["image_processor_type"] = "Qwen2VLImageProcessor";
  }
  write_pixels(*film_, film);
  if (!film.contains("video_processor_type"))
    film["video_processor_type"] = "Qwen2VLVideoProcessor";
  film["fps"] = media_.frames.fps;
  film["min_frames"] = media_.frames.frames_min;
  film["max_frames"] = media_.frames.frames_max;
  MORTISE_TRY(write(kImageFile, image));
  return write(kFilmFile, film);
}

}  // namespace mortise::engine
