// prepare_run, part by part.
#include "engine/train/setup.h"

#include <algorithm>

#include "base/file_digest.h"
#include "engine/model/layout.h"
#include "engine/op/failure.h"
#include "engine/train/groups.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

// Names of modules that stay as they are: "vision" (pictures' tower, or sound's), "projector" and
// "text" are the model's parts, anything else the beginning of a module's name. Whisper's positions
// are fixed.
std::vector<std::string> frozen_prefixes(const Model& model, const TrainSettings& settings) {
  const ModulePrefixes prefixes = prefixes_of(model.config.model_type);
  std::vector<std::string> out;
  if (model.audio && settings.full) out.push_back(prefixes.tower + "embed_positions");
  for (const std::string& name : settings.freeze) {
    std::string prefix = name;
    if (name == "vision") prefix = model.vision || model.audio ? prefixes.tower : "";
    if (name == "audio") prefix = model.audio ? prefixes.tower : "";
    if (name == "vision" && model.qwen_vision) {  // all but the merger, which is the projector
      out.push_back(prefixes.tower + "patch_embed.");
      prefix = prefixes.tower + "blocks.";
    }
    if (name == "projector") prefix = model.config.is_multimodal() ? prefixes.projector : "";
    if (name == "text") prefix = prefixes.text;
    if (!prefix.empty()) out.push_back(prefix);
  }
  return out;
}

bool is_frozen(const std::vector<std::string>& prefixes, const std::string& name) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(".^$*+?()[]{}|\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// Frozen parts take no adapter: said as exclude_modules, so that PEFT reads the same.
base::Status exclude_frozen(const std::vector<std::string>& prefixes, AdapterConfig& config) {
  if (prefixes.empty()) return {};
  std::string pattern;
  const auto add = [&](const std::string& part) { pattern += (pattern.empty() ? "" : "|") + part; };
  if (config.exclude_modules.pattern) add("(" + config.exclude_modules.pattern_text + ")");
  for (const std::string& name : config.exclude_modules.names) {
    add("(.*\\.)?" + escaped(name));
  }
  for (const std::string& prefix : prefixes) add(escaped(prefix) + ".*");
  MORTISE_ASSIGN(config.exclude_modules.pattern, base::Pattern::compile(pattern));
  config.exclude_modules.pattern_text = pattern;
  config.exclude_modules.names.clear();
  return {};
}

base::Status choose_trained(base::FileOps& files, const TrainRequest& request, Setup& setup) {
  const std::vector<std::string> prefixes = frozen_prefixes(*setup.model, setup.settings);
  if (setup.settings.full) {
    for (const Parameter& parameter : setup.model->parameters) {
      if (!is_frozen(prefixes, parameter.name)) setup.trained.push_back(parameter);
    }
    if (!setup.trained.empty()) return {};
    return Error(Code::kInvalidArgument, "\"freeze\" leaves nothing to train.")
        .at_field("/train/freeze");
  }
  if (!request.adapter_folder.empty()) {
    MORTISE_ASSIGN(setup.adapter, Adapter::load(files, request.adapter_folder, *setup.model));
  } else {
    MORTISE_ASSIGN(AdapterConfig config, adapter_config_of_method(setup.settings.method));
    MORTISE_TRY(exclude_frozen(prefixes, config));
    MORTISE_ASSIGN(setup.adapter,
                   Adapter::create(*setup.model, std::move(config), setup.settings.seed));
  }
  setup.trained = setup.adapter->parameters();
  return {};
}

base::Status open_rows(base::FileOps& files, const TrainRequest& request, Setup& setup) {
  MORTISE_ASSIGN(setup.dataset, Dataset::open(files, request.dataset_file, request.domain));
  MORTISE_ASSIGN(setup.split, split_rows(*setup.dataset, setup.settings.holdout_ratio,
                                         setup.settings.holdout_seed));
  if (setup.settings.best.is_used() && setup.split.held_out.empty()) {
    return Error(Code::kFailedPrecondition,
                 "The holdout leaves no row to find the best checkpoint on.",
                 "Raise holdout.ratio, or add rows.")
        .at_field("/holdout/ratio");
  }
  if (!setup.split.train.empty()) return {};
  return Error(Code::kFailedPrecondition, "The holdout leaves no row to train on.",
               "Lower holdout.ratio, or add rows.")
      .at_field("/holdout/ratio");
}

// Stands in where rows are tokens already.
class NoEncoder : public Encoder {
 public:
  base::Result<EncodedText> encode(const std::string&) const override {
    return Error(Code::kFailedPrecondition, "No tokenizer was given.",
                 "Put a tokenizer into the model's folder, or train on rows of tokens.");
  }
  base::Result<std::vector<int32_t>> special_among(const std::vector<int32_t>&) const override {
    return std::vector<int32_t>();
  }
  base::Result<std::string> token_text(int32_t) const override { return std::string(); }
  int32_t eos_id() const override { return -1; }
  int32_t bos_id() const override { return -1; }
};
const NoEncoder kNoEncoder;

base::Status make_encoder(base::FileOps& files, const TrainRequest& request, Setup& setup) {
  MORTISE_ASSIGN(setup.chat, read_chat_setup(files, request.model_folder));
  const ModelConfig& config = setup.model->config;
  const Encoder& encoder = request.encoder != nullptr ? *request.encoder : kNoEncoder;
  RowSettings rows;
  if (setup.dataset->task_type() != "tokens" && request.encoder != nullptr) {
    MORTISE_ASSIGN(rows, row_settings_of(config, encoder));
  }
  rows.task_type = setup.dataset->task_type();
  rows.length_max = setup.settings.max_length;
  rows.truncation = setup.settings.truncation;
  rows.shares_beginnings = !setup.model->qwen_vision;  // whose positions come from whole sequences
  MORTISE_ASSIGN(setup.encoder, RowEncoder::create(encoder, *setup.chat, std::move(rows)));
  MORTISE_ASSIGN(setup.pictures,
                 PictureProcessor::read(files, {request.adapter_folder, request.model_folder},
                                        config, request.manifest["media"]));
  return {};
}

// Digests of what a model or adapter folder holds by name, without what only people read.
base::Result<Json> digests_of(base::FileOps& files, const std::string& folder) {
  Json digests = Json::object();
  if (folder.empty()) return digests;
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    if (entry.is_folder || entry.name.starts_with(".") || entry.name.ends_with(".md")) continue;
    MORTISE_ASSIGN(const base::Digest digest,
                   base::sha256_file(files, base::join_path(folder, entry.name)));
    digests[entry.name] = base::to_hex(digest);
  }
  return digests;
}

