// mortise/cpp/tokenizer.hpp: write a tokenizer as a class over single texts.
//
// T derives from Tokenizer and is made as T(std::string_view uri, Json config). tokenizer_table.hpp
// makes the C table tokenizer_table<T>() and does batches, threads, UTF-8 and Arrow. See
// kind/tokenizer.h for what each call means. All const calls must be safe from any thread.
#ifndef MORTISE_CPP_TOKENIZER_HPP
#define MORTISE_CPP_TOKENIZER_HPP

#include <mortise/kind/tokenizer.h>
#include <mortise/cpp/utf8.hpp>
#include <mortise/cpp/view.hpp>

#include <memory>
#include <vector>

namespace mortise::sdk {

struct TokenizerFacts {
  uint32_t vocab_count = 0;  // highest id + 1
  int32_t bos_id = -1;
  int32_t eos_id = -1;
  int32_t unk_id = -1;
  int32_t pad_id = -1;
};

struct EncodeOptions {
  bool add_special = false;
  bool parse_special = false;
  bool wants_offsets = false;
  uint32_t length_tokens_max = 0;  // 0: no bound. The table cuts what encode gives beyond it.
};

struct DecodeOptions {
  bool skip_special = false;
};

// What encode adds to: ids, and begin and end in bytes of each when offsets are wanted.
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets;
};

// One stream of tokens. What push and flush give together equals decode of all ids.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Appends to *out the text that is now certain, whole characters only. [serial]
  virtual void push(int32_t id, std::string* out) = 0;
  // Appends what is left. [serial]
  virtual void flush(std::string* out) = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual TokenizerFacts describe() const = 0;
  // text: valid UTF-8. Appends to *out. [parallel]
  virtual void encode(std::string_view text, const EncodeOptions& options, Encoding* out) const = 0;
  // Appends the bytes of the text; what is not UTF-8 the table turns into U+FFFD. Throws
  // OUT_OF_RANGE for an unknown id. [parallel]
  virtual void decode(const int32_t* ids, size_t count, const DecodeOptions& options,
                      std::string* out) const = 0;
  // Appends the bytes that an id stands for; false for an unused id. id: 0 .. vocab_count - 1.
  // [parallel]
  virtual bool token_bytes(int32_t id, std::string* out) const = 0;
  // 64 hex digits over everything that decides the ids. [parallel]
  virtual std::string fingerprint() const = 0;
  // The default decodes each token alone and joins cut characters; override it where a token's text
  // depends on its neighbours. [parallel]
  virtual std::unique_ptr<Decoder> make_decoder(const DecodeOptions& options) const;
};

namespace detail {

class JoiningDecoder : public Decoder {
 public:
  JoiningDecoder(const Tokenizer* tokenizer, const DecodeOptions& options)
      : tokenizer_(tokenizer), options_(options) {}
  void push(int32_t id, std::string* out) override {
    std::string bytes;
    tokenizer_->decode(&id, 1, options_, &bytes);
    joined_.push(bytes, out);
  }
  void flush(std::string* out) override { joined_.flush(out); }

 private:
  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  Utf8Assembler joined_;
};

}  // namespace detail

inline std::unique_ptr<Decoder> Tokenizer::make_decoder(const DecodeOptions& options) const {
  return std::make_unique<detail::JoiningDecoder>(this, options);
}

}  // namespace mortise::sdk

#endif
