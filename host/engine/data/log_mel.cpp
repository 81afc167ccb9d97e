// See log_mel.h. Computed in double, rounded once at the end.
#include "engine/data/log_mel.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <string>

#include "engine/data/spectrum.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr double kPowerMin = 1e-10;
constexpr double kDecadesMax = 8;  // below the loudest

Status read_count(const Json& json, const char* field, int64_t max, int64_t& out) {
  const Json& value = json[field];
  if (value.is_null()) return {};
  if (!value.is_integer() || value.as_int(0) < 1 || value.as_int(0) > max) {
    return Error(Code::kInvalidArgument,
                 std::string("\"") + field + "\" must be a whole number from 1 to " +
                     std::to_string(max) + ".",
                 "Mend preprocessor_config.json or fetch it again.")
        .at_field(std::string("/") + field);
  }
  out = value.as_int();
  return {};
}

Status read_padding(const Json& value, bool& pads) {
  const std::string& name = value.as_string();
  if (value.is_null()) return {};
  if (value.is_bool()) {
    pads = value.as_bool();
    return {};
  }
  if (name == "max_length" || name == "longest" || name == "do_not_pad") {
    pads = name == "max_length";
    return {};
  }
  return Error(Code::kInvalidArgument, "\"padding\" is " + value.dump() + ".",
               "It is max_length, longest, do_not_pad, true or false.")
      .at_field("/padding");
}

// Linear to 1000 Hz (15 mels), then 27 mels for each factor of 6.4.
double mel_of(double hertz) {
  if (hertz < 1000) return 3 * hertz / 200;
  return 15 + std::log(hertz / 1000) * 27 / std::log(6.4);
}
double hertz_of(double mel) {
  if (mel < 15) return 200 * mel / 3;
  return 1000 * std::exp(std::log(6.4) / 27 * (mel - 15));
}

std::string seconds_text(int64_t samples, int64_t rate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f",
                static_cast<double>(samples) / static_cast<double>(rate));
  return text;
}

Status check_length(int64_t count, const LogMelOptions& options) {
  if (count == 0) {
    return Error(Code::kInvalidArgument, "The sound has no samples.",
                 "Record it again, or leave its row out.");
  }
  if (count > options.samples_max) {
    return Error(Code::kInvalidArgument,
                 "The sound lasts " + seconds_text(count, options.rate) +
                     " s, but the model hears at most " +
                     seconds_text(options.samples_max, options.rate) + " s.",
                 "Cut it into pieces.");
  }
  if (options.pads || count > options.fft_size / 2) return {};
  return Error(Code::kInvalidArgument,
               "The sound has " + std::to_string(count) + " samples; a frame takes more than " +
                   std::to_string(options.fft_size / 2) + ".",
               "Pad it with silence, or let preprocessor_config.json pad.");
}

// One sound and what its frames are made with.
class Frames {
 public:
  Frames(std::span<const float> samples, const LogMelOptions& options)
      : samples_(samples),
        options_(options),
        length_(options.pads ? options.samples_max : std::ssize(samples)),
        window_(static_cast<size_t>(options.fft_size)) {
    for (size_t i = 0; i < window_.size(); ++i) {  // Hann, periodic
      const double turn = static_cast<double>(i) / static_cast<double>(window_.size());
      window_[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * turn);
    }
  }

  int64_t count() const { return length_ / options_.hop; }
  // The first so many have samples that are not of the padding.
  int64_t heard() const {
    const int64_t end = std::ssize(samples_) + options_.fft_size / 2;
    return std::min(count(), (end + options_.hop - 1) / options_.hop);
  }
  // Frame t, whose middle is sample t * hop, times the window.
  void read(int64_t t, std::span<double> out) const {
    int64_t at = t * options_.hop - options_.fft_size / 2;
    for (size_t i = 0; i < out.size(); ++i, ++at) out[i] = sample(at) * window_[i];
  }

 private:
  // Mirrored at both ends; silence behind the samples.
  double sample(int64_t at) const {
    if (at < 0) at = -at;
    if (at >= length_) at = 2 * (length_ - 1) - at;
    const bool is_there = at >= 0 && at < std::ssize(samples_);
    return is_there ? static_cast<double>(samples_[static_cast<size_t>(at)]) : 0;
  }

  std::span<const float> samples_;
  const LogMelOptions& options_;
  int64_t length_;  // with the padding
  std::vector<double> window_;
};

double energy(const MelFilter& filter, std::span<const double> powers) {
  double sum = 0;
  for (size_t k = 0; k < filter.weights.size(); ++k) {
    sum += filter.weights[k] * powers[filter.begin + k];
  }
  return sum;
}

}  // namespace

