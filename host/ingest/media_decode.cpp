// See media_decode.h. One Source for each way: a picture, a sound, a film file, pictures as a film.
#include "ingest/media_decode.h"

#include <algorithm>

#include "ingest/frame_sequence.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Result;

struct OpenMedium::Source {
  virtual ~Source() = default;
  virtual Result<Medium> decode() = 0;
};

namespace {

struct Opened {
  std::unique_ptr<OpenMedium::Source> source;
  uint64_t bytes_max = 0;
  MediumShape shape = {};
};

uint64_t rgb_bytes(int64_t pixels) {
  return static_cast<uint64_t>(pixels) * 3;
}

Error named(Error error, const std::string& name) {
  if (error.file.empty()) error.at_file(name);
  return error;
}

Result<std::unique_ptr<ByteSource>> open_source(const MediaFiles& files, const std::string& name) {
  MORTISE_ASSIGN(auto file, files.open_medium(name));
  return ByteSource::of_file(std::move(file));
}

// Bytes [offset, offset + size) as they are.
Result<std::string> read_bytes(ByteSource& source, uint64_t offset, uint64_t size) {
  std::string bytes(size, '\0');
  MORTISE_ASSIGN(const size_t got,
                 source.read_at(offset, std::as_writable_bytes(std::span(bytes))));
  if (got == size) return bytes;
  return Error(Code::kDataLoss, "It ends while it is read.", "Make or copy the file again.");
}

base::Status check_file(uint64_t size, const MediaOptions& options) {
  if (size <= options.file_bytes_max) return {};
  return Error(Code::kResourceExhausted,
               "The picture's file has " + std::to_string(size) + " bytes; at most " +
                   std::to_string(options.file_bytes_max) + " are read.",
               "Make it smaller before the upload.");
}

// What decoding one picture holds: its file and its pixels. PNG and WebP go through RGBA.
Result<uint64_t> picture_bytes(ByteSource& source, const MediaOptions& options, ImageSize& size) {
  MORTISE_TRY(check_file(source.size_bytes(), options));
  MORTISE_ASSIGN(size, image_size(source, options.image));
  std::byte first{};
  MORTISE_TRY(source.read_at(0, std::span(&first, 1)));
  const int64_t area = size.width * size.height;
  const bool is_jpeg = first == std::byte{0xFF};
  return source.size_bytes() + rgb_bytes(area) + (is_jpeg ? 0 : static_cast<uint64_t>(area) * 4);
}

// --- a picture -----------------------------------------------------------------------------------

struct PictureSource final : OpenMedium::Source {
  std::unique_ptr<ByteSource> file;
  ImageLimits limits;
  Result<Medium> decode() override {
    MORTISE_ASSIGN(const std::string bytes, read_bytes(*file, 0, file->size_bytes()));
    MORTISE_ASSIGN(Image image, decode_image(base::as_bytes(bytes), limits));
    return Medium(std::move(image));
  }
};

Result<Opened> open_picture(std::unique_ptr<ByteSource> file, const MediaOptions& options) {
  ImageSize size;
  MORTISE_ASSIGN(const uint64_t bytes, picture_bytes(*file, options, size));
  auto source = std::make_unique<PictureSource>();
  source->file = std::move(file);
  source->limits = options.image;
  return Opened{std::move(source), bytes, {1, size.width, size.height}};
}

// --- sound ---------------------------------------------------------------------------------------

struct SoundSource final : OpenMedium::Source {
  SoundSource(AudioReader reader_in, int rate_in) : reader(std::move(reader_in)), rate(rate_in) {}
  AudioReader reader;
  int rate;
  Result<Medium> decode() override {
    MORTISE_ASSIGN(auto samples, read_audio(reader, rate));
    return Medium(Sound{rate, std::move(samples)});
  }
};

Result<Opened> open_sound(std::unique_ptr<ByteSource> file, const MediaOptions& options) {
  const int rate = options.audio_rate;
  if (rate < options.audio.rate_min || rate > options.audio.rate_max) {
    return Error(Code::kInvalidArgument, "A rate of " + std::to_string(rate) + " Hz is wanted.",
                 "Use " + std::to_string(options.audio.rate_min) + " to " +
                     std::to_string(options.audio.rate_max) + " Hz.");
  }
  MORTISE_ASSIGN(AudioReader reader, AudioReader::open(std::move(file), options.audio));
  const auto frames = static_cast<uint64_t>(resampled_frames(reader.facts(), rate));
  return Opened{std::make_unique<SoundSource>(std::move(reader), rate), frames * sizeof(float)};
}

// --- film ----------------------------------------------------------------------------------------

struct FilmSource final : OpenMedium::Source {
  FilmSource(Video video_in, const FrameBudget& budget_in)
      : video(std::move(video_in)), budget(budget_in) {}
  Video video;
  FrameBudget budget;
  Result<Medium> decode() override {
    MORTISE_ASSIGN(auto frames, video.sample(budget));
    return Medium(Film{std::move(frames)});
  }
};

Result<Opened> open_film(std::unique_ptr<ByteSource> file, const MediaOptions& options) {
  MORTISE_ASSIGN(Video video, Video::open(std::move(file), options.video));
  const VideoFacts facts = video.facts();
  const int64_t area = facts.width * facts.height;
  const int64_t frames = frames_wanted(options.frames, facts.frames, facts.fps);
  const int64_t kept = frames * std::min(area, options.frames.frame_pixels_max);
  return Opened{std::make_unique<FilmSource>(std::move(video), options.frames),
                rgb_bytes(kept + area),  // and the frame that is being made smaller
                {frames, facts.width, facts.height}};
}

// --- pictures as a film --------------------------------------------------------------------------

struct SequenceSource final : OpenMedium::Source {
  int64_t count = 0;
  std::function<Result<std::string>(int64_t)> read;
  MediaOptions options;
  Result<Medium> decode() override {
    MORTISE_ASSIGN(auto frames, sample_pictures(count, read, options.picture_fps, options.frames,
                                                options.image));
    return Medium(Film{std::move(frames)});
  }
};

// What the chosen pictures of a sequence hold, and their size: that of the largest.
struct SequenceSum {
  uint64_t kept = 0, working = 0;
  MediumShape shape;

