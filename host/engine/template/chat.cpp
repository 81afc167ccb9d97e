// Rendering of messages, and the search for what the assistant says.
#include "engine/template/chat.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "engine/template/text.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";
// Marks around a message's text in a trial rendering; letters of a private area, so that no
// template function changes or trims them.
constexpr std::string_view kBegin = "\xEE\x80\x81", kEnd = "\xEE\x80\x82";  // U+E001, U+E002

// A template may call the reasoning of a message by any of these names.
void add_reasoning_aliases(Json& message) {
  constexpr std::string_view kNames[] = {"reasoning_content", "reasoning", "thinking"};
  const Json* found = nullptr;
  for (const std::string_view name : kNames) {
    if (found == nullptr) found = message.find(name);
  }
  if (found == nullptr) return;
  const Json value = *found;
  for (const std::string_view name : kNames) {
    if (!message.contains(name)) message[name] = value;
  }
}

Json variables_of(const ChatRequest& request, const Json& messages, bool add_prompt) {
  Json variables = request.variables.is_object() ? request.variables : Json::object();
  variables["messages"] = messages;
  for (Json& message : variables["messages"].items()) add_reasoning_aliases(message);
  variables["tools"] = request.tools;
  if (!variables.contains("documents")) variables["documents"] = nullptr;
  variables["add_generation_prompt"] = add_prompt;
  return variables;
}

base::Result<Rendering> render(const Template& chat_template, const ChatRequest& request,
                               const Json& messages, bool add_prompt) {
  return chat_template.render(variables_of(request, messages, add_prompt), request.now);
}

// The text of a message where it can be changed: its content, or the last text part. nullptr when
// it has none.
Json* text_of(Json& message) {
  Json* content = message.find("content");
  if (content == nullptr || content->is_string()) return content;
  for (size_t i = content->size(); i-- > 0;) {
    Json& part = content->items()[i];
    if (Json* text = part.find("text"); text != nullptr && text->is_string()) return text;
  }
  return nullptr;
}

base::Result<std::string> render_continued(const Template& chat_template,
                                           const ChatRequest& request) {
  if (request.add_generation_prompt) {
    return Error(Code::kInvalidArgument,
                 "add_generation_prompt and continue_final_message exclude each other.");
  }
  Json messages = request.messages;
  Json* text = messages.size() > 0 ? text_of(messages.items().back()) : nullptr;
  if (text == nullptr) {
    return Error(Code::kInvalidArgument,
                 "continue_final_message is set, but the last message has no text.");
  }
  const std::string last = text->as_string();
  *text = last + std::string(kTag);
  MORTISE_ASSIGN(Rendering rendering, render(chat_template, request, messages, false));
  const std::string_view bare_tag = kTag.substr(0, kTag.size() - 1);
  const size_t at = rendering.text.rfind(bare_tag);
  if (at == std::string::npos ||
      rendering.text.find(jinja::strip(last, "", 3)) == std::string::npos) {
    return Error(Code::kInvalidArgument,
                 "continue_final_message is set, but the template does not show the last message.");
  }
  const bool kept_blank = rendering.text.compare(at, kTag.size(), kTag) == 0;
  std::string out = rendering.text.substr(0, at);
  // A template that trims its messages would have trimmed this one too.
  return kept_blank ? out : jinja::strip(out, "", 2);
}

Json first_messages(const Json& messages, size_t count) {
  Json out = Json::array();
  for (size_t i = 0; i < count; ++i) out.push_back(messages.at(i));
  return out;
}

// White space after a turn's end mark is the template's, not the model's. When nothing but white
// space follows the message's own text, that is the mark.
size_t without_trailing_space(const std::string& text, size_t content_end, size_t end) {
  const std::string after = text.substr(content_end, end - content_end);
  const std::string kept = jinja::strip(after, "", 2);
  return kept.empty() ? end : content_end + kept.size();
}

