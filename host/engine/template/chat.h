// Messages through a chat template, as transformers' apply_chat_template does it, and the parts of
// the text that a model should learn: what the assistant says. Called by engine/data, serve and
// `mortise template render`. Knows nothing of tokens.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/template/template.h"

namespace mortise::engine {

struct ChatRequest {
  base::Json messages;  // array of {role, content, ...}
  base::Json tools;     // null or an array
  bool add_generation_prompt = false;
  bool continue_final_message = false;  // the text ends right after the last message's own text
  base::Json variables;                 // null or an object: bos_token, enable_thinking, ...
  std::optional<LocalTime> now;
};

struct ChatText {
  std::string text;
  std::vector<ByteSpan> train_spans;  // rising, not overlapping, none empty
  std::vector<double> weights;        // one a span: loss_weight of its message
};

// The text alone. Errors: those of Template::render; INVALID_ARGUMENT when continue_final_message
// cannot be done.
base::Result<std::string> render_chat(const Template& chat_template, const ChatRequest& request);

// The text with its train spans: the {% generation %} blocks where the template has them, else for
// each assistant message what its rendering adds to the prompt before it, with the end-of-turn mark
// and without white space after that. A message with "loss": false, "loss_scale": 0 or "weight": 0
// is left out. Errors: those of render_chat; INVALID_ARGUMENT naming a "loss" or "loss_scale" that
// is none; FAILED_PRECONDITION naming the message whose text cannot be found again.
base::Result<ChatText> render_for_training(const Template& chat_template,
                                           const ChatRequest& request);

// Spans of bytes as spans of characters (code points), for faces that count so.
std::vector<std::pair<size_t, size_t>> in_characters(const std::string& text,
                                                     const std::vector<ByteSpan>& spans);

// What each token of a message of the role assistant counts: its "loss_scale", else 1; 0 where it
// is not to be learned.
double loss_weight(const base::Json& message);

}  // namespace mortise::engine
