// Text, ids, labels, placeholders, length: in this order.
#include "engine/data/row_encoder.h"

#include <algorithm>

#include "engine/data/text_guard.h"
#include "engine/template/chat.h"
#include "engine/template/text.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr std::string_view kTag = "<image>";  // the mark of ms-swift, LLaMA-Factory and LLaVA

size_t count_of(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++count;
  }
  return count;
}

// "a <image> b" as parts [text, image, text].
Json parts_of(std::string_view text) {
  Json parts = Json::array();
  while (true) {
    const size_t at = text.find(kTag);
    const std::string_view before = text.substr(0, at);
    if (!before.empty()) {
      parts.push_back(Json::object({{"type", "text"}, {"text", before}}));
    }
    if (at == std::string_view::npos) return parts;
    parts.push_back(Json::object({{"type", "image"}}));
    text.remove_prefix(at + kTag.size());
  }
}

// What a token contributes is learned when it begins inside a span, with the weight of that span.
void label_spans(const EncodedText& text, const ChatText& chat, EncodedRow& row) {
  const std::vector<ByteSpan>& spans = chat.train_spans;
  const bool weighs = std::ranges::any_of(chat.weights, [](double weight) { return weight != 1; });
  if (weighs) row.weights.assign(text.ids.size(), 0);
  size_t span = 0;
  for (size_t i = 0; i < text.ids.size(); ++i) {
    const auto [begin, end] = text.offsets[i];
    const auto at = static_cast<size_t>(begin);
    while (span < spans.size() && at >= spans[span].end) ++span;
    if (span < spans.size() && at >= spans[span].begin && end > begin) {
      row.labels[i] = text.ids[i];
      if (weighs) row.weights[i] = chat.weights[span];
    }
  }
}

bool has_label(const EncodedRow& row) {
  // The first token is predicted by nothing.
  return row.labels.size() > 1 && std::any_of(row.labels.begin() + 1, row.labels.end(),
                                              [](int32_t label) { return label != kNoLabel; });
}

}  // namespace

base::Result<RowEncoder> RowEncoder::create(const Encoder& encoder, const ChatSetup& chat,
                                            RowSettings settings) {
  RowEncoder out(encoder, chat, std::move(settings));
  const RowSettings& s = out.settings_;
  if (s.image_token_id < 0 || s.task_type == "tokens") return out;
  MORTISE_ASSIGN(const EncodedText token, encoder.encode(s.image_token));
  if (token.ids != std::vector<int32_t>{s.image_token_id}) {
    return Error(Code::kInvalidArgument,
                 "The model's image token " + std::to_string(s.image_token_id) +
                     " is not what the tokenizer makes of \"" + s.image_token + "\".",
                 "Add it to the tokenizer as a special token of that id.");
  }
  out.takes_parts_ = out.template_takes_parts();
  return out;
}

// Whether an image part gives exactly one placeholder.
bool RowEncoder::template_takes_parts() const {
  ChatRequest probe;
  probe.messages = Json::array(
      {Json::object({{"role", "user"}, {"content", parts_of(std::string(kTag) + "mortise")}})});
  probe.add_generation_prompt = true;
  probe.variables = chat_->variables;
  const auto text = render_chat(chat_->chat_template, probe);
  return text.ok() && count_of(*text, settings_.image_token) == 1 &&
         count_of(*text, "mortise") == 1 && count_of(*text, "'type'") == 0;
}

// Every image has its mark in the texts: missing ones go to the front of the first user message.
Json RowEncoder::with_images(const RowMessages& row) const {
  Json messages = row.messages;
  size_t marks = 0;
  for (const Json& message : messages.items()) {
    marks += count_of(message["content"].as_string(), kTag);
  }
  for (Json& message : messages.items()) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_string()) continue;
    std::string text = content->as_string();
    if (message["role"].as_string() == "user") {
      for (; marks < row.images.size(); ++marks) {
        text = std::string(kTag) + (takes_parts_ || text.empty() ? "" : "\n") + text;
      }
    }
    if (text.find(kTag) == std::string::npos) continue;
    if (takes_parts_) {
      *content = parts_of(text);
    } else {
      *content = jinja::replaced(text, kTag, settings_.image_token, -1);
    }
  }
  return messages;
}

base::Result<EncodedRow> RowEncoder::encode(const Json& row) const {
  if (settings_.task_type == "preference") return encode_pair(row);
  if (settings_.task_type == "kto") return encode_judged(row);
  return encode_one(row);
}

