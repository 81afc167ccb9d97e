// metrics.jsonl and the results.
#include "engine/train/finish.h"

#include <array>
#include <sstream>

#include "engine/op/node.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {
namespace {

using base::Json;

// Files of a model folder that belong to the text and image side: they stay as they are.
constexpr std::array<const char*, 16> kCompanions = {"config.json",
                                                     "generation_config.json",
                                                     "tokenizer.json",
                                                     "tokenizer_config.json",
                                                     "special_tokens_map.json",
                                                     "added_tokens.json",
                                                     "vocab.json",
                                                     "merges.txt",
                                                     "vocab.txt",
                                                     "tokenizer.model",
                                                     "chat_template.jinja",
                                                     "chat_template.json",
                                                     "preprocessor_config.json",
                                                     "video_preprocessor_config.json",
                                                     "processor_config.json",
                                                     "README.md"};

base::Status copy_companions(base::FileOps& files, const std::string& from, const std::string& to) {
  for (const char* name : kCompanions) {
    const std::string path = base::join_path(from, name);
    MORTISE_ASSIGN(const bool exists, files.exists(path));
    if (!exists) continue;
    MORTISE_ASSIGN(const std::string text, base::read_file(files, path));
    MORTISE_TRY(base::write_file_durably(files, base::join_path(to, name), text));
  }
  return {};
}

}  // namespace

std::string metrics_line(const StepMetrics& m) {
  Json line = Json::object({{"step", m.step},
                            {"epoch", m.epoch},
                            {"loss", m.loss},
                            {"grad_norm", m.grad_norm},
                            {"learning_rate", m.learning_rate},
                            {"tokens", m.tokens},
                            {"labelled_tokens", m.labelled_tokens},
                            {"examples", m.examples},
                            {"seconds", m.seconds},
                            {"data_wait_seconds", m.data_wait_seconds}});
  for (const auto& [name, value] : m.more.members()) line[name] = value;
  return line.dump() + "\n";
}

base::Result<std::unique_ptr<base::File>> open_lines(base::FileOps& files, const std::string& path,
                                                     int64_t step) {
  MORTISE_ASSIGN(const bool exists, files.exists(path));
  if (exists) {
    MORTISE_ASSIGN(const std::string text, base::read_file(files, path));
    std::istringstream lines(text);
    std::string kept;
    for (std::string line; std::getline(lines, line);) {
      const auto json = base::parse_json(line);
      if (json.ok() && (*json)["step"].as_int(INT64_MAX) <= step) kept += line + "\n";
    }
    if (kept != text) MORTISE_TRY(base::write_file_durably(files, path, kept));
  }
  return files.open(path, base::OpenMode::kAppend);
}

base::Status write_results(base::FileOps& files, const TrainRequest& request, const Setup& setup,
                           TrainResult& result) {
  if (setup.adapter) {
    result.adapter_folder = base::join_path(request.output_folder, "adapter");
    MORTISE_TRY(setup.adapter->save(files, result.adapter_folder, request.base_model_name));
    return setup.pictures.save(files, result.adapter_folder);
  }
  const NoRecord quiet;
  result.model_folder = base::join_path(request.output_folder, "model");
  MORTISE_TRY(base::make_folders(files, result.model_folder));
  NamedTensors tensors = tensors_on_disk(*setup.model);
  for (auto& [name, tensor] : tensors) tensor = tensor.detach();
  MORTISE_TRY(save_checkpoint(files, result.model_folder, tensors));
  MORTISE_TRY(copy_companions(files, request.model_folder, result.model_folder));
  return setup.pictures.save(files, result.model_folder);
}

Json TrainResult::to_json() const {
  Json counts = Json::object();
  for (const auto& [name, count] : ops) {
    counts[name] = Json::object(
        {{"native", count.native}, {"composed", count.composed}, {"fallback", count.fallback}});
  }
  return Json::object({{"steps", steps},
                       {"resumed_at", resumed_at},
                       {"first_loss", first_loss},
                       {"last_loss", last_loss},
                       {"eval_loss", eval_loss < 0 ? Json() : Json(eval_loss)},
                       {"best_step", best_step > 0 ? Json(best_step) : Json()},
                       {"best_metric", best_step > 0 ? Json(best_metric) : Json()},
                       {"stopped_early", stopped_early},
                       {"seconds", seconds},
                       {"data_wait_seconds", data_wait_seconds},
                       {"tokens", tokens},
                       {"trained_parameters", trained_parameters},
                       {"train_rows", train_rows},
                       {"held_out_rows", held_out_rows},
                       {"tower_runs", tower_runs},
                       {"ops", std::move(counts)}});
}

}  // namespace mortise::engine
