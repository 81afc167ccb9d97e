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
  out.shown_ = {{{MediaKind::kImage, "image", "<image>", s.image},
                 {MediaKind::kAudio, "audio", "<audio>", s.audio},
                 {MediaKind::kVideo, "video", "<video>", s.video}}};
  if (s.task_type == "tokens") return out;
  for (Shown& shown : out.shown_) {
    if (!shown.is_taken()) continue;
    MORTISE_ASSIGN(const EncodedText token, encoder.encode(shown.mark.token));
    shown.in_parts = out.template_takes(shown);
    if (token.ids == std::vector<int32_t>{shown.mark.token_id}) continue;
    return Error(Code::kInvalidArgument,
                 std::string("The model's ") + shown.part + " token " +
                     std::to_string(shown.mark.token_id) +
                     " is not what the tokenizer makes of \"" + shown.mark.token + "\".",
                 "Add it to the tokenizer as a special token of that id.");
  }
  return out;
}

// Qwen2-Audio's template looks for a member that is called as the type is.
Json RowEncoder::Shown::as_part() const {
  Json out = Json::object({{"type", part}});
  if (kind == MediaKind::kAudio) out[part] = "";
  return out;
}

// Whether a part of this type gives exactly one placeholder.
bool RowEncoder::template_takes(const Shown& shown) const {
  const Json parts = Json::array({shown.as_part(), text_part("mortise")});
  ChatRequest probe;
  probe.messages = Json::array({Json::object({{"role", "user"}, {"content", parts}})});
  probe.add_generation_prompt = true;
  probe.variables = chat_->variables;
  const auto text = render_chat(chat_->chat_template, probe);
  return text.ok() && count_of(*text, shown.mark.token) == 1 && count_of(*text, "mortise") == 1 &&
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
    const Shown* next = nullptr;
    size_t at = std::string_view::npos;
    for (const Shown& shown : shown_) {
      const size_t found = shown.is_taken() ? rest.find(shown.tag) : std::string_view::npos;
      if (found >= at) continue;
      at = found;
      next = &shown;
    }
    words += rest.substr(0, at);
    if (next == nullptr) break;
    if (next->in_parts) {
      end_words();
      parts.push_back(next->as_part());
    } else {
      words += next->mark.text;
    }
    rest.remove_prefix(at + next->tag.size());
  }
  if (parts.size() == 0) return words;
  end_words();
  return parts;
}

// Every picture has its mark in the texts: missing ones go to the front of the first user message,
// images before sounds before films.
Json RowEncoder::with_marks(const RowMessages& row) const {
  Json messages = row.messages;
  std::array<size_t, 3> missing{};
  for (size_t k = 0; k < shown_.size(); ++k) {
    const size_t have = tags_in(messages, shown_[k].tag);
    const size_t need = engine::count_of(row.media, shown_[k].kind);
    missing[k] = need > have ? need - have : 0;
  }
  for (Json& message : messages.items()) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_string()) continue;
    std::string text = content->as_string();
    const bool is_user = message["role"].as_string() == "user";
    for (size_t k = shown_.size(); is_user && k-- > 0;) {
      const Shown& shown = shown_[k];
      for (; missing[k] > 0; --missing[k]) {
        const char* gap = shown.in_parts || text.empty() ? "" : gap_after(shown.mark);
        text = std::string(shown.tag) + gap + text;
      }
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
    const auto shown = std::ranges::find(shown_, medium.kind, &Shown::kind);
    if (shown != shown_.end() && shown->is_taken()) continue;
    return Error(Code::kInvalidArgument,
                 "There are " + std::to_string(engine::count_of(row.media, medium.kind)) + " " +
                     kind_word(medium.kind) + "s, but the model takes none.",
                 "Choose a model with a tower for them (llava for images; qwen2_vl and qwen2_5_vl "
                 "for images and videos; qwen2_audio for sound), or leave them out of the rows.")
        .at_field(medium.field);
  }
  if (row.media.empty()) return std::vector<int64_t>();
  MORTISE_ASSIGN(auto counts, tokens(row.media));
  if (counts.size() == row.media.size()) return counts;
  return Error(Code::kInternal, std::to_string(counts.size()) + " counts came for " +
                                    std::to_string(row.media.size()) + " media.");
}