// Where message `index` stands in `text`, by what its rendering adds to the prompt before it.
// Absent when the renderings of the first messages are not beginnings of the whole.
base::Result<std::optional<ByteSpan>> span_by_prefix(const Template& chat_template,
                                                     const ChatRequest& request,
                                                     const std::string& text, size_t index) {
  const Json& messages = request.messages;
  const auto before = render(chat_template, request, first_messages(messages, index), true);
  const auto with = render(chat_template, request, first_messages(messages, index + 1), false);
  if (!before.ok() || !with.ok()) return std::optional<ByteSpan>();
  const std::string &prompt = before->text, &turn = with->text;
  if (!text.starts_with(prompt) || !text.starts_with(turn) || turn.size() <= prompt.size()) {
    return std::optional<ByteSpan>();
  }
  Json copy = messages.at(index);
  const Json* own = text_of(copy);
  const std::string content = own != nullptr ? jinja::strip(own->as_string(), "", 3) : "";
  size_t content_end = prompt.size();
  if (!content.empty()) {
    const size_t found = turn.rfind(content);
    if (found == std::string::npos || found < prompt.size()) return std::optional<ByteSpan>();
    content_end = found + content.size();
  }
  const ByteSpan span{prompt.size(), without_trailing_space(text, content_end, turn.size())};
  return std::optional<ByteSpan>(span);
}

// What follows the text of message `index` when it is the last one, if `text` goes on so: the mark
// of the end of a turn. Its length in bytes.
base::Result<size_t> end_mark(const Template& chat_template, const ChatRequest& request,
                              const std::string& text, size_t content_end, size_t index) {
  Json alone = first_messages(request.messages, index + 1);
  Json* own = text_of(alone.items()[index]);
  *own = own->as_string() + std::string(kEnd);
  MORTISE_ASSIGN(const Rendering trial, render(chat_template, request, alone, false));
  const size_t at = trial.text.rfind(kEnd);
  if (at == std::string::npos) return size_t{0};
  const std::string after = trial.text.substr(at + kEnd.size());
  return text.compare(content_end, after.size(), after) == 0 ? after.size() : size_t{0};
}

// The same by marks in trial renderings of the whole: for templates that write an earlier turn
// differently from the last one. The text begins where a mark in its place would stand, and ends
// where a mark added to it stands.
base::Result<ByteSpan> span_by_marks(const Template& chat_template, const ChatRequest& request,
                                     const std::string& text, size_t index) {
  const Error lost(Code::kFailedPrecondition,
                   "The text of message " + std::to_string(index + 1) +
                       " cannot be found again in what the chat template makes of it, so its "
                       "tokens cannot be chosen for training.",
                   "Use a template with {% generation %} blocks.");
  Json messages = request.messages;
  Json* own = text_of(messages.items()[index]);
  if (own == nullptr) return lost;
  const std::string content = own->as_string();
  *own = std::string(kBegin);
  MORTISE_ASSIGN(const Rendering first_trial, render(chat_template, request, messages, false));
  const size_t begin = first_trial.text.find(kBegin);
  if (begin == std::string::npos || text.compare(0, begin, first_trial.text, 0, begin) != 0) {
    return lost;
  }
  *own = content + std::string(kEnd);
  MORTISE_ASSIGN(Rendering second_trial, render(chat_template, request, messages, false));
  const size_t end = second_trial.text.find(kEnd);
  if (end == std::string::npos || end < begin) return lost;
  if (second_trial.text.erase(end, kEnd.size()) != text) return lost;
  MORTISE_ASSIGN(const size_t mark, end_mark(chat_template, request, text, end, index));
  return ByteSpan{begin, without_trailing_space(text, end, end + mark)};
}

