// `mortise model new|forward|generate` and `mortise media preprocess` in the worker.
#include <array>
#include <utility>

#include "app/mortise-worker/device.h"
#include "engine/chat/chat_model.h"
#include "engine/chat/image_tensors.h"
#include "engine/chat/sound_tensors.h"
#include "engine/infer/forward.h"
#include "engine/infer/generate.h"
#include "engine/lora/adapter_config.h"
#include "engine/model/model.h"
#include "engine/model/presets.h"
#include "engine/weights/checkpoint.h"
#include "export/export.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

Json ids_json(const std::vector<int32_t>& ids) {
  Json out = Json::array();
  for (const int32_t id : ids) out.push_back(id);
  return out;
}

// The best tokens of each step, as {id, logprob} lists.
Json logprobs_json(const std::vector<engine::GeneratedToken>& tokens) {
  Json out = Json::array();
  for (const engine::GeneratedToken& token : tokens) {
    Json best = Json::array();
    for (const auto& [id, logprob] : token.best) {
      best.push_back(Json::object({{"id", id}, {"logprob", logprob}}));
    }
    out.push_back(Json::object(
        {{"id", token.id}, {"logprob", token.logprob}, {"top_logprobs", std::move(best)}}));
  }
  return out;
}

// Media of a local command: names are paths.
class PlainFiles final : public ingest::MediaFiles {
 public:
  explicit PlainFiles(base::FileOps& files) : files_(files) {}
  Result<std::unique_ptr<base::File>> open_medium(const std::string& name) const override {
    return files_.open(name, base::OpenMode::kRead);
  }
  Result<std::vector<std::string>> media_below(const std::string& folder) const override {
    MORTISE_ASSIGN(const auto entries, files_.list(folder));
    std::vector<std::string> names;
    for (const base::FileInfo& entry : entries) {
      if (!entry.is_folder) names.push_back(base::join_path(folder, entry.name));
    }
    return names;
  }

 private:
  base::FileOps& files_;
};

// Pictures without a tag in the prompt stand in front of it, as those of a row do.
engine::RowMessages conversation_of(Context& context) {
  engine::RowMessages conversation;
  for (const Json& path : context.argument("images").items()) {
    conversation.media.push_back({ingest::MediaKind::kImage, {}, {path.as_string()}});
  }
  for (const Json& path : context.argument("audios").items()) {
    conversation.media.push_back({ingest::MediaKind::kAudio, {}, {path.as_string()}});
  }
  for (const Json& path : context.argument("videos").items()) {
    conversation.media.push_back({ingest::MediaKind::kVideo, {}, {path.as_string()}});
  }
  conversation.messages =
      Json::array({Json::object({{"role", "user"}, {"content", context.text("prompt")}})});
  return conversation;
}

void read_sampling(Context& context, engine::GenerateRequest& request) {
  request.new_tokens_max = context.argument("max_new_tokens").as_int(64);
  request.sampling.temperature = context.argument("temperature").as_double(0);
  request.sampling.seed = context.argument("seed").as_uint(42);
  const int64_t logprobs = context.argument("logprobs").as_int(0);
  request.logprobs = logprobs > 0 ? static_cast<int32_t>(logprobs) : -1;
}

// With ids alone no tokenizer is needed, and the answer has no text.
Result<Json> generate_from_ids(Context& context, engine::Device& device,
                               const std::string& adapter_folder) {
  MORTISE_ASSIGN(const auto model, engine::load_model(context.files, context.text("model")));
  std::unique_ptr<engine::Adapter> adapter;
  if (!adapter_folder.empty()) {
    MORTISE_ASSIGN(adapter, engine::Adapter::load(context.files, adapter_folder, *model));
  }
  engine::GenerateRequest request;
  for (const Json& id : context.argument("ids").items()) {
    request.prompt.push_back(static_cast<int32_t>(id.as_int(-1)));
  }
  read_sampling(context, request);
  MORTISE_ASSIGN(const auto result, engine::generate(device, *model, std::move(request)));
  return Json::object({{"ids", ids_json(result.ids())},
                       {"text", Json()},
                       {"logprobs", logprobs_json(result.tokens)}});
}

Result<Json> generate_from_text(Context& context, engine::Device& device,
                                const std::string& adapter_folder) {
  engine::ChatModelRequest opened;
  opened.model_folder = context.text("model");
  opened.adapter_folder = adapter_folder;
  MORTISE_ASSIGN(const auto chat, engine::ChatModel::open(context.files, context.registry, opened));
  const PlainFiles media(context.files);
  MORTISE_ASSIGN(engine::GenerateRequest request,
                 chat->request_of(conversation_of(context), engine::media_in(media)));
  read_sampling(context, request);
  MORTISE_ASSIGN(const auto result, engine::generate(device, chat->model(), std::move(request)));
  MORTISE_ASSIGN(const std::string text, chat->text_of(result.ids()));
  return Json::object({{"ids", ids_json(result.ids())},
                       {"text", text},
                       {"logprobs", logprobs_json(result.tokens)}});
}

