// See tokenizer.h.
#include "plugin/tokenizer.h"

#include "plugin/arrow_rows.h"
#include "plugin/error_box.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;

Column list_of(std::string name, std::string format) {
  return {std::move(name), "+l", false, {{"item", std::move(format), false, {}, ""}}, ""};
}

// What encode_batch gives.
const Column& encoding_column() {
  static const Column column = {
      "", "+s", false, {list_of("ids", "i"), list_of("offsets", "l")}, ""};
  return column;
}

mortise_decode_options decode_options(bool skip_special) {
  mortise_decode_options options{};
  options.struct_size = sizeof options;
  options.flags = skip_special ? MORTISE_DECODE_SKIP_SPECIAL : 0;
  return options;
}

}  // namespace

struct Tokenizer::State {
  std::shared_ptr<Plugin> plugin;
  const mortise_tokenizer* table = nullptr;
  mortise_tokenizer_instance* instance = nullptr;
  TokenizerFacts facts;
  std::string fingerprint;

  ~State() {
    if (instance != nullptr) table->destroy(instance);
  }
  Error broken(const std::string& text) const {
    return Error(Code::kInternal, "The tokenizer " + plugin->label() + " " + text,
                 "Report this to its vendor.");
  }
};

Result<Tokenizer> Tokenizer::create(std::shared_ptr<Plugin> plugin, std::string_view uri,
                                    const base::Json& config) {
  auto state = std::make_shared<State>();
  MORTISE_ASSIGN(state->table, plugin->get_interface<mortise_tokenizer>(MORTISE_KIND_TOKENIZER));
  state->plugin = std::move(plugin);
  const std::string text = config.is_null() ? "{}" : config.dump();
  const InputNote note(uri);
  ErrorBox error;
  MORTISE_TRY(error.check(
      state->table->create(text_of(uri), text_of(text), &state->instance, error.get())));
  if (state->instance == nullptr) return state->broken("made no instance and said OK.");
  mortise_tokenizer_facts facts{};
  facts.struct_size = sizeof facts;
  facts.bos_id = facts.eos_id = facts.unk_id = facts.pad_id = -1;
  MORTISE_TRY(error.check(state->table->describe(state->instance, &facts, error.get())));
  state->facts = {facts.vocab_count, facts.bos_id, facts.eos_id, facts.unk_id, facts.pad_id};
  SinkBox print(4096);
  MORTISE_TRY(error.check(state->table->fingerprint(state->instance, print.get(), error.get())));
  state->fingerprint = print.take();
  if (state->fingerprint.size() != 64) {
    return state->broken("gave a fingerprint of " + std::to_string(state->fingerprint.size()) +
                         " characters instead of 64.");
  }
  return Tokenizer(std::move(state));
}

const TokenizerFacts& Tokenizer::facts() const {
  return state_->facts;
}
const std::string& Tokenizer::fingerprint() const {
  return state_->fingerprint;
}

Result<std::vector<Encoding>> Tokenizer::encode_with_offsets(std::span<const std::string> texts,
                                                             EncodeOptions options) const {
  mortise_encode_options plain{};
  plain.struct_size = sizeof plain;
  plain.flags = (options.add_special ? MORTISE_ENCODE_ADD_SPECIAL : 0) |
                (options.parse_special ? MORTISE_ENCODE_PARSE_SPECIAL : 0) |
                (options.with_offsets ? MORTISE_ENCODE_OFFSETS : 0);
  plain.length_tokens_max = options.length_tokens_max;
  const OwnedArray input = make_texts(texts);
  const InputNote note(std::to_string(texts.size()) + " texts");
  OwnedArray out;
  ErrorBox error;
  MORTISE_TRY(error.check(
      state_->table->encode_batch(state_->instance, input.get(), &plain, out.out(), error.get())));
  MORTISE_TRY(check_array(encoding_column(), *out.get()));
  if (out->length != static_cast<int64_t>(texts.size())) {
    return state_->broken("encoded " + std::to_string(texts.size()) + " texts into " +
                          std::to_string(out->length) + " rows.");
  }
  std::vector<Encoding> encodings(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const int64_t row = out->offset + static_cast<int64_t>(i);
    encodings[i].ids = int32_list_at(*out->children[0], row);
    if (!options.with_offsets) continue;
    const base::Json pairs = row_of(encoding_column().children[1], *out->children[1], row);
    if (pairs.size() != 2 * encodings[i].ids.size()) {
      return state_->broken("gave " + std::to_string(pairs.size()) + " offsets for " +
                            std::to_string(encodings[i].ids.size()) + " tokens.");
    }
    for (size_t k = 0; k + 1 < pairs.size(); k += 2) {
      encodings[i].offsets.emplace_back(pairs.at(k).as_int(), pairs.at(k + 1).as_int());
    }
  }
  return encodings;
}