// Parts of media as the template takes them: as they are, or as marks in one text.
Json RowEncoder::with_media_parts(const Json& messages) const {
  Json out = messages;
  for (Json& message : out.items()) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_array()) continue;
    std::string text;
    const Shown *before = nullptr, *untaken = nullptr;
    bool has_media = false;
    for (const Json& part : content->items()) {
      if (before != nullptr) text += gap_after(before->mark);
      const auto shown = std::ranges::find_if(
          shown_, [&](const Shown& one) { return part["type"].as_string() == one.part; });
      before = shown == shown_.end() ? nullptr : &*shown;
      has_media = has_media || before != nullptr;
      if (before != nullptr && !before->in_parts) untaken = before;
      text += before != nullptr ? before->mark.text : part["text"].as_string();
    }
    if (!has_media || untaken != nullptr) *content = std::move(text);
  }
  return out;
}

base::Result<std::vector<int32_t>> RowEncoder::plain_prompt(const RowMessages& conversation) const {
  const Json words = Json::array({conversation.messages, conversation.tools});
  std::vector<int32_t> marks;
  for (const Shown& shown : shown_) {
    if (shown.is_taken()) marks.push_back(shown.mark.token_id);
  }
  MORTISE_ASSIGN(const TextGuard guard, TextGuard::create(*encoder_, std::move(marks), words));
  Json messages = Json::array();
  for (const Json& message : conversation.messages.items()) {
    MORTISE_ASSIGN(Json guarded, guard.guarded(message));
    guarded["role"] = message["role"];
    messages.push_back(std::move(guarded));
  }
  ChatRequest request;
  request.messages = with_media_parts(messages);
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
  std::array<std::vector<size_t>, 3> order;  // of the media of each kind
  for (size_t k = 0; k < shown_.size(); ++k) {
    const Shown& shown = shown_[k];
    if (!shown.is_taken()) continue;
    for (size_t i = 0; i < media.size(); ++i) {
      if (media[i].kind == shown.kind) order[k].push_back(i);
    }
    const auto found =
        static_cast<size_t>(std::count(row.ids.begin(), row.ids.end(), shown.mark.token_id));
    if (found == order[k].size()) continue;
    const std::string word = kind_word(shown.kind), tag(shown.tag);
    return Error(Code::kInvalidArgument,
                 "There are " + std::to_string(order[k].size()) + " " + word +
                     "s, but the text has " + std::to_string(found) + " places for them.",
                 "A row has one " + tag + " for each " + word +
                     ", or none at all; a chat template shows each " + word + " part once.");
  }
  EncodedRow wide;
  std::array<size_t, 3> next{};
  for (size_t i = 0; i < row.ids.size(); ++i) {
    const auto shown = std::ranges::find_if(
        shown_, [&](const Shown& one) { return row.ids[i] == one.mark.token_id; });
    const bool is_place = shown != shown_.end();
    int64_t count = 1;
    if (is_place) {
      const auto k = static_cast<size_t>(shown - shown_.begin());
      const size_t medium = order[k][next[k]++];
      count = counts[medium];
      wide.pictures.push_back({medium, static_cast<int64_t>(wide.ids.size()), count});
    }
    const auto times = static_cast<size_t>(count);
    wide.ids.insert(wide.ids.end(), times, row.ids[i]);
    wide.labels.insert(wide.labels.end(), times, is_place ? kNoLabel : row.labels[i]);
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
        row.pictures.empty() || settings_.audio.token_id >= 0
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
