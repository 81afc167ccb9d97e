// See audio.h. libsndfile knows many old formats; only those whose first bytes are known here reach
// it. It takes a cut WAV file as a short one, so the size in the header is compared first.
#include "ingest/audio.h"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

#include "ingest/resample.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kBlock = 4096;  // frames of one read

sf_count_t on_size(void* user) {
  return static_cast<sf_count_t>(static_cast<ByteCursor*>(user)->source->size_bytes());
}
sf_count_t on_seek(sf_count_t offset, int origin, void* user) {
  return static_cast<ByteCursor*>(user)->seek(offset, origin);
}
sf_count_t on_read(void* out, sf_count_t count, void* user) {
  if (count <= 0) return 0;
  return std::max<int64_t>(static_cast<ByteCursor*>(user)->read(out, static_cast<uint64_t>(count)),
                           0);
}
sf_count_t on_write(const void*, sf_count_t, void*) {
  return 0;
}
sf_count_t on_tell(void* user) {
  return static_cast<sf_count_t>(static_cast<ByteCursor*>(user)->at);
}

struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};

Error damaged(const std::string& reason) {
  return Error(Code::kDataLoss, "The sound is damaged: " + reason + ".",
               "Make or copy the file again.");
}

uint32_t little_endian(const uint8_t* at) {
  return at[0] | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24;
}

// Is this a format of audio.h, and is all of it there?
Status check_head(ByteSource& source) {
  std::array<uint8_t, 12> head{};
  MORTISE_ASSIGN(const size_t size, source.read_at(0, std::as_writable_bytes(std::span(head))));
  const auto starts = [&](std::string_view mark, size_t at = 0) {
    return size >= at + mark.size() && std::memcmp(head.data() + at, mark.data(), mark.size()) == 0;
  };
  const bool is_mp3 = starts("ID3") || (size >= 2 && head[0] == 0xFF && (head[1] & 0xE6) == 0xE2);
  if (starts("RIFF") && starts("WAVE", 8)) {
    const uint32_t says = little_endian(head.data() + 4);
    if (says == UINT32_MAX || says + uint64_t{8} <= source.size_bytes()) return {};
    return damaged("it says that it has " + std::to_string(says + uint64_t{8}) +
                   " bytes, but has " + std::to_string(source.size_bytes()));
  }
  const bool is_aiff = starts("FORM") && (starts("AIFF", 8) || starts("AIFC", 8));
  if (starts("RF64") || starts("fLaC") || starts("OggS") || is_aiff || is_mp3) return {};
  return Error(Code::kInvalidArgument, "This is no sound that is read here.",
               "Convert it to WAV, FLAC, MP3 or Ogg.");
}

// With two decimals where they say something.
std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", seconds);
  std::string_view view = text;
  if (view.ends_with(".00")) view.remove_suffix(3);
  return std::string(view);
}

Status check_facts(const AudioFacts& facts, const AudioLimits& limits) {
  const auto over = [](const std::string& has, const std::string& limit) {
    return Error(Code::kResourceExhausted, "The sound has " + has + "; " + limit + ".",
                 "Convert or cut it before the upload.");
  };
  if (facts.channels < 1 || facts.channels > limits.channels_max) {
    return over(std::to_string(facts.channels) + " channels",
                "at most " + std::to_string(limits.channels_max) + " are read");
  }
  if (facts.rate < limits.rate_min || facts.rate > limits.rate_max) {
    return over(
        std::to_string(facts.rate) + " samples a second",
        std::to_string(limits.rate_min) + " to " + std::to_string(limits.rate_max) + " are read");
  }
  if (facts.seconds() > limits.seconds_max) {
    return over(seconds_text(facts.seconds()) + " seconds",
                "at most " + seconds_text(limits.seconds_max) + " are read");
  }
  return {};
}

}  // namespace

