// See chat_model.h.
#include "engine/chat/chat_model.h"

#include "engine/infer/pictures.h"

namespace mortise::engine {

using base::Code;
using base::Error;
using base::Result;

OpenMedia media_in(const ingest::MediaFiles& files) {
  return [&files](const MediaField& medium,
                  const ingest::MediaOptions& options) -> Result<ingest::Medium> {
    auto opened = ingest::OpenMedium::open(files, medium.kind, medium.names, options);
    if (!opened.ok()) return std::move(opened.error().at_field(medium.field));
    auto decoded = opened->decode();
    if (!decoded.ok()) return std::move(decoded.error().at_field(medium.field));
    return decoded;
  };
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
  made->encoder_ = std::make_unique<PluginEncoder>(made->tokenizer_);
  MORTISE_ASSIGN(RowSettings settings, row_settings_of(config, *made->encoder_));
  MORTISE_ASSIGN(RowEncoder rows,
                 RowEncoder::create(*made->encoder_, made->chat_, std::move(settings)));
  made->rows_ = std::make_unique<RowEncoder>(std::move(rows));
  MORTISE_ASSIGN(made->pictures_,
                 PictureProcessor::read(files, {request.adapter_folder, request.model_folder},
                                        config, request.media));
  return made;
}

Result<GenerateRequest> ChatModel::request_of(const RowMessages& conversation,
                                              const OpenMedia& open_media) const {
  std::vector<PreparedPicture> prepared;
  const MediaTokens tokens =
      [&](const std::vector<MediaField>& media) -> Result<std::vector<int64_t>> {
    std::vector<int64_t> counts;
    for (const MediaField& medium : media) {
      MORTISE_ASSIGN(const ingest::Medium decoded, open_media(medium, pictures_.media_options()));
      auto picture = pictures_.prepare(decoded);
      const std::string& name = medium.names.front();  // or the data, in a request
      if (!picture.ok() && name.size() <= 4096) picture.error().at_file(name);
      if (!picture.ok()) return std::move(picture.error());
      counts.push_back(picture->tokens);
      prepared.push_back(std::move(*picture));
    }
    return counts;
  };
  MORTISE_ASSIGN(EncodedRow row, rows_->encode_prompt(conversation, tokens));
  std::vector<const PreparedPicture*> placed;
  for (const PicturePlace& place : row.pictures) placed.push_back(&prepared[place.medium]);
  MORTISE_ASSIGN(PictureTensors tensors, tensors_of(placed));
  GenerateRequest request;
  request.prompt = std::move(row.ids);
  request.pixels = std::move(tensors.pixels);
  request.images = std::move(tensors.images);
  request.videos = std::move(tensors.videos);
  request.sounds = std::move(tensors.sounds);
  return request;
}

Result<std::string> ChatModel::text_of(const std::vector<int32_t>& ids) const {
  return tokenizer_.decode(ids, /*skip_special=*/true);
}

}  // namespace mortise::engine
