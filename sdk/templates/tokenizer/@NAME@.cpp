// @ID@: bytes as tokens, id = byte.
//
// The host calls it through mortise.tokenizer/1. Replace what is marked. An instance never changes
// after its constructor, so every call is safe from any thread.
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/tokenizer_table.hpp>

namespace {

using namespace mortise::sdk;

class @CLASS@ : public Tokenizer {
 public:
  // Replace: read the model's files, for instance File::open(uri).read_all(limit).
  @CLASS@(std::string_view /*uri*/, Json /*config*/) {}

  TokenizerFacts describe() const override {
    TokenizerFacts facts;
    facts.vocab_count = 256;
    return facts;
  }

  // Replace: text (valid UTF-8) to ids, with begin and end in bytes of each.
  void encode(std::string_view text, const EncodeOptions& /*options*/,
              Encoding* out) const override {
    for (size_t i = 0; i < text.size(); ++i) {
      out->ids.push_back(static_cast<uint8_t>(text[i]));
      out->offsets.push_back(static_cast<int64_t>(i));
      out->offsets.push_back(static_cast<int64_t>(i + 1));
    }
  }

  void decode(const int32_t* ids, size_t count, const DecodeOptions& /*options*/,
              std::string* out) const override {
    for (size_t i = 0; i < count; ++i) {
      if (ids[i] < 0 || ids[i] > 255) {
        throw out_of_range("Id " + std::to_string(ids[i]) + " is unknown; ids are 0 .. 255.");
      }
      token_bytes(ids[i], out);
    }
  }

  // Replace: the bytes that an id stands for.
  bool token_bytes(int32_t id, std::string* out) const override {
    out->push_back(static_cast<char>(id));
    return true;
  }

  // Replace: 64 hex digits over everything that decides the ids.
  std::string fingerprint() const override { return std::string(63, '0') + "1"; }
};

}  // namespace

MORTISE_PLUGIN("@ID@", {MORTISE_KIND_TOKENIZER, tokenizer_table<@CLASS@>()});
