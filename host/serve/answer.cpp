// See answer.h.
#include "serve/answer.h"

#include <algorithm>

namespace mortise::serve {

using base::Json;
using base::Result;

Result<Answer> Answer::create(const plugin::Tokenizer& tokenizer, AnswerOptions options) {
  MORTISE_ASSIGN(plugin::Decoder decoder, tokenizer.decoder(/*skip_special=*/true));
  Answer answer(tokenizer, std::move(options), std::move(decoder));
  const ToolFormat* tools = answer.options_.tools;
  if (tools == nullptr) return answer;
  answer.reader_.emplace(*tools, answer.options_.tool_names);
  for (const std::string_view mark : {tools->begin, tools->end}) {
    if (mark.empty()) continue;
    MORTISE_ASSIGN(const auto ids, tokenizer.encode(std::string(mark)));
    if (ids.size() == 1) answer.marks_.emplace_back(ids[0], mark);
  }
  return answer;
}

Result<std::string> Answer::decoded(int32_t id) {
  for (const auto& [mark_id, text] : marks_) {
    if (id != mark_id) continue;
    MORTISE_ASSIGN(const std::string before, decoder_.flush());
    MORTISE_ASSIGN(decoder_, tokenizer_->decoder(/*skip_special=*/true));
    return before + text;
  }
  return decoder_.push(id);
}

// What is certain to stand before any stop text.
std::string Answer::before_stop(const std::string& piece) {
  held_ += piece;
  size_t cut = std::string::npos, keep = 0;
  for (const std::string& stop : options_.stop) {
    cut = std::min(cut, held_.find(stop));
    keep = std::max(keep, beginning_at_end(held_, stop));
  }
  is_over_ = is_over_ || cut != std::string::npos;
  const size_t certain = std::min(cut, held_.size() - keep);
  std::string out = held_.substr(0, certain);
  held_.erase(0, cut != std::string::npos ? held_.size() : certain);
  return out;
}

std::vector<Json> Answer::lines_of(const std::string& text, bool is_last) {
  ToolCallReader::Piece piece;
  if (reader_) {
    piece = reader_->take(text);
    if (is_last) {
      ToolCallReader::Piece rest = reader_->rest();
      piece.text += rest.text;
      for (ToolCall& call : rest.calls) piece.calls.push_back(std::move(call));
    }
  } else {
    piece.text = text;
  }
  std::vector<Json> lines;
  if (!piece.text.empty()) lines.push_back(Json::object({{"delta", piece.text}}));
  Json calls = Json::array();
  for (const ToolCall& call : piece.calls) {
    if (options_.one_call && calls_ > 0) break;
    calls.push_back(
        Json::object({{"index", calls_++}, {"name", call.name}, {"arguments", call.arguments}}));
  }
  if (calls.size() > 0) lines.push_back(Json::object({{"tool_calls", std::move(calls)}}));
  is_over_ = is_over_ || (options_.one_call && calls_ > 0);
  return lines;
}

Result<std::vector<Json>> Answer::take(int32_t id) {
  if (is_over_) return std::vector<Json>();
  MORTISE_ASSIGN(const std::string piece, decoded(id));
  return lines_of(before_stop(piece), /*is_last=*/false);
}

Result<std::vector<Json>> Answer::finish() {
  if (is_over_ && options_.one_call && calls_ > 0) return std::vector<Json>();
  std::string text;
  if (!is_over_) {
    MORTISE_ASSIGN(const std::string tail, decoder_.flush());
    text = before_stop(tail);
    if (!is_over_) text += std::exchange(held_, {});
  }
  return lines_of(text, /*is_last=*/true);
}

}  // namespace mortise::serve
