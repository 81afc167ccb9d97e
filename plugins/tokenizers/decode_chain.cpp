// The steps. Each says what it holds back; a step that makes one text of all tokens (Fuse,
// ByteLevel) tells the next one so by giving pieces of that text, see FusedText.
#include "decode_chain.h"

#include <mortise/cpp/utf8.hpp>

#include "byte_names.h"
#include "unicode.h"

namespace mortise::tokenizers {
namespace {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Bytes of all tokens to characters; holds back a character that is not complete.
class ByteLevelStage : public DecodeStage {
 public:
  void push(std::string_view token, std::vector<std::string>& out) override {
    std::string bytes;
    if (!bytes_of_token(token, bytes)) bytes = token;
    held_ += bytes;
    emit(false, out);
  }
  void flush(std::vector<std::string>& out) override { emit(true, out); }

 private:
  void emit(bool at_end, std::vector<std::string>& out) {
    std::string text;
    size_t at = 0;
    while (at < held_.size()) {
      const sdk::Utf8Step step = sdk::utf8_step(std::string_view(held_).substr(at));
      if (step.is_cut && !at_end) break;
      text += step.is_valid ? std::string_view(held_).substr(at, step.size_bytes)
                            : kReplacementCharacter;
      at += step.size_bytes;
    }
    held_.erase(0, at);
    if (!text.empty()) out.push_back(std::move(text));
  }

  std::string held_;
};

// "<0xE4>" tokens to the bytes they name; holds back a run of them until it ends, since one bad
// byte makes U+FFFD of each byte of its run.
class ByteFallbackStage : public DecodeStage {
 public:
  void push(std::string_view token, std::vector<std::string>& out) override {
    const int32_t byte = byte_named_by(token);
    if (byte >= 0) {
      run_.push_back(static_cast<char>(byte));
      return;
    }
    flush(out);
    out.emplace_back(token);
  }
  void flush(std::vector<std::string>& out) override {
    if (run_.empty()) return;
    if (sdk::find_invalid_utf8(run_) < 0) {
      out.push_back(run_);
    } else {
      out.insert(out.end(), run_.size(), std::string(kReplacementCharacter));
    }
    run_.clear();
  }

 private:
  std::string run_;
};

class ReplaceStage : public DecodeStage {
 public:
  explicit ReplaceStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token, std::vector<std::string>& out) override {
    std::string text;
    size_t at = 0;
    for (const Range& match : step_.pattern.matches(token)) {
      text += token.substr(at, match.begin - at);
      text += step_.content;
      at = match.end;
    }
    text += token.substr(at);
    out.push_back(std::move(text));
  }
  void flush(std::vector<std::string>&) override {}

 private:
  DecoderStep step_;
};

// Replace on the text of all tokens: a match may reach over pieces, so all is held back.
class HeldReplaceStage : public DecodeStage {
 public:
  explicit HeldReplaceStage(const DecoderStep& step) : replace_(step) {}
  void push(std::string_view token, std::vector<std::string>&) override { held_ += token; }
  void flush(std::vector<std::string>& out) override { replace_.push(held_, out); }

 private:
  ReplaceStage replace_;
  std::string held_;
};

// Takes `content` off each token, at most `start` times in front and `stop` times behind.
class StripStage : public DecodeStage {
 public:
  explicit StripStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token, std::vector<std::string>& out) override {
    for (uint32_t i = 0; i < step_.start && token.starts_with(step_.content); ++i) {
      token.remove_prefix(step_.content.size());
    }
    for (uint32_t i = 0; i < step_.stop && token.ends_with(step_.content); ++i) {
      token.remove_suffix(step_.content.size());
    }
    out.emplace_back(token);
  }
  void flush(std::vector<std::string>&) override {}

 private:
  DecoderStep step_;
};

// Strip on the text of all tokens: counts what it took in front, holds back `stop` times the
// content at the end.
class FusedStripStage : public DecodeStage {
 public:
  explicit FusedStripStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token, std::vector<std::string>& out) override {
    held_ += token;
    while (is_leading_ && taken_ < step_.start && held_.starts_with(step_.content)) {
      held_.erase(0, step_.content.size());
      ++taken_;
    }
    if (is_leading_ && taken_ < step_.start && step_.content.starts_with(held_)) return;
    is_leading_ = false;
    const size_t kept = trailing_size();
    if (held_.size() > kept) out.push_back(held_.substr(0, held_.size() - kept));
    held_.erase(0, held_.size() - kept);
  }
  void flush(std::vector<std::string>& out) override {
    for (uint32_t i = 0; i < step_.stop && held_.ends_with(step_.content); ++i) {
      held_.resize(held_.size() - step_.content.size());
    }
    if (!held_.empty()) out.push_back(std::move(held_));
    held_.clear();
  }

 private:
  // Bytes at the end that a flush would take off now.
  size_t trailing_size() const {
    std::string_view text = held_;
    for (uint32_t i = 0; i < step_.stop && text.ends_with(step_.content); ++i) {
      text.remove_suffix(step_.content.size());
    }
    return held_.size() - text.size();
  }

  DecoderStep step_;
  std::string held_;
  uint32_t taken_ = 0;
  bool is_leading_ = true;
};

