// Calls of tools, as the families of models write them into their answers: which family a chat
// template belongs to, and reading the calls back while the answer comes. Called by serve/answer.
// Knows nothing of tokens or of HTTP.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/template/chat_setup.h"

namespace mortise::serve {

// Between the marks stands {"name", "arguments"}, or an array of such.
struct ToolFormat {
  std::string_view name;
  std::string_view begin, end;  // end empty: up to the end of the answer
};

// The format in which this template shows tools and calls; nullptr when it shows no tools, or in a
// way that is not known here.
const ToolFormat* tool_format_of(const engine::ChatSetup& chat);

struct ToolCall {
  std::string name, arguments;  // arguments: a JSON object, as text
};

// Splits an answer into text and calls. What stands between the marks and is no call of a known
// tool is text, marks included: nothing that the model said is lost. [serial]
class ToolCallReader {
 public:
  // names: of the tools that the request brought.
  ToolCallReader(const ToolFormat& format, std::vector<std::string> names)
      : format_(&format), names_(std::move(names)) {}

  struct Piece {
    std::string text;  // white space around a call is left out
    std::vector<ToolCall> calls;
  };
  Piece take(std::string_view text);  // what is certain now
  Piece rest();                       // at the end of the answer

 private:
  void read_text(Piece& piece);
  bool read_call(Piece& piece);
  void close_call(const std::string& body, std::string_view end, Piece& piece);

  const ToolFormat* format_;
  std::vector<std::string> names_;
  std::string held_;  // not certain yet; inside a call, what follows its begin mark
  bool is_inside_ = false, has_called_ = false;
};

// How many bytes at the end of `text` may be the beginning of `mark`.
size_t beginning_at_end(std::string_view text, std::string_view mark);

}  // namespace mortise::serve
