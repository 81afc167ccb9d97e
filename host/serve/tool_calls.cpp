// See tool_calls.h.
#include "serve/tool_calls.h"

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "engine/template/chat.h"

namespace mortise::serve {
namespace {

using base::Json;

// Sources: the templates of NousResearch's Hermes 2 Pro, Qwen 2.5 and 3, SmolLM 3 (hermes);
// Mistral's instruct models from 7B v0.3 on (mistral).
constexpr ToolFormat kFormats[] = {
    {"hermes", "<tool_call>", "</tool_call>"},
    {"mistral", "[TOOL_CALLS]", ""},
};

constexpr std::string_view kBlanks = " \t\r\n";
constexpr const char* kProbe = "mortise_probe";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == std::string_view::npos;
}

std::optional<ToolCall> call_of(const Json& value, const std::vector<std::string>& names) {
  const std::string& name = value["name"].as_string();
  if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
  const Json& arguments = value["arguments"];
  if (arguments.is_null()) return ToolCall{name, "{}"};
  if (!arguments.is_object()) return std::nullopt;
  return ToolCall{name, arguments.dump()};
}

// Absent unless all of it is calls.
std::optional<std::vector<ToolCall>> calls_of(const std::string& body,
                                              const std::vector<std::string>& names) {
  const auto json = base::parse_json(body);
  if (!json.ok()) return std::nullopt;
  const Json::Array list = json->is_array() ? json->items() : Json::Array{*json};
  std::vector<ToolCall> calls;
  for (const Json& one : list) {
    auto call = call_of(one, names);
    if (!call) return std::nullopt;
    calls.push_back(std::move(*call));
  }
  if (calls.empty()) return std::nullopt;
  return calls;
}

Json probe_function(const char* key, Json value) {
  return Json::object({{"type", "function"},
                       {"id", "mortise01"},  // Mistral's templates want nine characters
                       {"function", Json::object({{"name", kProbe}, {key, std::move(value)}})}});
}

}  // namespace

const ToolFormat* tool_format_of(const engine::ChatSetup& chat) {
  engine::ChatRequest probe;
  probe.variables = chat.variables;
  probe.now.emplace();  // templates that show the date show tools all the same
  probe.messages = Json::array({Json::object({{"role", "user"}, {"content", "q"}})});
  probe.tools = Json::array({probe_function("parameters", Json::object({{"type", "object"}}))});
  const auto prompt = engine::render_chat(chat.chat_template, probe);
  if (!prompt.ok() || prompt->find(kProbe) == std::string::npos) return nullptr;
  std::string shown = *prompt;
  probe.messages.push_back(
      Json::object({{"role", "assistant"},
                    {"content", ""},
                    {"tool_calls", Json::array({probe_function("arguments", Json::object())})}}));
  if (const auto told = engine::render_chat(chat.chat_template, probe); told.ok()) shown += *told;
  for (const ToolFormat& format : kFormats) {
    if (shown.find(format.begin) != std::string::npos &&
        shown.find(format.end) != std::string::npos) {
      return &format;
    }
  }
  return nullptr;
}

size_t beginning_at_end(std::string_view text, std::string_view mark) {
  if (mark.empty()) return 0;
  for (size_t size = std::min(mark.size() - 1, text.size()); size > 0; --size) {
    if (text.ends_with(mark.substr(0, size))) return size;
  }
  return 0;
}

ToolCallReader::Piece ToolCallReader::take(std::string_view text) {
  held_ += text;
  Piece piece;
  do {
    if (!is_inside_) read_text(piece);
  } while (is_inside_ && read_call(piece));
  return piece;
}

// Gives the text that cannot belong to a mark, nor be white space before one.
void ToolCallReader::read_text(Piece& piece) {
  const size_t begin = held_.find(format_->begin);
  is_inside_ = begin != std::string::npos;
  const size_t end = is_inside_ ? begin : held_.size() - beginning_at_end(held_, format_->begin);
  const size_t last = held_.substr(0, end).find_last_not_of(kBlanks);
  const size_t certain = last == std::string::npos ? 0 : last + 1;
  piece.text += held_.substr(0, certain);
  held_.erase(0, is_inside_ ? begin + format_->begin.size() : certain);
}

// Whether the call has ended, so that text may follow.
bool ToolCallReader::read_call(Piece& piece) {
  const size_t end = format_->end.empty() ? std::string::npos : held_.find(format_->end);
  if (end == std::string::npos) return false;
  const std::string body = held_.substr(0, end);
  held_.erase(0, end + format_->end.size());
  close_call(body, format_->end, piece);
  return true;
}

void ToolCallReader::close_call(const std::string& body, std::string_view end, Piece& piece) {
  is_inside_ = false;
  if (auto calls = calls_of(body, names_)) {
    has_called_ = true;
    for (ToolCall& call : *calls) piece.calls.push_back(std::move(call));
  } else {
    piece.text += std::string(format_->begin) + body + std::string(end);
  }
}

ToolCallReader::Piece ToolCallReader::rest() {
  Piece piece;
  const std::string body = std::exchange(held_, {});
  if (is_inside_) {
    close_call(body, "", piece);  // a model may end its answer with the call itself
  } else if (!has_called_ || !is_blank(body)) {
    piece.text = body;
  }
  return piece;
}

}  // namespace mortise::serve