// The {% generation %} blocks into `out`, each with the weight of its message.
base::Status take_blocks(const Rendering& rendering, const Json& messages, ChatText& out) {
  std::vector<double> weights;
  for (const Json& message : messages.items()) {
    if (message["role"].as_string() == "assistant") weights.push_back(loss_weight(message));
  }
  const bool all = std::ranges::all_of(weights, [](double weight) { return weight == 1; });
  if (rendering.generation_hidden || (!all && weights.size() != rendering.generation.size())) {
    return Error(Code::kFailedPrecondition,
                 "The {% generation %} blocks of the chat template cannot be told apart: one runs "
                 "in a macro, or their number differs from that of the assistant's messages.");
  }
  for (size_t i = 0; i < rendering.generation.size(); ++i) {
    const ByteSpan span = rendering.generation[i];
    const double weight = all ? 1 : weights[i];
    if (weight == 0 || span.end <= span.begin) continue;
    out.train_spans.push_back(span);
    out.weights.push_back(weight);
  }
  return {};
}

base::Status check_weights(const Json& messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages.at(i);
    const Json &loss = message["loss"], &scale = message["loss_scale"];
    const bool is_scale = scale.is_null() || (scale.is_number() && scale.as_double(-1) >= 0 &&
                                              std::isfinite(scale.as_double()));
    if (is_scale && (loss.is_null() || loss.is_bool())) continue;
    return Error(Code::kInvalidArgument,
                 is_scale ? "\"loss\" of a message must be true or false."
                          : "\"loss_scale\" of a message must be a number from 0 on.")
        .at_field("/messages/" + std::to_string(i) + (is_scale ? "/loss" : "/loss_scale"));
  }
  return {};
}

}  // namespace

double loss_weight(const Json& message) {
  const bool is_left_out = !message["loss"].as_bool(true) || message["weight"].as_double(1) == 0;
  return is_left_out ? 0 : message["loss_scale"].as_double(1);
}

base::Result<std::string> render_chat(const Template& chat_template, const ChatRequest& request) {
  if (!request.messages.is_array()) {
    return Error(Code::kInvalidArgument, "\"messages\" must be an array.").at_field("/messages");
  }
  if (request.continue_final_message) return render_continued(chat_template, request);
  MORTISE_ASSIGN(Rendering rendering,
                 render(chat_template, request, request.messages, request.add_generation_prompt));
  return std::move(rendering.text);
}

base::Result<ChatText> render_for_training(const Template& chat_template,
                                           const ChatRequest& request) {
  ChatText out;
  MORTISE_TRY(check_weights(request.messages));
  if (request.continue_final_message || !chat_template.has_generation_blocks()) {
    MORTISE_ASSIGN(out.text, render_chat(chat_template, request));
  } else {
    MORTISE_ASSIGN(Rendering rendering,
                   render(chat_template, request, request.messages, request.add_generation_prompt));
    MORTISE_TRY(take_blocks(rendering, request.messages, out));
    out.text = std::move(rendering.text);
    return out;
  }
  size_t last_end = 0;
  for (size_t i = 0; i < request.messages.size(); ++i) {
    const Json& message = request.messages.at(i);
    if (message["role"].as_string() != "assistant" || loss_weight(message) == 0) continue;
    MORTISE_ASSIGN(std::optional<ByteSpan> found,
                   span_by_prefix(chat_template, request, out.text, i));
    if (!found) {
      MORTISE_ASSIGN(found, span_by_marks(chat_template, request, out.text, i));
    }
    const ByteSpan span{std::max(found->begin, last_end), std::min(found->end, out.text.size())};
    if (span.end <= span.begin) continue;
    out.train_spans.push_back(span);
    out.weights.push_back(loss_weight(message));
    last_end = span.end;
  }
  return out;
}

std::vector<std::pair<size_t, size_t>> in_characters(const std::string& text,
                                                     const std::vector<ByteSpan>& spans) {
  std::vector<std::pair<size_t, size_t>> out;
  size_t byte = 0, characters = 0;
  const auto advance_to = [&](size_t end) {
    characters += base::utf8_length(std::string_view(text).substr(byte, end - byte));
    byte = end;
    return characters;
  };
  for (const ByteSpan& span : spans) {
    const size_t begin = advance_to(span.begin);
    out.emplace_back(begin, advance_to(span.end));
  }
  return out;
}

}  // namespace mortise::engine
