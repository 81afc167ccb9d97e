// From tokens back to text: the decoder of tokenizer.json as a chain of streaming steps.
//
// Made by tokenizer_json.cpp; tokenizer.cpp runs one for a whole list of ids, plugin.cpp keeps one
// for each stream. Since both use the same steps, the pieces of a stream add up to the whole. A
// step gives a text on as soon as nothing that may follow can change it. Knows nothing of ids.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pattern.h"

namespace mortise::tokenizers {

struct DecoderStep {
  enum class Kind : uint8_t {
    kByteLevel,
    kByteFallback,
    kFuse,
    kStrip,
    kReplace,
    kMetaspace,
    kBpe,
    kWordPiece
  };
  Kind kind = Kind::kFuse;
  std::string content;       // kStrip: one character; kReplace: what to put; kBpe: the suffix;
                             // kWordPiece: the prefix;
                             // kMetaspace: the mark
  Pattern pattern;           // kReplace
  uint32_t start = 0;        // kStrip: how many to take off in front
  uint32_t stop = 0;         // kStrip: and at the end
  bool cleanup = false;      // kWordPiece: no blank before marks, as in English
  bool strip_first = false;  // kMetaspace: the marks of the first token vanish
};

struct DecodeRules {
  std::vector<DecoderStep> steps;
  bool join_with_space = false;  // tokenizer.json without a decoder
};

// One step at work.
class DecodeStage {
 public:
  virtual ~DecodeStage() = default;
  // Takes one token and appends to out what is certain now: each item is a token for the next step.
  virtual void push(std::string_view token, std::vector<std::string>& out) = 0;
  virtual void flush(std::vector<std::string>& out) = 0;
};

// One stream of tokens. [serial]
class DecodeStream {
 public:
  explicit DecodeStream(const DecodeRules& rules);

  // Appends the text that is certain after this token: whole characters.
  void push(std::string_view token, std::string& out);
  // Appends what is left. The stream is at its end.
  void flush(std::string& out);

 private:
  void run(size_t stage, std::vector<std::string> tokens, std::string& out);

  std::vector<std::unique_ptr<DecodeStage>> stages_;
  bool join_with_space_;
  bool is_first_ = true;
};

}  // namespace mortise::tokenizers