struct AudioReader::State {
  std::unique_ptr<ByteSource> source;
  ByteCursor cursor;
  std::unique_ptr<SNDFILE, CloseSound> file;
  AudioLimits limits;
  bool is_exact = true;      // the number of frames
  int64_t done = 0;          // frames
  std::vector<float> block;  // [frames, channels]
};

AudioReader::AudioReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;
AudioReader::~AudioReader() = default;

Result<AudioReader> AudioReader::open(std::unique_ptr<ByteSource> source,
                                      const AudioLimits& limits) {
  MORTISE_TRY(check_head(*source));
  auto state = std::make_unique<State>();
  state->limits = limits;
  state->cursor = {source.get(), 0, read_budget(*source), {}};
  state->source = std::move(source);
  SF_VIRTUAL_IO calls{on_size, on_seek, on_read, on_write, on_tell};
  SF_INFO info{};
  state->file.reset(sf_open_virtual(&calls, SFM_READ, &info, &state->cursor));
  MORTISE_TRY(state->cursor.failure);
  if (state->file == nullptr) return damaged(sf_strerror(nullptr));
  AudioReader reader(std::move(state));
  reader.facts_ = {info.frames, info.samplerate, info.channels};
  const int kind = info.format & SF_FORMAT_TYPEMASK;
  reader.state_->is_exact = kind != SF_FORMAT_MPEG && info.frames < SF_COUNT_MAX;
  if (info.frames < 0) return damaged("its length is negative");
  MORTISE_TRY(check_facts(reader.facts_, limits));
  reader.state_->block.resize(static_cast<size_t>(kBlock * info.channels));
  return reader;
}

Result<size_t> AudioReader::read(std::span<float> out) {
  State& state = *state_;
  const auto wanted = static_cast<sf_count_t>(std::min<size_t>(out.size(), kBlock));
  const sf_count_t got = sf_readf_float(state.file.get(), state.block.data(), wanted);
  MORTISE_TRY(state.cursor.failure);
  if (const int fault = sf_error(state.file.get()); fault != SF_ERR_NO_ERROR) {
    return damaged(sf_error_number(fault));
  }
  if (got == 0 && wanted > 0 && state.is_exact && state.done < facts_.frames) {
    return damaged("it ends after " + std::to_string(state.done) + " of " +
                   std::to_string(facts_.frames) + " samples");
  }
  state.done += got;
  if (static_cast<double>(state.done) > state.limits.seconds_max * facts_.rate) {
    return check_facts({state.done, facts_.rate, facts_.channels}, state.limits).error();
  }
  const auto channels = static_cast<size_t>(facts_.channels);
  for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
    float sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += state.block[i * channels + c];
    const float mean = sum / static_cast<float>(channels);
    if (!std::isfinite(mean)) {
      return damaged("sample " + std::to_string(state.done - got + static_cast<int64_t>(i) + 1) +
                     " is not a finite number");
    }
    out[i] = mean;
  }
  return static_cast<size_t>(got);
}

int64_t resampled_frames(const AudioFacts& facts, int rate) {
  return (facts.frames * rate + facts.rate - 1) / facts.rate;
}

Result<std::vector<float>> read_audio(AudioReader& reader, int rate) {
  Resampler resampler(reader.facts().rate, rate);
  std::vector<float> samples;
  samples.reserve(static_cast<size_t>(resampled_frames(reader.facts(), rate)));
  std::array<float, kBlock> in{}, out{};
  for (bool is_open = true; is_open;) {
    MORTISE_ASSIGN(const size_t got, reader.read(in));
    is_open = got > 0;
    if (rate == reader.facts().rate) {
      samples.insert(samples.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(got));
      continue;
    }
    is_open ? resampler.push(std::span(in).first(got)) : resampler.finish();
    while (const size_t ready = resampler.pull(out)) {
      samples.insert(samples.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(ready));
    }
  }
  return samples;
}

}  // namespace mortise::ingest
