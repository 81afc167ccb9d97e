// See chat_model.h.
#include "engine/chat/chat_model.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "ingest/image.h"

namespace mortise::engine {

using base::Code;
using base::Error;
using base::Result;

base::Result<RowSettings> row_settings_of(const ModelConfig& config,
                                          const plugin::Tokenizer& tokenizer) {
  RowSettings settings;
  settings.length_max = config.text ? config.text->positions_max : 2048;
  if (!config.has_fixed_images()) return settings;
  settings.image_token_id = static_cast<int32_t>(config.image_token_id);
  settings.tokens_per_image = config.tokens_per_image();
  MORTISE_ASSIGN(settings.image_token, tokenizer.decode({settings.image_token_id}));
  return settings;
}

Result<at::Tensor> pixels_of(const std::vector<PixelValues>& images) {
  if (images.empty()) return at::Tensor();
  const int64_t height = images[0].height, width = images[0].width;
  for (const PixelValues& image : images) {
    if (image.height == height && image.width == width) continue;
    return Error(Code::kInvalidArgument,
                 "The images come out in two sizes, " + std::to_string(width) + " x " +
                     std::to_string(height) + " and " + std::to_string(image.width) + " x " +
                     std::to_string(image.height) + ", which one tensor cannot hold.",
                 "Give them one by one, or let preprocessor_config.json crop.");
  }
  at::Tensor pixels = at::empty({static_cast<int64_t>(images.size()), 3, height, width});
  float* out = pixels.data_ptr<float>();
  for (const PixelValues& image : images)
    out = std::copy(image.values.begin(), image.values.end(), out);
  return pixels;
}

Result<std::unique_ptr<ChatModel>> ChatModel::open(base::FileOps& files, plugin::Registry& registry,
                                                   const ChatModelRequest& request) {
  LoadOptions options;
  options.dtype = request.dtype;
  MORTISE_ASSIGN(auto model, load_model(files, request.model_folder, options));
  if (!model->text) {
    return Error(Code::kInvalidArgument,
                 "A model of the type " + model->config.model_type + " does not generate text.")
        .at_file(request.model_folder);
  }
  MORTISE_TRY(registry.services().grant("model", request.model_folder));
  MORTISE_ASSIGN(auto tokenizer,
                 registry.open_tokenizer(request.tokenizer_id, "model", request.tokenizer_config));
  MORTISE_ASSIGN(ChatSetup chat, read_chat_setup(files, request.model_folder));
  std::unique_ptr<ChatModel> made(
      new ChatModel(std::move(model), std::move(tokenizer), std::move(chat)));
  if (!request.adapter_folder.empty()) {
    MORTISE_ASSIGN(made->adapter_, Adapter::load(files, request.adapter_folder, *made->model_));
  }
  const ModelConfig& config = made->model_->config;
  MORTISE_ASSIGN(RowSettings settings, row_settings_of(config, made->tokenizer_));
  made->encoder_ = std::make_unique<PluginEncoder>(made->tokenizer_);
  MORTISE_ASSIGN(RowEncoder rows, RowEncoder::create(*made->encoder_, made->chat_, settings));
  made->rows_ = std::make_unique<RowEncoder>(std::move(rows));
  if (config.vision) {
    MORTISE_ASSIGN(made->image_options_,
                   read_image_options(files, request.model_folder, config.vision->image_size));
  }
  return made;
}

Result<GenerateRequest> ChatModel::request_of(const RowMessages& conversation,
                                              const ImageBytes& image_bytes) const {
  MORTISE_ASSIGN(EncodedRow row, rows_->encode_prompt(conversation));
  GenerateRequest request;
  request.prompt = std::move(row.ids);
  std::vector<PixelValues> prepared;
  for (const std::string& name : row.images) {
    MORTISE_ASSIGN(const std::string bytes, image_bytes(name));
    auto image = ingest::decode_image(base::as_bytes(bytes));
    if (!image.ok()) return std::move(image.error().at_file(name));
    MORTISE_ASSIGN(PixelValues pixels, prepare_image(*image, image_options_));
    prepared.push_back(std::move(pixels));
  }
  MORTISE_ASSIGN(request.pixels, pixels_of(prepared));
  return request;
}

Result<std::string> ChatModel::text_of(const std::vector<int32_t>& ids) const {
  return tokenizer_.decode(ids, /*skip_special=*/true);
}

}  // namespace mortise::engine