Result<LogMelOptions> parse_log_mel(const Json& json, const LogMelOptions& defaults) {
  LogMelOptions options = defaults;
  const Json& type = json["feature_extractor_type"];
  if (type.is_string() && type.as_string() != "WhisperFeatureExtractor") {
    return Error(Code::kUnimplemented,
                 "\"feature_extractor_type\" is \"" + type.as_string() +
                     "\", which this engine does not compute.",
                 "Known here: WhisperFeatureExtractor.")
        .at_field("/feature_extractor_type");
  }
  if (json["dither"].as_double(0) != 0) {
    return Error(Code::kUnimplemented, "\"dither\" adds noise, which this engine does not.",
                 "Set it to 0.")
        .at_field("/dither");
  }
  int64_t seconds = 0;
  MORTISE_TRY(read_count(json, "feature_size", 1024, options.bins));
  MORTISE_TRY(read_count(json, "sampling_rate", 384'000, options.rate));
  MORTISE_TRY(read_count(json, "n_fft", 1 << 14, options.fft_size));
  MORTISE_TRY(read_count(json, "hop_length", 1 << 14, options.hop));
  MORTISE_TRY(read_count(json, "chunk_length", 3600, seconds));
  MORTISE_TRY(read_padding(json["padding"], options.pads));
  if (seconds > 0) options.samples_max = seconds * options.rate;
  if (options.samples_max >= options.hop) return options;
  return Error(Code::kInvalidArgument,
               "\"hop_length\" is " + std::to_string(options.hop) +
                   ", longer than the longest sound.",
               "Mend preprocessor_config.json or fetch it again.")
      .at_field("/hop_length");
}

std::vector<MelFilter> mel_filters(const LogMelOptions& options) {
  const double top = static_cast<double>(options.rate) / 2, mel_top = mel_of(top);
  const auto count = static_cast<size_t>(options.bins);
  std::vector<double> corners(count + 2);  // Hz: where a triangle begins, peaks and ends
  for (size_t i = 0; i < corners.size(); ++i) {
    corners[i] = hertz_of(mel_top * static_cast<double>(i) / static_cast<double>(count + 1));
  }
  const auto bins = static_cast<size_t>(options.fft_size / 2 + 1);
  std::vector<MelFilter> filters(count);
  for (size_t m = 0; m < count; ++m) {
    const double low = corners[m], peak = corners[m + 1], high = corners[m + 2];
    for (size_t k = 0; k < bins; ++k) {
      const double hertz = top * static_cast<double>(k) / static_cast<double>(bins - 1);
      const double weight = std::min((hertz - low) / (peak - low), (high - hertz) / (high - peak));
      MelFilter& filter = filters[m];
      if (weight <= 0) continue;
      if (filter.weights.empty()) filter.begin = k;
      filter.weights.push_back(weight * 2 / (high - low));
    }
  }
  return filters;
}

Result<LogMel> log_mel(std::span<const float> samples, const LogMelOptions& options,
                       int64_t frames_wanted) {
  MORTISE_TRY(check_length(std::ssize(samples), options));
  const Frames frames(samples, options);
  const std::vector<MelFilter> filters = mel_filters(options);
  LogMel out;
  out.bins = options.bins;
  out.frames = frames_wanted > 0 ? std::min(frames_wanted, frames.count()) : frames.count();
  out.heard = std::min(frames.count(), (std::ssize(samples) + options.hop - 1) / options.hop);
  const double silence = std::log10(kPowerMin);
  std::vector<double> decades(static_cast<size_t>(frames.heard() * options.bins), silence);
  Spectrum spectrum(static_cast<size_t>(options.fft_size));
  std::vector<double> a(spectrum.size()), b(spectrum.size());
  std::vector<double> power_a(spectrum.bins()), power_b(spectrum.bins());
  const auto put = [&](int64_t t, std::span<const double> powers) {
    double* row = &decades[static_cast<size_t>(t * options.bins)];
    for (const MelFilter& filter : filters) {
      *row++ = std::log10(std::max(energy(filter, powers), kPowerMin));
    }
  };
  for (int64_t t = 0; t < frames.heard(); t += 2) {
    const bool has_next = t + 1 < frames.heard();
    frames.read(t, a);
    if (has_next) frames.read(t + 1, b);
    spectrum.powers(a, b, power_a, power_b);
    put(t, power_a);
    if (has_next) put(t + 1, power_b);
  }
  const double least = *std::max_element(decades.begin(), decades.end()) - kDecadesMax;
  out.values.resize(static_cast<size_t>(out.frames * out.bins));
  for (size_t i = 0; i < out.values.size(); ++i) {
    const double decade = i < decades.size() ? decades[i] : silence;
    out.values[i] = static_cast<float>((std::max(decade, least) + 4) / 4);
  }
  return out;
}

}  // namespace mortise::engine
