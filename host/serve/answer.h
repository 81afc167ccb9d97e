// The way of an answer from token ids to what the asker sees: decoding, stop texts, calls of tools.
// Called by the service, one a request. Knows nothing of sequences or connections.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/tokenizer.h"
#include "serve/tool_calls.h"

namespace mortise::serve {

struct AnswerOptions {
  std::vector<std::string> stop = {};
  const ToolFormat* tools = nullptr;         // nullptr: no calls are looked for
  std::vector<std::string> tool_names = {};  // of the request
  bool one_call = false;                     // the answer ends with its first call
};

class Answer {  // [serial]
 public:
  // The tokenizer outlives this. Errors: those of the tokenizer.
  static base::Result<Answer> create(const plugin::Tokenizer& tokenizer, AnswerOptions options);

  // Lines for the asker: {"delta": text} and {"tool_calls": [{"index", "name", "arguments"}]}.
  base::Result<std::vector<base::Json>> take(int32_t id);
  base::Result<std::vector<base::Json>> finish();  // once, at the end

  bool is_over() const { return is_over_; }  // a stop text came, or the only call
  bool has_calls() const { return calls_ > 0; }

 private:
  Answer(const plugin::Tokenizer& tokenizer, AnswerOptions options, plugin::Decoder decoder)
      : tokenizer_(&tokenizer), options_(std::move(options)), decoder_(std::move(decoder)) {}

  base::Result<std::string> decoded(int32_t id);
  std::string before_stop(const std::string& piece);
  std::vector<base::Json> lines_of(const std::string& text, bool is_last);

  const plugin::Tokenizer* tokenizer_;
  AnswerOptions options_;
  plugin::Decoder decoder_;
  // Marks of calls that are special tokens: decoding would leave them out.
  std::vector<std::pair<int32_t, std::string>> marks_;
  std::optional<ToolCallReader> reader_;
  std::string held_;  // may be the beginning of a stop text
  bool is_over_ = false;
  int64_t calls_ = 0;
};

}  // namespace mortise::serve