base::Result<EncodedRow> RowEncoder::encode_one(const Json& row) const {
  auto encoded = settings_.task_type == "tokens"     ? encode_tokens(row)
                 : settings_.task_type == "pretrain" ? encode_text(row)
                                                     : encode_chat(row);
  if (!encoded.ok()) return encoded;
  if (settings_.task_type != "tokens") MORTISE_TRY(expand_images(*encoded));
  MORTISE_TRY(truncate(*encoded));
  if (!has_label(*encoded)) {
    return Error(Code::kInvalidArgument, "The row leaves no token to learn.",
                 "Give it an answer, or raise max_length if truncation took it.");
  }
  return encoded;
}

base::Result<EncodedRow> RowEncoder::encode_tokens(const Json& row) const {
  EncodedRow out;
  for (const Json& id : row["input_ids"].items()) {
    out.ids.push_back(static_cast<int32_t>(id.as_int(-1)));
  }
  for (const Json& label : row["labels"].items()) {
    out.labels.push_back(static_cast<int32_t>(label.as_int(kNoLabel)));
  }
  if (!row.contains("labels")) out.labels = out.ids;
  if (out.ids.empty() || out.labels.size() != out.ids.size()) {
    return Error(Code::kInvalidArgument, "The row has " + std::to_string(out.ids.size()) +
                                             " input_ids and " + std::to_string(out.labels.size()) +
                                             " labels; both must be as many.")
        .at_field("/labels");
  }
  out.tensors = row["tensors"].as_string();
  return out;
}

base::Result<EncodedRow> RowEncoder::encode_text(const Json& row) const {
  if (!row["text"].is_string()) {
    return Error(Code::kInvalidArgument, "The row has no \"text\".").at_field("/text");
  }
  MORTISE_ASSIGN(EncodedText text, encoder_->encode(row["text"].as_string()));
  EncodedRow out;
  if (encoder_->bos_id() >= 0) out.ids.push_back(encoder_->bos_id());
  out.ids.insert(out.ids.end(), text.ids.begin(), text.ids.end());
  if (encoder_->eos_id() >= 0) out.ids.push_back(encoder_->eos_id());
  out.labels = out.ids;
  return out;
}

base::Result<EncodedRow> RowEncoder::encode_chat(const Json& row) const {
  MORTISE_ASSIGN(RowMessages conversation, messages_of(row, settings_.task_type));
  MORTISE_TRY(check_images(conversation));
  ChatRequest request;
  request.messages = with_images(conversation);
  request.tools = conversation.tools;
  request.variables = chat_->variables;
  MORTISE_ASSIGN(const ChatText chat, render_for_training(chat_->chat_template, request));
  MORTISE_ASSIGN(EncodedText text, encoder_->encode(chat.text));
  EncodedRow out;
  out.images = std::move(conversation.images);
  out.labels.assign(text.ids.size(), kNoLabel);
  label_spans(text, chat, out);
  out.ids = std::move(text.ids);
  return out;
}

base::Status RowEncoder::check_images(const RowMessages& row) const {
  if (row.images.empty() || settings_.image_token_id >= 0) return {};
  return Error(
      Code::kInvalidArgument,
      "There are " + std::to_string(row.images.size()) +
          " images, but the model takes none from rows of text.",
      "Choose a model with a tower for images of one size, such as llava; Qwen-VL takes rows of "
      "tokens with pixel_values and image_grid_thw.");
}

// Image parts as the template takes them: as they are, or as placeholders in one text.
Json RowEncoder::with_image_parts(const Json& messages) const {
  Json out = messages;
  for (Json& message : out.items()) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_array()) continue;
    std::string text;
    bool has_image = false, after_image = false;
    for (const Json& part : content->items()) {
      if (after_image) text += '\n';
      after_image = part["type"].as_string() == "image";
      has_image = has_image || after_image;
      text += after_image ? settings_.image_token : part["text"].as_string();
    }
    if (!has_image || !takes_parts_) *content = std::move(text);
  }
  return out;
}