// Everything but the places of files: equal facts give equal runs.
base::Result<Json> facts_of(base::FileOps& files, const TrainRequest& request, const Setup& setup) {
  Json facts = request.facts.is_object() ? request.facts : Json::object();
  for (const char* part : {"method", "train", "holdout", "plugins", "fusion", "media"}) {
    facts[part] = request.manifest[part];
  }
  facts["train"].erase("save_steps");
  if (!setup.settings.best.is_used()) facts["train"].erase("eval_steps");
  facts["train"].erase("gradient_checkpointing");  // the same numbers
  facts["train"].erase("dataloader_num_workers");
  MORTISE_ASSIGN(facts["model"], digests_of(files, request.model_folder));
  MORTISE_ASSIGN(facts["init_adapter"], digests_of(files, request.adapter_folder));
  facts["dataset"] = Json::object({{"task_type", setup.dataset->task_type()},
                                   {"digest", setup.dataset->info()["digest"]},
                                   {"rows", setup.dataset->count()}});
  return facts;
}

}  // namespace

base::Result<std::unique_ptr<Setup>> prepare_run(base::FileOps& files,
                                                 const TrainRequest& request) {
  auto setup = std::make_unique<Setup>();
  MORTISE_ASSIGN(setup->settings, read_train_settings(request.manifest));
  const at::ScalarType dtype = setup->settings.bf16 ? at::kBFloat16 : at::kFloat;
  MORTISE_ASSIGN(setup->model, load_model(files, request.model_folder, {.dtype = dtype}));
  if (!setup->model->text) {
    return Error(Code::kUnimplemented, "A " + setup->model->config.model_type +
                                           " model has no decoder and cannot be trained yet.");
  }
  if (setup->settings.full && request.preference != nullptr) {
    MORTISE_ASSIGN(setup->reference, load_model(files, request.model_folder, {.dtype = dtype}));
  }
  MORTISE_TRY(choose_trained(files, request, *setup));
  MORTISE_ASSIGN(setup->rates, take_groups(setup->settings, setup->trained));
  MORTISE_TRY(open_rows(files, request, *setup));
  MORTISE_TRY(make_encoder(files, request, *setup));
  MORTISE_ASSIGN(setup->facts, facts_of(files, request, *setup));
  return setup;
}

}  // namespace mortise::engine
