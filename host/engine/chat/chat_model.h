// A model as people talk to it: weights, adapter, tokenizer, chat template and image preparation
// together. Messages go in, a request of ids and pixels comes out; ids come back as text. Called by
// evaluate, serve and `mortise model generate`. Knows nothing of rows, scores or HTTP.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/data/encoder.h"
#include "engine/data/picture_prepare.h"
#include "engine/data/row_encoder.h"
#include "engine/infer/generate.h"
#include "engine/lora/adapter.h"
#include "engine/model/model.h"
#include "engine/template/chat_setup.h"
#include "plugin/registry.h"

namespace mortise::engine {

struct ChatModelRequest {
  std::string model_folder;
  std::string adapter_folder;  // empty: none
  std::string tokenizer_id = "mortise.tokenizer_bpe";
  base::Json tokenizer_config;          // null: {}
  std::optional<at::ScalarType> dtype;  // absent: the checkpoint's own
  base::Json media;  // that section of a manifest; null: as the adapter was trained, else the model
};

// A medium that a conversation names, decoded with these options. Errors: NOT_FOUND; those of
// decoding, naming the file.
using OpenMedia = std::function<base::Result<ingest::Medium>(const MediaField& medium,
                                                             const ingest::MediaOptions& options)>;
// Those that lie in files. `files` outlives the answer.
OpenMedia media_in(const ingest::MediaFiles& files);

class ChatModel {  // [serial]
 public:
  // The registry's services get a root "model" granted. Errors: those of load_model, Adapter::load,
  // the tokenizer pack and the chat template.
  static base::Result<std::unique_ptr<ChatModel>> open(base::FileOps& files,
                                                       plugin::Registry& registry,
                                                       const ChatModelRequest& request);

  const Model& model() const { return *model_; }
  const plugin::Tokenizer& tokenizer() const { return tokenizer_; }
  const ChatSetup& chat() const { return chat_; }
  bool has_adapter() const { return adapter_ != nullptr; }
  // The base as it was, from now on. [serial]
  void drop_adapter() { adapter_.reset(); }

  // Prompt and pictures of a conversation with the cue for the assistant, as training sees them.
  // Errors: those of encode_prompt, open_media and PictureProcessor.
  base::Result<GenerateRequest> request_of(const RowMessages& conversation,
                                           const OpenMedia& open_media) const;
  // The text of an answer without special tokens.
  base::Result<std::string> text_of(const std::vector<int32_t>& ids) const;

 private:
  ChatModel(std::unique_ptr<Model> model, plugin::Tokenizer tokenizer, ChatSetup chat)
      : model_(std::move(model)), tokenizer_(std::move(tokenizer)), chat_(std::move(chat)) {}

  std::unique_ptr<Model> model_;
  std::unique_ptr<Adapter> adapter_;  // dies before the model
  plugin::Tokenizer tokenizer_;
  ChatSetup chat_;
  std::unique_ptr<PluginEncoder> encoder_;
  std::unique_ptr<RowEncoder> rows_;
  PictureProcessor pictures_;
};

}  // namespace mortise::engine