  void add(uint64_t bytes, const ImageSize& size, const FrameBudget& budget) {
    kept += rgb_bytes(std::min(size.width * size.height, budget.frame_pixels_max));
    working = std::max(working, bytes);
    const bool is_larger = size.width * size.height > shape.width * shape.height;
    shape = {shape.frames + 1, is_larger ? size.width : shape.width,
             is_larger ? size.height : shape.height};
  }
};

// The pictures' names, in order.
Result<Opened> open_pictures(const MediaFiles& files, std::vector<std::string> names,
                             const MediaOptions& options) {
  auto source = std::make_unique<SequenceSource>();
  source->count = static_cast<int64_t>(names.size());
  source->options = options;
  SequenceSum sum;
  const int64_t wanted = frames_wanted(options.frames, source->count, options.picture_fps);
  for (const int64_t index : even_indices(source->count, wanted)) {
    const std::string& name = names[static_cast<size_t>(index)];
    MORTISE_ASSIGN(const auto picture, open_source(files, name));
    ImageSize size;
    const auto bytes = picture_bytes(*picture, options, size);
    if (!bytes.ok()) return named(bytes.error(), name);
    sum.add(*bytes, size, options.frames);
  }
  source->read = [&files, names = std::move(names)](int64_t index) -> Result<std::string> {
    const std::string& name = names[static_cast<size_t>(index)];
    MORTISE_ASSIGN(const auto picture, open_source(files, name));
    auto bytes = read_bytes(*picture, 0, picture->size_bytes());
    if (!bytes.ok()) return named(bytes.error(), name);
    return bytes;
  };
  return Opened{std::move(source), sum.kept + sum.working, sum.shape};
}

// A part of a source as a source.
class PartSource final : public ByteSource {
 public:
  PartSource(ByteSource& whole, uint64_t offset, uint64_t size_bytes)
      : ByteSource(size_bytes), whole_(whole), offset_(offset) {}
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= size_bytes()) return size_t{0};
    return whole_.read_at(offset_ + offset,
                          buffer.first(std::min(buffer.size(), size_bytes() - offset)));
  }

 private:
  ByteSource& whole_;
  uint64_t offset_;
};