// What a tokenizer decides about a configuration: how many ids there are, which one ends an answer,
// which one stands for an image. What the user overrides stays.
Status fit_to_tokenizer(Context& context, engine::NewModelRequest& request) {
  MORTISE_TRY(context.services.grant("tokenizer", context.text("tokenizer")));
  MORTISE_ASSIGN(const plugin::Tokenizer tokenizer,
                 context.registry.open_tokenizer("mortise.tokenizer_bpe", "tokenizer"));
  MORTISE_ASSIGN(const Json preset, engine::preset_config(request));
  const auto fill = [](Json& place, const char* key, Json value) {
    if (!place.contains(key)) place[key] = std::move(value);
  };
  if (request.overrides.is_null()) request.overrides = Json::object();
  const bool is_nested = preset.contains("text_config");
  Json& text = is_nested ? request.overrides["text_config"] : request.overrides;
  if (text.is_null()) text = Json::object();
  fill(text, "vocab_size", static_cast<int64_t>(tokenizer.facts().vocab_count));
  if (tokenizer.facts().eos_id >= 0) fill(text, "eos_token_id", tokenizer.facts().eos_id);
  constexpr std::array<std::pair<const char*, const char*>, 6> kPictures = {
      {{"image_token_index", "<image>"},
       {"audio_token_index", "<|AUDIO|>"},
       {"image_token_id", "<|image_pad|>"},
       {"video_token_id", "<|video_pad|>"},
       {"vision_start_token_id", "<|vision_start|>"},
       {"vision_end_token_id", "<|vision_end|>"}}};
  for (const auto& [key, token] : kPictures) {
    if (!preset.contains(key)) continue;
    MORTISE_ASSIGN(const auto ids, tokenizer.encode(token));
    if (ids.size() != 1) {
      return Error(Code::kInvalidArgument, std::string("The tokenizer has no token ") + token + ".",
                   std::string("Train it with --special-token '") + token +
                       "', beside </s> and the others you need.")
          .at_file(context.text("tokenizer"));
    }
    fill(request.overrides, key, ids[0]);
  }
  return {};
}

}  // namespace

// arguments: {preset, seed, dtype, config {}, tokenizer?, out}
Result<job::TaskResult> model_new(Context& context) {
  engine::NewModelRequest request;
  request.preset = context.text("preset");
  request.seed = context.argument("seed").as_uint(42);
  request.dtype = context.text("dtype");
  request.overrides = context.argument("config");
  if (!context.text("tokenizer").empty()) MORTISE_TRY(fit_to_tokenizer(context, request));
  MORTISE_TRY(engine::new_model(context.files, request, context.text("out")));
  if (!context.text("tokenizer").empty()) {
    MORTISE_TRY(exporting::copy_files(context.files, context.text("tokenizer"), context.text("out"),
                                      {"config.json", "generation_config.json"}));
  }
  return done();
}

// arguments: {folder}. A model's or an adapter's folder is what it says: the configuration is
// known, every header of its weights is sound, and a model's tensors are those that it needs. Run
// before an import, so that what cannot be used is refused before it is sent.
Result<job::TaskResult> model_check(Context& context) {
  const std::string folder = context.text("folder");
  const std::string adapter = base::join_path(folder, "adapter_config.json");
  MORTISE_ASSIGN(const bool is_adapter, context.files.exists(adapter));
  if (is_adapter) {
    MORTISE_TRY(engine::read_adapter_config(context.files, folder));
    MORTISE_TRY(engine::Checkpoint::open_file(
        context.files, base::join_path(folder, "adapter_model.safetensors")));
  } else {
    MORTISE_TRY(engine::load_model(context.files, folder));
  }
  return done();
}

// arguments: {model, adapter?, dtype, grad, input, out}
Result<job::TaskResult> model_forward(Context& context) {
  MORTISE_ASSIGN(const auto device, open_device(context));
  engine::ForwardRequest request;
  request.model_folder = context.text("model");
  request.adapter_folder = context.text("adapter");
  request.dtype = context.text("dtype");
  request.grad = context.argument("grad").as_bool();
  request.input_path = context.text("input");
  request.output_path = context.text("out");
  MORTISE_TRY(engine::run_forward(context.files, device->device, request));
  job::TaskResult result = done();
  result.record["operations"] = device->counts();
  return result;
}

// arguments: {model, adapters [], prompt | ids, images [], audios [], videos [], max_new_tokens,
// temperature, seed, logprobs}
Result<job::TaskResult> model_generate(Context& context) {
  const Json& adapters = context.argument("adapters");
  if (adapters.size() > 1) {
    return Error(Code::kUnimplemented, "This build puts one adapter on a model at a time.",
                 "Give --adapter once.");
  }
  const std::string adapter = adapters.at(0).as_string();
  MORTISE_ASSIGN(const auto device, open_device(context));
  Result<Json> answer = context.argument("ids").is_array()
                            ? generate_from_ids(context, device->device, adapter)
                            : generate_from_text(context, device->device, adapter);
  MORTISE_TRY(answer);
  MORTISE_TRY(context.print(answer->dump() + "\n"));
  return done();
}

// arguments: {model, images [] | audios [], out}
Result<job::TaskResult> media_preprocess(Context& context) {
  std::vector<std::string> images, audios;
  for (const Json& path : context.argument("images").items()) images.push_back(path.as_string());
  for (const Json& path : context.argument("audios").items()) audios.push_back(path.as_string());
  const std::string folder = context.text("model");
  MORTISE_ASSIGN(const engine::NamedTensors tensors,
                 audios.empty() ? engine::image_tensors(context.files, folder, images)
                                : engine::sound_tensors(context.files, folder, audios));
  MORTISE_TRY(engine::save_tensors(context.files, context.text("out"), tensors));
  return done();
}

}  // namespace mortise::worker
