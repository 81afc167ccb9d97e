// One row of a data set to token ids and labels: the row becomes messages, the chat template makes
// text of them, the tokenizer ids, and what the assistant says becomes labels. The placeholder of a
// picture is repeated to the number of features that the picture has. Called by engine/train and
// chat_model. Knows no tensors, and of pictures only how many tokens each one takes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/data/encoder.h"
#include "engine/data/media_field.h"
#include "engine/model/config.h"
#include "engine/template/chat_setup.h"

namespace mortise::engine {

constexpr int32_t kNoLabel = -100;

enum class Truncation { kRefuse, kLeft, kRight };

// What stands in a text for a picture of one kind. A sound counts as a picture here and below.
struct PictureMark {
  int32_t token_id = -1;  // once for each feature; -1: the model takes none of this kind
  std::string token;      // its text, "<image>" or "<|image_pad|>"
  // What a template without image parts shows: the token, with the tokens around it where the model
  // has them, "<|vision_start|><|image_pad|><|vision_end|>". A bare token in front of a text has a
  // new line behind it.
  std::string text;
};

struct RowSettings {
  std::string task_type;
  int64_t length_max = 2048;  // tokens of a row, placeholders repeated
  Truncation truncation = Truncation::kRefuse;
  PictureMark image, video;
  PictureMark audio = {};
  bool shares_beginnings = false;  // of preference pairs: positions must be those of the tokens
};
// The marks of a model, as its configuration names them and its tokenizer spells them; length_max
// is the model's. Errors: INVALID_ARGUMENT for an id that the tokenizer does not have.
base::Result<RowSettings> row_settings_of(const ModelConfig& config, const Encoder& encoder);

// The placeholders of a picture.
struct PicturePlace {
  size_t medium = 0;              // number among the row's media
  int64_t begin = 0, tokens = 0;  // in ids
};

struct EncodedRow {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;  // as long as ids; kNoLabel where nothing is learned; not shifted
  std::vector<double> weights;  // of the labels, as long as ids; empty: each counts 1
  std::vector<PicturePlace> pictures;  // those that stand in ids, in order
  std::string tensors;                 // of a "tokens" row: a .safetensors with pixel_values
  // A preference row is two sequences end to end: from here on the one with the worse answer. 0:
  // one sequence.
  int64_t split = 0;
  // So many tokens begin both and are left out of the second; the keys of its attention begin with
  // theirs. None of what is left is a placeholder of a picture.
  int64_t shared = 0;
  bool is_wanted = true;  // "label" of a kto row
};

// A conversation to render; also what evaluation asks the model.
struct RowMessages {
  base::Json messages;
  base::Json tools;
  std::vector<MediaField> media;  // in the order of their places, kind by kind
  // Texts are a stranger's words, not rows: "<image>" and control tokens in them stay text, and
  // media are parts {"type": "image"} or "audio" between parts {"type": "text", "text"}. Roles are
  // trusted.
  // In rows "<image>", "<audio>" and "<video>" are the places of media, in texts and as such parts.
  bool is_plain = false;
};
// Errors: UNIMPLEMENTED naming a task type that has no conversation here; INVALID_ARGUMENT naming
// the field that is missing, or a part of a message that is not known.
base::Result<RowMessages> messages_of(const base::Json& row, const std::string& task_type);

// How many tokens each medium takes, in order. Asked once a row, and only for one that has media
// which the model takes: the asked may decode and prepare them.
using MediaTokens =
    std::function<base::Result<std::vector<int64_t>>(const std::vector<MediaField>& media)>;

class RowEncoder {  // [parallel]
 public:
  // Both are kept by the caller and outlive this. Errors: INVALID_ARGUMENT when the token of a mark
  // is not one token of the tokenizer.
  static base::Result<RowEncoder> create(const Encoder& encoder, const ChatSetup& chat,
                                         RowSettings settings);

  // Errors: those of messages_of, the template, the tokenizer and `tokens`; INVALID_ARGUMENT naming
  // both lengths for a row over length_max (with kRefuse, or when images would be cut), media that
  // the model does not take, a number of placeholders that differs from that of pictures, and
  // nothing to learn.
  base::Result<EncodedRow> encode(const base::Json& row, const MediaTokens& tokens) const;

  // The prompt alone, with the cue for the assistant, as generation takes it. Errors: those of the
  // template, the tokenizer, TextGuard and `tokens`; INVALID_ARGUMENT for media that the model does
  // not take, or whose number differs from that of their places.
  base::Result<EncodedRow> encode_prompt(const RowMessages& messages,
                                         const MediaTokens& tokens) const;

 private:
  // Media of one kind, as texts and templates show them.
  struct Shown {
    ingest::MediaKind kind;
    const char* part;      // the type of such a part of a message
    std::string_view tag;  // in the texts of rows: those of ms-swift, LLaMA-Factory and LLaVA
    PictureMark mark;
    // The template shows parts of this kind; else their marks are written into the text.
    bool in_parts = false;

    bool is_taken() const { return mark.token_id >= 0; }
    base::Json as_part() const;
  };

  RowEncoder(const Encoder& encoder, const ChatSetup& chat, RowSettings settings)
      : encoder_(&encoder), chat_(&chat), settings_(std::move(settings)) {}

  bool template_takes(const Shown& shown) const;
  base::Json with_marks(const RowMessages& row) const;
  base::Json written(const std::string& text) const;
  base::Json with_media_parts(const base::Json& messages) const;
  base::Result<std::vector<int64_t>> counted(const RowMessages& row,
                                             const MediaTokens& tokens) const;
  base::Result<std::vector<int32_t>> plain_prompt(const RowMessages& conversation) const;
  base::Result<EncodedRow> encode_one(const base::Json& row, const MediaTokens& tokens) const;
  // In preference_rows.cpp. The media of a pair are asked for twice.
  base::Result<EncodedRow> encode_pair(const base::Json& row, const MediaTokens& tokens) const;
  base::Result<EncodedRow> encode_judged(const base::Json& row, const MediaTokens& tokens) const;
  base::Result<EncodedRow> encode_tokens(const base::Json& row) const;
  base::Result<EncodedRow> encode_text(const base::Json& row) const;
  base::Result<EncodedRow> encode_chat(const base::Json& row, const MediaTokens& tokens) const;
  base::Status expand(const std::vector<MediaField>& media, const std::vector<int64_t>& counts,
                      EncodedRow& row) const;
  base::Status truncate(EncodedRow& row) const;

  const Encoder* encoder_;
  const ChatSetup* chat_;
  RowSettings settings_;
  std::array<Shown, 3> shown_;  // in the order of media_fields(): image, sound, film
};

}  // namespace mortise::engine
