// mortise/cpp/tokenizer_trainer.hpp: write a trainer of tokenizers as a class;
// tokenizer_trainer_table<T>() makes the C table. DRAFT as the interface.
//
// T derives from TokenizerTrainer and is made as T(Json config). See draft/tokenizer_trainer.h.
#ifndef MORTISE_CPP_TOKENIZER_TRAINER_HPP
#define MORTISE_CPP_TOKENIZER_TRAINER_HPP

#include <mortise/draft/tokenizer_trainer.h>
#include <mortise/cpp/arrow_read.hpp>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/view.hpp>

namespace mortise::sdk {

class TokenizerTrainer {
 public:
  virtual ~TokenizerTrainer() = default;
  // Counts texts, all of them valid UTF-8. [serial]
  virtual void add(const TextView& texts) = 0;
  // The text of tokenizer.json. [serial]
  virtual std::string finish() = 0;
};

namespace detail {

inline void check_texts(const TextView& texts) {
  for (int64_t row = 0; row < texts.size(); ++row) {
    const int64_t invalid = find_invalid_utf8(texts[row]);
    if (invalid < 0) continue;
    throw invalid_argument("Text " + std::to_string(row + 1) + " is not UTF-8 at byte " +
                           std::to_string(invalid) + ".")
        .at("", row + 1, invalid);
  }
}

}  // namespace detail

// The table of MORTISE_TOKENIZER_TRAINER over class T; lives as long as the process.
template <class T>
const mortise_tokenizer_trainer* tokenizer_trainer_table() {
  using Instance = mortise_tokenizer_trainer_instance;
  static const mortise_tokenizer_trainer table = [] {
    mortise_tokenizer_trainer t{};
    t.struct_size = sizeof(t);
    t.create = [](mortise_text config, Instance** out, mortise_error* error) {
      return guarded(error, [&] {
        const JsonDocument document = parse_config(view(config));
        TokenizerTrainer* made = new T(document.root());
        *out = reinterpret_cast<Instance*>(made);
      });
    };
    t.destroy = [](Instance* instance) { delete reinterpret_cast<TokenizerTrainer*>(instance); };
    t.add = [](Instance* instance, const ArrowArray* raw, mortise_error* error) {
      return guarded(error, [&] {
        const TextView texts(raw, "texts");
        detail::check_texts(texts);
        reinterpret_cast<TokenizerTrainer*>(instance)->add(texts);
      });
    };
    t.finish = [](Instance* instance, mortise_sink* out, mortise_error* error) {
      return guarded(
          error, [&] { write_sink(out, reinterpret_cast<TokenizerTrainer*>(instance)->finish()); });
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
