// mortise/cpp/tokenizer_table.hpp: tokenizer_table<T>() makes the C table over a Tokenizer class.
//
// Batches are cut over the host's threads; each text is checked to be UTF-8 before T sees it;
// output is repaired. Included by the one source of a pack that has MORTISE_PLUGIN.
#ifndef MORTISE_CPP_TOKENIZER_TABLE_HPP
#define MORTISE_CPP_TOKENIZER_TABLE_HPP

#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/tokenizer_batch.hpp>

namespace mortise::sdk {
namespace detail {

inline const Tokenizer& self(const mortise_tokenizer_instance* instance) {
  return *reinterpret_cast<const Tokenizer*>(instance);
}
inline Decoder& self(mortise_decoder* decoder) {
  return *reinterpret_cast<Decoder*>(decoder);
}

inline EncodeOptions read_options(const mortise_encode_options* from) {
  const auto raw = read_struct(from);
  check_flags(raw.flags,
              MORTISE_ENCODE_ADD_SPECIAL | MORTISE_ENCODE_PARSE_SPECIAL | MORTISE_ENCODE_OFFSETS,
              "mortise_encode_options");
  check_reserved(raw.reserved, "mortise_encode_options");
  return {(raw.flags & MORTISE_ENCODE_ADD_SPECIAL) != 0,
          (raw.flags & MORTISE_ENCODE_PARSE_SPECIAL) != 0,
          (raw.flags & MORTISE_ENCODE_OFFSETS) != 0, raw.length_tokens_max};
}

inline DecodeOptions read_options(const mortise_decode_options* from) {
  const auto raw = read_struct(from);
  check_flags(raw.flags, MORTISE_DECODE_SKIP_SPECIAL, "mortise_decode_options");
  check_reserved(raw.reserved, "mortise_decode_options");
  return {(raw.flags & MORTISE_DECODE_SKIP_SPECIAL) != 0};
}

inline mortise_tokenizer_facts raw_facts(const TokenizerFacts& facts) {
  mortise_tokenizer_facts raw{};
  raw.vocab_count = facts.vocab_count;
  raw.bos_id = facts.bos_id;
  raw.eos_id = facts.eos_id;
  raw.unk_id = facts.unk_id;
  raw.pad_id = facts.pad_id;
  return raw;
}

// The slots that do not depend on the class.
inline void fill_decoding(mortise_tokenizer* t) {
  using Instance = mortise_tokenizer_instance;
  t->decode_batch = [](const Instance* instance, const ArrowArray* ids,
                       const mortise_decode_options* options, ArrowArray* out, mortise_error* e) {
    return guarded(e,
                   [&] { decode_batch(self(instance), ids, read_options(options)).move_to(out); });
  };
  t->decoder_create = [](const Instance* instance, const mortise_decode_options* options,
                         mortise_decoder** out, mortise_error* error) {
    return guarded(error, [&] {
      auto made = self(instance).make_decoder(read_options(options));
      *out = reinterpret_cast<mortise_decoder*>(made.release());
    });
  };
  t->decoder_push = [](mortise_decoder* decoder, int32_t id, mortise_sink* out, mortise_error* e) {
    return guarded(e, [&] {
      std::string text;
      self(decoder).push(id, &text);
      write_sink(out, text);
    });
  };
  t->decoder_flush = [](mortise_decoder* decoder, mortise_sink* out, mortise_error* error) {
    return guarded(error, [&] {
      std::string text;
      self(decoder).flush(&text);
      write_sink(out, text);
    });
  };
  t->decoder_destroy = [](mortise_decoder* decoder) { delete reinterpret_cast<Decoder*>(decoder); };
}

}  // namespace detail

// The table of MORTISE_KIND_TOKENIZER over class T; lives as long as the process.
template <class T>
const mortise_tokenizer* tokenizer_table() {
  using Instance = mortise_tokenizer_instance;
  static const mortise_tokenizer table = [] {
    mortise_tokenizer t{};
    t.struct_size = sizeof(t);
    t.create = [](mortise_text uri, mortise_text config, Instance** out, mortise_error* error) {
      return guarded(error, [&] {
        const JsonDocument document = parse_config(view(config));
        Tokenizer* made = new T(view(uri), document.root());
        *out = reinterpret_cast<Instance*>(made);
      });
    };
    t.destroy = [](Instance* instance) { delete reinterpret_cast<Tokenizer*>(instance); };
    t.describe = [](const Instance* instance, mortise_tokenizer_facts* out, mortise_error* error) {
      return guarded(
          error, [&] { write_struct(out, detail::raw_facts(detail::self(instance).describe())); });
    };
    t.encode_batch = [](const Instance* instance, const ArrowArray* texts,
                        const mortise_encode_options* options, ArrowArray* out, mortise_error* e) {
      return guarded(e, [&] {
        detail::encode_batch(detail::self(instance), texts, detail::read_options(options))
            .move_to(out);
      });
    };
    t.vocab = [](const Instance* instance, ArrowArray* out, mortise_error* error) {
      return guarded(error, [&] { detail::vocab(detail::self(instance)).move_to(out); });
    };
    t.fingerprint = [](const Instance* instance, mortise_sink* out, mortise_error* error) {
      return guarded(error, [&] { write_sink(out, detail::self(instance).fingerprint()); });
    };
    detail::fill_decoding(&t);
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
