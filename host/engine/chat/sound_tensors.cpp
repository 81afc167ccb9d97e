// See sound_tensors.h.
#include "engine/chat/sound_tensors.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "engine/data/log_mel.h"
#include "ingest/audio.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

// Null when the folder has no preprocessor_config.json.
Result<Json> processor_at(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return Json();
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1 << 20));
  return base::parse_json(text);
}

Result<LogMel> spectrum_of(base::FileOps& files, const std::string& path,
                           const LogMelOptions& options) {
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  MORTISE_ASSIGN(auto source, ingest::ByteSource::of_file(std::move(file)));
  const double seconds =
      static_cast<double>(options.samples_max) / static_cast<double>(options.rate);
  MORTISE_ASSIGN(auto reader,
                 ingest::AudioReader::open(std::move(source), {.seconds_max = seconds}));
  MORTISE_ASSIGN(const auto samples, ingest::read_audio(reader, static_cast<int>(options.rate)));
  return log_mel(samples, options);
}

// Spectra side by side, frames last, as transformers has them.
void put(const LogMel& spectrum, at::Tensor features, at::Tensor mask) {
  auto out = features.accessor<float, 2>();  // [bins, frames]
  for (int64_t t = 0; t < spectrum.frames; ++t) {
    for (int64_t m = 0; m < spectrum.bins; ++m) {
      out[m][t] = spectrum.values[static_cast<size_t>(t * spectrum.bins + m)];
    }
  }
  mask.narrow(0, 0, spectrum.heard).fill_(1);
}

}  // namespace

Result<NamedTensors> sound_tensors(base::FileOps& files, const std::string& folder,
                                   const std::vector<std::string>& sounds) {
  if (sounds.empty()) {
    return Error(Code::kInvalidArgument, "There is no sound to prepare.", "Give --audio FILE.");
  }
  const std::string path = base::join_path(folder, "preprocessor_config.json");
  auto processor = processor_at(files, path);
  if (!processor.ok()) return std::move(processor.error().at_file(path));
  auto options = parse_log_mel(*processor, {});
  if (!options.ok()) return std::move(options.error().at_file(path));
  std::vector<LogMel> spectra;
  int64_t frames = 0;
  for (const std::string& sound : sounds) {
    auto spectrum = spectrum_of(files, sound, *options);
    if (!spectrum.ok()) return std::move(spectrum.error().at_file(sound));
    frames = std::max(frames, spectrum->frames);
    spectra.push_back(std::move(*spectrum));
  }
  const auto clips = static_cast<int64_t>(spectra.size());
  const at::Tensor features = at::zeros({clips, options->bins, frames}, at::kFloat);
  const at::Tensor mask = at::zeros({clips, frames}, at::kInt);
  for (int64_t i = 0; i < clips; ++i) {
    put(spectra[static_cast<size_t>(i)], features.select(0, i), mask.select(0, i));
  }
  const bool is_qwen = (*processor)["processor_class"].as_string() == "Qwen2AudioProcessor";
  return NamedTensors{{"input_features", features},
                      {is_qwen ? "feature_attention_mask" : "attention_mask", mask}};
}

}  // namespace mortise::engine
