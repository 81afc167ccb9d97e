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
using ingest::MediaKind;

// The marks of ms-swift, LLaMA-Factory and LLaVA.
constexpr std::string_view kImageTag = "<image>", kVideoTag = "<video>";

size_t count_of(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++count;
  }
  return count;
}

size_t tags_in(const Json& messages, std::string_view tag) {
  size_t count = 0;
  for (const Json& message : messages.items()) {
    count += count_of(message["content"].as_string(), tag);
  }
  return count;
}

Json text_part(std::string_view text) {
  return Json::object({{"type", "text"}, {"text", text}});
}

// What stands between a mark and the text behind it.
const char* gap_after(const PictureMark& mark) {
  return mark.text == mark.token ? "\n" : "";
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
  if (s.task_type == "tokens") return out;
  for (const PictureMark* mark : {&s.image, &s.video}) {
    if (mark->token_id < 0) continue;
    MORTISE_ASSIGN(const EncodedText token, encoder.encode(mark->token));
    if (token.ids == std::vector<int32_t>{mark->token_id}) continue;
    return Error(Code::kInvalidArgument,
                 std::string("The model's ") + (mark == &s.image ? "image" : "video") + " token " +
                     std::to_string(mark->token_id) + " is not what the tokenizer makes of \"" +
                     mark->token + "\".",
                 "Add it to the tokenizer as a special token of that id.");
  }
  out.image_parts_ = out.template_takes("image", s.image);
  out.video_parts_ = out.template_takes("video", s.video);
  return out;
}

// Whether a part of this type gives exactly one placeholder.
bool RowEncoder::template_takes(const char* part, const PictureMark& mark) const {
  if (mark.token_id < 0) return false;
  const Json parts = Json::array({Json::object({{"type", part}}), text_part("mortise")});
  ChatRequest probe;
  probe.messages = Json::array({Json::object({{"role", "user"}, {"content", parts}})});
  probe.add_generation_prompt = true;
  probe.variables = chat_->variables;
  const auto text = render_chat(chat_->chat_template, probe);
  return text.ok() && count_of(*text, mark.token) == 1 && count_of(*text, "mortise") == 1 &&
         count_of(*text, "'type'") == 0;
}

// A text with its tags as parts, where the template takes them, or as marks.
Json RowEncoder::written(const std::string& text) const {
  Json parts = Json::array();
  std::string words;  // since the last part
  const auto end_words = [&] {
    if (!words.empty()) parts.push_back(text_part(std::exchange(words, {})));
  };
  std::string_view rest = text;
  while (true) {
    const auto find = [&](const PictureMark& mark, std::string_view tag) {
      return mark.token_id < 0 ? std::string_view::npos : rest.find(tag);
    };
    const size_t image = find(settings_.image, kImageTag), video = find(settings_.video, kVideoTag);
    const size_t at = std::min(image, video);
    words += rest.substr(0, at);
    if (at == std::string_view::npos) break;
    const bool is_image = at == image;
    if (is_image ? image_parts_ : video_parts_) {
      end_words();
      parts.push_back(Json::object({{"type", is_image ? "image" : "video"}}));
    } else {
      words += is_image ? settings_.image.text : settings_.video.text;
    }
    rest.remove_prefix(at + (is_image ? kImageTag : kVideoTag).size());
  }
  if (parts.size() == 0) return words;
  end_words();
  return parts;
}

// Every picture has its mark in the texts: missing ones go to the front of the first user message,
// images before films.
Json RowEncoder::with_marks(const RowMessages& row) const {
  Json messages = row.messages;
  const auto missing = [&](MediaKind kind, std::string_view tag) {
    const size_t have = tags_in(messages, tag), need = engine::count_of(row.media, kind);
    return need > have ? need - have : 0;
  };
  size_t images = missing(MediaKind::kImage, kImageTag);
  size_t videos = missing(MediaKind::kVideo, kVideoTag);
  for (Json& message : messages.items()) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_string()) continue;
    std::string text = content->as_string();
    const auto put_front = [&](size_t& count, std::string_view tag, bool in_parts,
                               const PictureMark& mark) {
      for (; count > 0; --count) {
        text = std::string(tag) + (in_parts || text.empty() ? "" : gap_after(mark)) + text;
      }
    };
    if (message["role"].as_string() == "user") {
      put_front(videos, kVideoTag, video_parts_, settings_.video);
      put_front(images, kImageTag, image_parts_, settings_.image);
    }
    *content = written(text);
  }
  return messages;
}