base::Result<std::vector<int32_t>> RowEncoder::plain_prompt(const RowMessages& conversation) const {
  const Json words = Json::array({conversation.messages, conversation.tools});
  MORTISE_ASSIGN(const TextGuard guard,
                 TextGuard::create(*encoder_, settings_.image_token_id, words));
  Json messages = Json::array();
  for (const Json& message : conversation.messages.items()) {
    MORTISE_ASSIGN(Json guarded, guard.guarded(message));
    guarded["role"] = message["role"];
    messages.push_back(std::move(guarded));
  }
  ChatRequest request;
  request.messages = with_image_parts(messages);
  MORTISE_ASSIGN(request.tools, guard.guarded(conversation.tools));
  request.variables = chat_->variables;
  request.add_generation_prompt = true;
  MORTISE_ASSIGN(const std::string text, render_chat(chat_->chat_template, request));
  return guard.encode(text);
}

base::Result<EncodedRow> RowEncoder::encode_prompt(const RowMessages& conversation) const {
  MORTISE_TRY(check_images(conversation));
  EncodedRow out;
  out.images = conversation.images;
  if (conversation.is_plain) {
    MORTISE_ASSIGN(out.ids, plain_prompt(conversation));
    out.labels.assign(out.ids.size(), kNoLabel);
    MORTISE_TRY(expand_images(out));
    return out;
  }
  ChatRequest request;
  request.messages = with_images(conversation);
  request.tools = conversation.tools;
  request.variables = chat_->variables;
  request.add_generation_prompt = true;
  MORTISE_ASSIGN(const std::string text, render_chat(chat_->chat_template, request));
  MORTISE_ASSIGN(EncodedText encoded, encoder_->encode(text));
  out.labels.assign(encoded.ids.size(), kNoLabel);
  out.ids = std::move(encoded.ids);
  MORTISE_TRY(expand_images(out));
  return out;
}

base::Status RowEncoder::expand_images(EncodedRow& row) const {
  const int32_t image = settings_.image_token_id;
  if (image < 0) return {};
  const auto found = static_cast<size_t>(std::count(row.ids.begin(), row.ids.end(), image));
  if (found != row.images.size()) {
    return Error(Code::kInvalidArgument,
                 "There are " + std::to_string(row.images.size()) + " images, but the text has " +
                     std::to_string(found) + " places for them.",
                 "A row has one <image> for each image, or none at all; a chat template shows each "
                 "image part once.");
  }
  EncodedRow wide;
  for (size_t i = 0; i < row.ids.size(); ++i) {
    const bool place = row.ids[i] == image;
    const auto times = static_cast<size_t>(place ? settings_.tokens_per_image : 1);
    wide.ids.insert(wide.ids.end(), times, row.ids[i]);
    wide.labels.insert(wide.labels.end(), times, place ? kNoLabel : row.labels[i]);
    if (!row.weights.empty()) wide.weights.insert(wide.weights.end(), times, row.weights[i]);
  }
  row.ids = std::move(wide.ids);
  row.labels = std::move(wide.labels);
  row.weights = std::move(wide.weights);
  return {};
}

// Cuts to length_max, never inside the placeholders of an image; images that are cut off as a whole
// go too.
base::Status RowEncoder::truncate(EncodedRow& row) const {
  const auto length = static_cast<int64_t>(row.ids.size());
  if (length <= settings_.length_max) return {};
  const bool refuse = settings_.truncation == Truncation::kRefuse || !row.tensors.empty();
  if (refuse) {
    return Error(Code::kInvalidArgument,
                 "The row has " + std::to_string(length) + " tokens, max_length is " +
                     std::to_string(settings_.length_max) + ".",
                 "Raise max_length, shorten the row, or set truncation to left or right.");
  }
  const bool left = settings_.truncation == Truncation::kLeft;
  int64_t begin = left ? length - settings_.length_max : 0;
  int64_t end = left ? length : settings_.length_max;
  std::vector<std::string> images;
  const int64_t run = settings_.tokens_per_image;
  size_t image = 0;
  for (int64_t i = 0; i < length && settings_.image_token_id >= 0; ++i) {
    if (row.ids[static_cast<size_t>(i)] != settings_.image_token_id) continue;
    if (i < begin && i + run > begin) begin = i + run;
    if (i < end && i + run > end) end = i;
    if (i >= begin && i + run <= end) images.push_back(row.images[image]);
    ++image;
    i += run - 1;
  }
  const auto cut = [&](auto& values) {
    if (values.empty()) return;
    values.erase(values.begin() + std::max(begin, end), values.end());
    values.erase(values.begin(), values.begin() + begin);
  };
  cut(row.ids);
  cut(row.labels);
  cut(row.weights);
  row.images = std::move(images);
  return {};
}

}  // namespace mortise::engine
