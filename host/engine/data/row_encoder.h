// One row of a data set to token ids and labels: the row becomes messages, the chat template makes
// text of them, the tokenizer ids, and what the assistant says becomes labels. Image placeholders
// are repeated to the number of features an image has. Called by engine/train and evaluate. Knows
// no tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/data/encoder.h"
#include "engine/template/chat_setup.h"

namespace mortise::engine {

constexpr int32_t kNoLabel = -100;

enum class Truncation { kRefuse, kLeft, kRight };

struct RowSettings {
  std::string task_type;
  int64_t length_max = 2048;  // tokens of a row, placeholders repeated
  Truncation truncation = Truncation::kRefuse;
  int32_t image_token_id = -1;  // -1: the model takes no images
  std::string image_token;      // its text, "<image>"
  int64_t tokens_per_image = 0;
  bool shares_beginnings = false;  // of preference pairs: positions must be those of the tokens
};

struct EncodedRow {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;  // as long as ids; kNoLabel where nothing is learned; not shifted
  std::vector<double> weights;  // of the labels, as long as ids; empty: each counts 1
  std::vector<std::string> images;  // names, in the order of their placeholders
  std::string tensors;              // of a "tokens" row: a .safetensors with pixel_values
  // A preference row is two sequences end to end: from here on the one with the worse answer; its
  // images follow those of the first. 0: one sequence.
  int64_t split = 0;
  // So many tokens begin both and are left out of the second; the keys of its attention begin with
  // theirs. None of what is left is a placeholder of an image.
  int64_t shared = 0;
  bool is_wanted = true;  // "label" of a kto row
};

// A conversation to render; also what evaluation asks the model.
struct RowMessages {
  base::Json messages;
  base::Json tools;
  std::vector<std::string> images;
  // Texts are a stranger's words, not rows: "<image>" and control tokens in them stay text, and
  // images are parts {"type": "image"} between parts {"type": "text", "text"}. Roles are trusted.
  bool is_plain = false;
};
// Errors: UNIMPLEMENTED naming a task type that has no conversation here; INVALID_ARGUMENT naming
// the field that is missing.
base::Result<RowMessages> messages_of(const base::Json& row, const std::string& task_type);

class RowEncoder {  // [parallel]
 public:
  // Both are kept by the caller and outlive this. Errors: INVALID_ARGUMENT when the image token is
  // not one token of the tokenizer.
  static base::Result<RowEncoder> create(const Encoder& encoder, const ChatSetup& chat,
                                         RowSettings settings);

  // Errors: those of messages_of, the template and the tokenizer; INVALID_ARGUMENT naming both
  // lengths for a row over length_max (with kRefuse, or when images would be cut), a number of
  // placeholders that differs from that of images, and nothing to learn.
  base::Result<EncodedRow> encode(const base::Json& row) const;

  // The prompt alone, with the cue for the assistant, as generation takes it. Errors: those of the
  // template, the tokenizer and TextGuard; INVALID_ARGUMENT for images that the model does not
  // take, or whose number differs from that of their places.
  base::Result<EncodedRow> encode_prompt(const RowMessages& messages) const;

 private:
  RowEncoder(const Encoder& encoder, const ChatSetup& chat, RowSettings settings)
      : encoder_(&encoder), chat_(&chat), settings_(std::move(settings)) {}

  bool template_takes_parts() const;
  base::Json with_images(const RowMessages& row) const;
  base::Json with_image_parts(const base::Json& messages) const;
  base::Status check_images(const RowMessages& row) const;
  base::Result<std::vector<int32_t>> plain_prompt(const RowMessages& conversation) const;
  base::Result<EncodedRow> encode_one(const base::Json& row) const;
  base::Result<EncodedRow> encode_pair(const base::Json& row) const;    // preference_rows.cpp
  base::Result<EncodedRow> encode_judged(const base::Json& row) const;  // the same
  base::Result<EncodedRow> encode_tokens(const base::Json& row) const;
  base::Result<EncodedRow> encode_text(const base::Json& row) const;
  base::Result<EncodedRow> encode_chat(const base::Json& row) const;
  base::Status expand_images(EncodedRow& row) const;
  base::Status truncate(EncodedRow& row) const;

  const Encoder* encoder_;
  const ChatSetup* chat_;
  RowSettings settings_;
  bool takes_parts_ = false;  // image parts in messages, or placeholders in the text
};

}  // namespace mortise::engine