class MetaspaceStage : public DecodeStage {
 public:
  explicit MetaspaceStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token, std::vector<std::string>& out) override {
    std::string text;
    for (size_t i = 0; i < token.size();) {
      if (token.substr(i).starts_with(step_.content)) {
        if (!(is_first_ && step_.strip_first)) text += ' ';
        i += step_.content.size();
      } else {
        text += token[i++];
      }
    }
    is_first_ = false;
    out.push_back(std::move(text));
  }
  void flush(std::vector<std::string>&) override {}

 private:
  DecoderStep step_;
  bool is_first_ = true;
};

// The suffix of a word becomes a space, but at the end nothing; holds back one token.
class BpeStage : public DecodeStage {
 public:
  explicit BpeStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token, std::vector<std::string>& out) override {
    if (has_held_) out.push_back(replaced(" "));
    held_ = token;
    has_held_ = true;
  }
  void flush(std::vector<std::string>& out) override {
    if (has_held_) out.push_back(replaced(""));
    has_held_ = false;
  }

 private:
  std::string replaced(std::string_view with) const {
    std::string text;
    size_t at = 0;
    for (const Range& match : Pattern::literal(step_.content).matches(held_)) {
      text += held_.substr(at, match.begin - at);
      text += with;
      at = match.end;
    }
    return text + held_.substr(at);
  }

  DecoderStep step_;
  std::string held_;
  bool has_held_ = false;
};

// Tokens without the prefix begin a word.
class WordPieceStage : public DecodeStage {
 public:
  explicit WordPieceStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token, std::vector<std::string>& out) override {
    std::string text;
    if (is_first_) {
      text = token;
    } else if (token.starts_with(step_.content)) {
      text = token.substr(step_.content.size());
    } else {
      text = ' ' + std::string(token);
    }
    is_first_ = false;
    if (step_.cleanup) clean(text);
    out.push_back(std::move(text));
  }
  void flush(std::vector<std::string>&) override {}

 private:
  static void clean(std::string& text) {
    static constexpr std::pair<std::string_view, std::string_view> kChanges[] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : kChanges) {
      for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
      }
    }
  }

  DecoderStep step_;
  bool is_first_ = true;
};

class PassStage : public DecodeStage {
 public:
  void push(std::string_view token, std::vector<std::string>& out) override {
    out.emplace_back(token);
  }
  void flush(std::vector<std::string>&) override {}
};

// is_fused: the tokens that come are pieces of one text.
std::unique_ptr<DecodeStage> make_stage(const DecoderStep& step, bool is_fused) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::kByteLevel:
      return std::make_unique<ByteLevelStage>();
    case Kind::kByteFallback:
      return std::make_unique<ByteFallbackStage>();
    case Kind::kStrip:
      if (is_fused) return std::make_unique<FusedStripStage>(step);
      return std::make_unique<StripStage>(step);
    case Kind::kReplace:
      if (is_fused) return std::make_unique<HeldReplaceStage>(step);
      return std::make_unique<ReplaceStage>(step);
    case Kind::kMetaspace:
      return std::make_unique<MetaspaceStage>(step);
    case Kind::kBpe:
      return std::make_unique<BpeStage>(step);
    case Kind::kWordPiece:
      return std::make_unique<WordPieceStage>(step);
    case Kind::kFuse:
      break;
  }
  return std::make_unique<PassStage>();
}

}  // namespace

DecodeStream::DecodeStream(const DecodeRules& rules) : join_with_space_(rules.join_with_space) {
  bool is_fused = false;
  for (const DecoderStep& step : rules.steps) {
    stages_.push_back(make_stage(step, is_fused));
    is_fused = is_fused || step.kind == DecoderStep::Kind::kFuse ||
               step.kind == DecoderStep::Kind::kByteLevel;
  }
}

void DecodeStream::run(size_t stage, std::vector<std::string> tokens, std::string& out) {
  for (; stage < stages_.size(); ++stage) {
    std::vector<std::string> next;
    for (const std::string& token : tokens) stages_[stage]->push(token, next);
    tokens = std::move(next);
  }
  for (const std::string& token : tokens) out += token;
}

void DecodeStream::push(std::string_view token, std::string& out) {
  if (join_with_space_ && !is_first_) out += ' ';
  is_first_ = false;
  run(0, {std::string(token)}, out);
}

void DecodeStream::flush(std::string& out) {
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    std::vector<std::string> left;
    stages_[stage]->flush(left);
    run(stage + 1, std::move(left), out);
  }
}

}  // namespace mortise::tokenizers