Result<Opened> open_tar(std::unique_ptr<ByteSource> file, const MediaOptions& options) {
  MORTISE_ASSIGN(std::vector<TarEntry> entries, tar_pictures(*file));
  auto source = std::make_unique<SequenceSource>();
  source->count = static_cast<int64_t>(entries.size());
  source->options = options;
  SequenceSum sum;
  const int64_t wanted = frames_wanted(options.frames, source->count, options.picture_fps);
  for (const int64_t index : even_indices(source->count, wanted)) {
    const TarEntry& entry = entries[static_cast<size_t>(index)];
    PartSource picture(*file, entry.offset, entry.size_bytes);
    ImageSize size;
    auto bytes = picture_bytes(picture, options, size);
    if (!bytes.ok()) {
      bytes.error().message = "Frame " + entry.name + ": " + bytes.error().message;
      return bytes.error();
    }
    sum.add(*bytes, size, options.frames);
  }
  std::shared_ptr<ByteSource> shared = std::move(file);
  source->read = [shared, entries = std::move(entries)](int64_t index) {
    const TarEntry& entry = entries[static_cast<size_t>(index)];
    return read_bytes(*shared, entry.offset, entry.size_bytes);
  };
  return Opened{std::move(source), sum.kept + sum.working, sum.shape};
}

Result<Opened> open_one_film(const MediaFiles& files, const std::string& name,
                             const MediaOptions& options) {
  auto file = files.open_medium(name);
  if (!file.ok()) {  // a folder of pictures?
    MORTISE_ASSIGN(const std::vector<std::string> below, files.media_below(name));
    if (below.empty()) return std::move(file).error();
    MORTISE_ASSIGN(std::vector<std::string> pictures, pictures_among(below));
    return open_pictures(files, std::move(pictures), options);
  }
  MORTISE_ASSIGN(auto source, ByteSource::of_file(std::move(*file)));
  if (name.ends_with(".tar")) return open_tar(std::move(source), options);
  return open_film(std::move(source), options);
}

Result<Opened> open_any(const MediaFiles& files, MediaKind kind,
                        const std::vector<std::string>& names, const MediaOptions& options) {
  if (kind == MediaKind::kVideo) {
    if (options.frames.frames_max < 1 || options.frames.frame_pixels_max < 1) {
      return Error(Code::kInvalidArgument, "A film is sampled with a budget below one.",
                   "Ask for at least one frame of one pixel.");
    }
    if (names.size() == 1 && !is_picture(names.front())) {
      return open_one_film(files, names.front(), options);
    }
    return open_pictures(files, names, options);
  }
  if (names.size() != 1) {
    return Error(Code::kInvalidArgument,
                 "One file is wanted here, not " + std::to_string(names.size()) + ".",
                 "Only a film may be a list of pictures.");
  }
  MORTISE_ASSIGN(auto source, open_source(files, names.front()));
  return kind == MediaKind::kImage ? open_picture(std::move(source), options)
                                   : open_sound(std::move(source), options);
}

}  // namespace

uint64_t size_bytes(const Medium& medium) {
  if (const auto* image = std::get_if<Image>(&medium)) return image->pixels.size();
  if (const auto* sound = std::get_if<Sound>(&medium)) return sound->samples.size() * sizeof(float);
  uint64_t size = 0;
  for (const VideoFrame& frame : std::get<Film>(medium).frames) size += frame.image.pixels.size();
  return size;
}

OpenMedium::OpenMedium(std::unique_ptr<Source> source, uint64_t bytes_max, MediumShape shape,
                       std::string name)
    : source_(std::move(source)), bytes_max_(bytes_max), shape_(shape), name_(std::move(name)) {}
OpenMedium::OpenMedium(OpenMedium&&) noexcept = default;
OpenMedium& OpenMedium::operator=(OpenMedium&&) noexcept = default;
OpenMedium::~OpenMedium() = default;

Result<OpenMedium> OpenMedium::open(const MediaFiles& files, MediaKind kind,
                                    const std::vector<std::string>& names,
                                    const MediaOptions& options) {
  const std::string name = names.empty() ? "" : names.front();
  auto opened = open_any(files, kind, names, options);
  if (!opened.ok()) return named(std::move(opened).error(), name);
  return OpenMedium(std::move(opened->source), opened->bytes_max, opened->shape, name);
}

Result<Medium> OpenMedium::decode() {
  auto medium = source_->decode();
  if (!medium.ok()) return named(std::move(medium).error(), name_);
  return medium;
}

}  // namespace mortise::ingest