Result<std::vector<std::vector<int32_t>>> Tokenizer::encode_batch(
    std::span<const std::string> texts, const EncodeOptions& options) const {
  EncodeOptions plain = options;
  plain.with_offsets = false;
  MORTISE_ASSIGN(std::vector<Encoding> encodings, encode_with_offsets(texts, plain));
  std::vector<std::vector<int32_t>> ids;
  ids.reserve(encodings.size());
  for (Encoding& encoding : encodings) ids.push_back(std::move(encoding.ids));
  return ids;
}

Result<std::vector<int32_t>> Tokenizer::encode(const std::string& text,
                                               const EncodeOptions& options) const {
  MORTISE_ASSIGN(auto all, encode_batch(std::span(&text, 1), options));
  return std::move(all.front());
}

Result<std::vector<std::string>> Tokenizer::decode_batch(std::span<const std::vector<int32_t>> ids,
                                                         bool skip_special) const {
  const mortise_decode_options options = decode_options(skip_special);
  const OwnedArray input = make_id_lists(ids);
  const InputNote note(std::to_string(ids.size()) + " lists of ids");
  OwnedArray out;
  ErrorBox error;
  MORTISE_TRY(error.check(state_->table->decode_batch(state_->instance, input.get(), &options,
                                                      out.out(), error.get())));
  const Column column = {"text", "u", false, {}, ""};
  MORTISE_TRY(check_array(column, *out.get()));
  if (out->length != static_cast<int64_t>(ids.size())) {
    return state_->broken("decoded " + std::to_string(ids.size()) + " lists into " +
                          std::to_string(out->length) + " rows.");
  }
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (int64_t i = 0; i < out->length; ++i) texts.emplace_back(text_at(column, *out.get(), i));
  return texts;
}

Result<std::string> Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  MORTISE_ASSIGN(auto all, decode_batch(std::span(&ids, 1), skip_special));
  return std::move(all.front());
}

Result<std::vector<std::optional<std::string>>> Tokenizer::vocab() const {
  OwnedArray out;
  ErrorBox error;
  MORTISE_TRY(error.check(state_->table->vocab(state_->instance, out.out(), error.get())));
  const Column column = {"bytes", "z", true, {}, ""};
  MORTISE_TRY(check_array(column, *out.get()));
  if (out->length != int64_t{state_->facts.vocab_count}) {
    return state_->broken("gave a vocabulary of " + std::to_string(out->length) +
                          " rows and says that it has " +
                          std::to_string(state_->facts.vocab_count) + ".");
  }
  std::vector<std::optional<std::string>> words(static_cast<size_t>(out->length));
  for (int64_t i = 0; i < out->length; ++i) {
    if (!is_null_at(*out.get(), i)) {
      words[static_cast<size_t>(i)] = std::string(text_at(column, *out.get(), i));
    }
  }
  return words;
}

Result<Decoder> Tokenizer::decoder(bool skip_special) const {
  const mortise_decode_options options = decode_options(skip_special);
  Decoder decoder;
  decoder.owner_ = state_;
  ErrorBox error;
  MORTISE_TRY(error.check(
      state_->table->decoder_create(state_->instance, &options, &decoder.decoder_, error.get())));
  if (decoder.decoder_ == nullptr) return state_->broken("made no decoder and said OK.");
  return decoder;
}

Result<std::string> Decoder::push(int32_t id) {
  SinkBox text(1u << 20);
  ErrorBox error;
  MORTISE_TRY(error.check(owner_->table->decoder_push(decoder_, id, text.get(), error.get())));
  return text.take();
}

Result<std::string> Decoder::flush() {
  SinkBox text(1u << 20);
  ErrorBox error;
  MORTISE_TRY(error.check(owner_->table->decoder_flush(decoder_, text.get(), error.get())));
  return text.take();
}

Decoder::Decoder(Decoder&& other) noexcept
    : owner_(std::move(other.owner_)), decoder_(std::exchange(other.decoder_, nullptr)) {}

Decoder& Decoder::operator=(Decoder&& other) noexcept {
  if (this == &other) return *this;
  end();
  owner_ = std::move(other.owner_);
  decoder_ = std::exchange(other.decoder_, nullptr);
  return *this;
}

Decoder::~Decoder() {
  end();
}

void Decoder::end() {
  if (decoder_ != nullptr) owner_->table->decoder_destroy(std::exchange(decoder_, nullptr));
}

}  // namespace mortise::plugin