base::Result<EncodedRow> RowEncoder::encode(const Json& row, const MediaTokens& tokens) const {
  if (settings_.task_type == "preference") return encode_pair(row, tokens);
  if (settings_.task_type == "kto") return encode_judged(row, tokens);
  return encode_one(row, tokens);
}

base::Result<EncodedRow> RowEncoder::encode_one(const Json& row, const MediaTokens& tokens) const {
  auto encoded = settings_.task_type == "tokens"     ? encode_tokens(row)
                 : settings_.task_type == "pretrain" ? encode_text(row)
                                                     : encode_chat(row, tokens);
  if (!encoded.ok()) return encoded;
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
  MORTISE_TRY(expand({}, {}, out));
  return out;
}

base::Result<EncodedRow> RowEncoder::encode_chat(const Json& row, const MediaTokens& tokens) const {
  MORTISE_ASSIGN(const RowMessages conversation, messages_of(row, settings_.task_type));
  MORTISE_ASSIGN(const auto counts, counted(conversation, tokens));
  ChatRequest request;
  request.messages = with_marks(conversation);
  request.tools = conversation.tools;
  request.variables = chat_->variables;
  MORTISE_ASSIGN(const ChatText chat, render_for_training(chat_->chat_template, request));
  MORTISE_ASSIGN(EncodedText text, encoder_->encode(chat.text));
  EncodedRow out;
  out.labels.assign(text.ids.size(), kNoLabel);
  label_spans(text, chat, out);
  out.ids = std::move(text.ids);
  MORTISE_TRY(expand(conversation.media, counts, out));
  return out;
}

// The tokens of each medium, once the model is known to take all of them.
base::Result<std::vector<int64_t>> RowEncoder::counted(const RowMessages& row,
                                                       const MediaTokens& tokens) const {
  for (const MediaField& medium : row.media) {
    if (medium.kind == MediaKind::kImage && settings_.image.token_id >= 0) continue;
    if (medium.kind == MediaKind::kVideo && settings_.video.token_id >= 0) continue;
    return Error(Code::kInvalidArgument,
                 "There are " + std::to_string(engine::count_of(row.media, medium.kind)) + " " +
                     kind_word(medium.kind) + "s, but the model takes none.",
                 "Choose a model with a tower for them (llava for images; qwen2_vl and qwen2_5_vl "
                 "for images and videos), or leave them out of the rows.")
        .at_field(medium.field);
  }
  if (row.media.empty()) return std::vector<int64_t>();
  MORTISE_ASSIGN(auto counts, tokens(row.media));
  if (counts.size() == row.media.size()) return counts;
  return Error(Code::kInternal, std::to_string(counts.size()) + " counts came for " +
                                    std::to_string(row.media.size()) + " media.");
}

// Image parts as the template takes them: as they are, or as marks in one text.
Json RowEncoder::with_image_parts(const Json& messages) const {
  Json out = messages;
  for (Json& message : out.items()) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_array()) continue;
    std::string text;
    bool has_image = false, after_image = false;
    for (const Json& part : content->items()) {
      if (after_image) text += gap_after(settings_.image);
      after_image = part["type"].as_string() == "image";
      has_image = has_image || after_image;
      text += after_image ? settings_.image.text : part["text"].as_string();
    }
    if (!has_image || !image_parts_) *content = std::move(text);
  }
  return out;
}

base::Result<std::vector<int32_t>> RowEncoder::plain_prompt(const RowMessages& conversation) const {
  const Json words = Json::array({conversation.messages, conversation.tools});
  std::vector<int32_t> marks;
  for (const PictureMark* mark : {&settings_.image, &settings_.video}) {
    if (mark->token_id >= 0) marks.push_back(mark->token_id);
  }
  MORTISE_ASSIGN(const TextGuard guard, TextGuard::create(*encoder_, std::move(marks), words));
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

base::Result<EncodedRow> RowEncoder::encode_prompt(const RowMessages& conversation,
                                                   const MediaTokens& tokens) const {
  MORTISE_ASSIGN(const auto counts, counted(conversation, tokens));
  EncodedRow out;
  if (conversation.is_plain) {
    MORTISE_ASSIGN(out.ids, plain_prompt(conversation));
  } else {
    ChatRequest request;
    request.messages = with_marks(conversation);
    request.tools = conversation.tools;
    request.variables = chat_->variables;
    request.add_generation_prompt = true;
    MORTISE_ASSIGN(const std::string text, render_chat(chat_->chat_template, request));
    MORTISE_ASSIGN(EncodedText encoded, encoder_->encode(text));
    out.ids = std::move(encoded.ids);
  }
  out.labels.assign(out.ids.size(), kNoLabel);
  MORTISE_TRY(expand(conversation.media, counts, out));
  return out;
}

// Repeats each placeholder to the number of its picture's tokens: the n-th of a kind is that of the
// n-th picture of this kind.
base::Status RowEncoder::expand(const std::vector<MediaField>& media,
                                const std::vector<int64_t>& counts, EncodedRow& row) const {
  const struct {
    MediaKind kind;
    int32_t token_id;
    std::string_view tag;
  } kinds[] = {{MediaKind::kImage, settings_.image.token_id, kImageTag},
               {MediaKind::kVideo, settings_.video.token_id, kVideoTag}};
  std::vector<size_t> order[2];  // of the media of each kind
  for (size_t k = 0; k < 2; ++k) {
    if (kinds[k].token_id < 0) continue;
    for (size_t i = 0; i < media.size(); ++i) {
      if (media[i].kind == kinds[k].kind) order[k].push_back(i);
    }
    const auto found =
        static_cast<size_t>(std::count(row.ids.begin(), row.ids.end(), kinds[k].token_id));
    if (found == order[k].size()) continue;
    const std::string word = kind_word(kinds[k].kind), tag(kinds[k].tag);
    return Error(Code::kInvalidArgument,
                 "There are " + std::to_string(order[k].size()) + " " + word +
                     "s, but the text has " + std::to_string(found) + " places for them.",
                 "A row has one " + tag + " for each " + word +
                     ", or none at all; a chat template shows each " + word + " part once.");
  }
  EncodedRow wide;
  size_t next[2] = {0, 0};
  for (size_t i = 0; i < row.ids.size(); ++i) {
    const size_t k = row.ids[i] == kinds[0].token_id ? 0 : row.ids[i] == kinds[1].token_id ? 1 : 2;
    int64_t count = 1;
    if (k < 2) {
      const size_t medium = order[k][next[k]++];
      count = counts[medium];
      wide.pictures.push_back({medium, static_cast<int64_t>(wide.ids.size()), count});
    }
    const auto times = static_cast<size_t>(count);
    wide.ids.insert(wide.ids.end(), times, row.ids[i]);
    wide.labels.insert(wide.labels.end(), times, k < 2 ? kNoLabel : row.labels[i]);
    if (!row.weights.empty()) wide.weights.insert(wide.weights.end(), times, row.weights[i]);
  }
  row = std::move(wide);
  return {};
}

// Cuts to length_max, never inside the placeholders of a picture; pictures that are cut off as a
// whole go too.
base::Status RowEncoder::truncate(EncodedRow& row) const {
  const auto length = static_cast<int64_t>(row.ids.size());
  if (length <= settings_.length_max) return {};
  if (settings_.truncation == Truncation::kRefuse || !row.tensors.empty()) {
    int64_t of_pictures = 0;
    for (const PicturePlace& place : row.pictures) of_pictures += place.tokens;
    const std::string pictures = row.pictures.empty()
                                     ? ""
                                     : " (" + std::to_string(of_pictures) + " of them of " +
                                           std::to_string(row.pictures.size()) + " pictures)";
    return Error(
        Code::kInvalidArgument,
        "The row has " + std::to_string(length) + " tokens" + pictures + ", max_length is " +
            std::to_string(settings_.length_max) + ".",
        row.pictures.empty()
            ? "Raise max_length, shorten the row, or set truncation to left or right."
            : "Raise max_length, lower media.max_pixels, or set truncation to left or right.");
  }
  const bool left = settings_.truncation == Truncation::kLeft;
  int64_t begin = left ? length - settings_.length_max : 0;
  int64_t end = left ? length : settings_.length_max;
  for (const PicturePlace& place : row.pictures) {
    const int64_t after = place.begin + place.tokens;
    if (place.begin < begin && after > begin) begin = after;
    if (place.begin < end && after > end) end = place.begin;
  }
  end = std::max(begin, end);
  std::erase_if(row.pictures, [&](const PicturePlace& place) {
    return place.begin < begin || place.begin + place.tokens > end;
  });
  for (PicturePlace& place : row.pictures) place.begin -= begin;
  const auto cut = [&](auto& values) {
    if (values.empty()) return;
    values.erase(values.begin() + end, values.end());
    values.erase(values.begin(), values.begin() + begin);
  };
  cut(row.ids);
  cut(row.labels);
  cut(row.weights);
  return {};
}

}  // namespace mortise::engine
