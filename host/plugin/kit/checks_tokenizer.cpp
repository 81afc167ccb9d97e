// Tokenizers: ids and back, batches and single texts, offsets, streams of tokens, threads.
#include <algorithm>
#include <barrier>
#include <thread>

#include "base/utf8.h"
#include "plugin/error_box.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/kind_calls.h"
#include "plugin/kit/samples.h"
#include "plugin/tokenizer.h"
#include "plugin/tokenizer_trainer.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Json;
using base::Result;

namespace {

using Ids = std::vector<int32_t>;

std::string text_of_ids(const Ids& ids) {
  std::string text;
  for (const int32_t id : ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return "[" + text.substr(0, 200) + "]";
}

Result<Tokenizer> open_tokenizer(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string uri, tokenizer_uri(at, plugin));
  return Tokenizer::create(plugin, uri, at.config());
}

// Without what the post-processor adds, and without special tokens in the text.
EncodeOptions plain() {
  EncodeOptions options;
  options.parse_special = false;
  return options;
}

}  // namespace

Result<std::string> exercise_tokenizer(Case& at, const std::shared_ptr<Plugin>& plugin) {
  MORTISE_ASSIGN(const std::string uri, tokenizer_uri(at, plugin));
  MORTISE_ASSIGN(const Tokenizer tokenizer, Tokenizer::create(plugin, uri, at.config()));
  std::string out = tokenizer.fingerprint();
  EncodeOptions options = plain();
  options.with_offsets = true;
  MORTISE_ASSIGN(const auto encodings, tokenizer.encode_with_offsets(sample_texts(), options));
  std::vector<Ids> batch;
  for (const Encoding& encoding : encodings) {
    out += text_of_ids(encoding.ids) + std::to_string(encoding.offsets.size());
    batch.push_back(encoding.ids);
  }
  MORTISE_ASSIGN(const auto texts, tokenizer.decode_batch(batch));
  for (const std::string& text : texts) out += text;
  MORTISE_ASSIGN(Decoder decoder, tokenizer.decoder());
  for (const int32_t id : batch[2]) {
    MORTISE_ASSIGN(const std::string piece, decoder.push(id));
    out += piece;
  }
  MORTISE_ASSIGN(const std::string rest, decoder.flush());
  return out + rest;
}

namespace {

// Exact where every byte has an id of its own; otherwise a second round must change nothing.
Outcome round_trip(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto vocab, tokenizer.vocab());
  std::vector<bool> bytes(256);
  for (const auto& entry : vocab) {
    if (entry && entry->size() == 1) bytes[static_cast<unsigned char>((*entry)[0])] = true;
  }
  const bool is_exact = std::find(bytes.begin(), bytes.end(), false) == bytes.end() &&
                        !at.conformance()["normalizes"].as_bool();
  MORTISE_ASSIGN(const auto ids, tokenizer.encode_batch(sample_texts(), plain()));
  MORTISE_ASSIGN(const auto texts, tokenizer.decode_batch(ids));
  for (size_t i = 0; is_exact && i < texts.size(); ++i) {
    if (texts[i] == sample_texts()[i]) continue;
    return fail("Encoded and decoded, " + base::json_quote(sample_texts()[i]) + " is " +
                base::json_quote(texts[i]) + ".");
  }
  MORTISE_ASSIGN(const auto again, tokenizer.encode_batch(texts, plain()));
  MORTISE_ASSIGN(const auto twice, tokenizer.decode_batch(again));
  for (size_t i = 0; i < texts.size(); ++i) {
    if (twice[i] == texts[i]) continue;
    return fail("A second round of encode and decode changes " + base::json_quote(texts[i]) +
                " to " + base::json_quote(twice[i]) + ".");
  }
  return {};
}

Outcome batch_equals_single(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto batch, tokenizer.encode_batch(sample_texts(), plain()));
  MORTISE_ASSIGN(const auto decoded, tokenizer.decode_batch(batch));
  for (size_t i = 0; i < batch.size(); ++i) {
    MORTISE_ASSIGN(const Ids single, tokenizer.encode(sample_texts()[i], plain()));
    if (single != batch[i]) {
      return fail("Among others " + base::json_quote(sample_texts()[i]) + " is " +
                  text_of_ids(batch[i]) + ", alone " + text_of_ids(single) + ".");
    }
    MORTISE_ASSIGN(const std::string text, tokenizer.decode(single));
    if (text != decoded[i]) {
      return fail("Decoded alone, " + text_of_ids(single) + " is " + base::json_quote(text) + ".");
    }
  }
  return {};
}

Outcome stream_equals_batch(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto batch, tokenizer.encode_batch(sample_texts(), plain()));
  for (const Ids& ids : batch) {
    MORTISE_ASSIGN(const std::string expected, tokenizer.decode(ids));
    MORTISE_ASSIGN(Decoder decoder, tokenizer.decoder());
    std::string text;
    for (const int32_t id : ids) {
      MORTISE_ASSIGN(const std::string piece, decoder.push(id));
      if (base::utf8_error_offset(piece) != SIZE_MAX) {
        return fail("decoder_push gave a part of a character, " + base::json_quote(text) + " +.");
      }
      text += piece;
    }
    MORTISE_ASSIGN(const std::string rest, decoder.flush());
    text += rest;
    if (text != expected) {
      return fail("Token by token the ids " + text_of_ids(ids) + " are " + base::json_quote(text) +
                  ", at once " + base::json_quote(expected) + ".");
    }
  }
  return {};
}

Outcome offsets_lie_inside(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto plain_ids, tokenizer.encode_batch(sample_texts(), plain()));
  EncodeOptions options = plain();
  options.with_offsets = true;
  MORTISE_ASSIGN(const auto encodings, tokenizer.encode_with_offsets(sample_texts(), options));
  for (size_t i = 0; i < encodings.size(); ++i) {
    const Encoding& encoding = encodings[i];
    const auto size = static_cast<int64_t>(sample_texts()[i].size());
    const std::string where = " of " + base::json_quote(sample_texts()[i]);
    if (encoding.ids != plain_ids[i]) return fail("Asking for offsets changes the ids" + where);
    if (encoding.offsets.size() != encoding.ids.size()) {
      return fail("There are " + std::to_string(encoding.offsets.size()) + " offsets for " +
                  std::to_string(encoding.ids.size()) + " tokens" + where + ".");
    }
    int64_t previous = 0;
    for (const auto& [begin, end] : encoding.offsets) {
      if (begin < 0 || end < begin || end > size) {
        return fail("The offsets " + std::to_string(begin) + " .. " + std::to_string(end) +
                    " do not lie in the " + std::to_string(size) + " bytes" + where + ".");
      }
      if (begin < previous) return fail("The offsets go back" + where + ".");
      previous = begin;
    }
  }
  return {};
}

Outcome vocab_fits_the_facts(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  const TokenizerFacts& facts = tokenizer.facts();
  MORTISE_ASSIGN(const auto vocab, tokenizer.vocab());
  if (vocab.size() != facts.vocab_count) {
    return fail("vocab has " + std::to_string(vocab.size()) + " rows, vocab_count is " +
                std::to_string(facts.vocab_count) + ".");
  }
  for (const int32_t id : {facts.bos_id, facts.eos_id, facts.unk_id, facts.pad_id}) {
    if (id < -1 || id >= static_cast<int64_t>(facts.vocab_count)) {
      return fail("A special id is " + std::to_string(id) + ", outside of the vocabulary.");
    }
  }
  MORTISE_ASSIGN(const auto batch, tokenizer.encode_batch(sample_texts(), plain()));
  for (const Ids& ids : batch) {
    for (const int32_t id : ids) {
      if (id >= 0 && id < static_cast<int64_t>(vocab.size()) && vocab[static_cast<size_t>(id)]) {
        continue;
      }
      return fail("encode_batch gave the id " + std::to_string(id) +
                  ", which vocab does not have.");
    }
  }
  return {};
}

Outcome fingerprint_is_stable(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string uri, tokenizer_uri(at, plugin));
  MORTISE_ASSIGN(const Tokenizer one, Tokenizer::create(plugin, uri, at.config()));
  MORTISE_ASSIGN(const Tokenizer other, Tokenizer::create(plugin, uri, at.config()));
  const std::string& print = one.fingerprint();
  const bool is_hex = print.size() == 64 && std::all_of(print.begin(), print.end(), [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
  if (!is_hex)
    return fail("The fingerprint is " + base::json_quote(print) + ", not 64 hex digits.");
  if (print == other.fingerprint()) return {};
  return fail("Two instances of the same files have different fingerprints.");
}

Outcome threads_agree(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto expected, tokenizer.encode_batch(sample_texts(), plain()));
  constexpr int kThreads = 4;
  std::vector<std::string> problems(kThreads);
  std::vector<std::thread> threads;
  std::barrier start(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (int round = 0; round < 8; ++round) {
        const auto ids = tokenizer.encode_batch(sample_texts(), plain());
        std::string& problem = problems[static_cast<size_t>(i)];
        if (!ids.ok()) problem = ids.error().text();
        if (ids.ok() && *ids != expected) problem = "the ids are others than in one thread.";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) {
    if (!problem.empty()) return fail("Four threads on one instance: " + problem);
  }
  return {};
}

Outcome bad_text_is_refused(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  for (const std::string bad :
       {"ab\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    const std::vector<std::string> texts = {"good", bad};
    const auto ids = tokenizer.encode_batch(texts, plain());
    if (ids.ok()) return fail("encode_batch took text that is not UTF-8.");
    if (ids.error().code != Code::kInvalidArgument) {
      return fail(std::string("Text that is not UTF-8 is ") + code_name(ids.error().code) +
                  " instead of INVALID_ARGUMENT.");
    }
    if (ids.error().row != 2 || ids.error().byte_offset < 0) {
      return fail("The error about text that is not UTF-8 does not name row 2 and the byte, but: " +
                  ids.error().text());
    }
  }
  return {};
}

Outcome unknown_ids_are_refused(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  const auto count = static_cast<int32_t>(tokenizer.facts().vocab_count);
  for (const int32_t id : {count, -1, INT32_MAX, INT32_MIN}) {
    const auto text = tokenizer.decode({id});
    if (text.ok() || text.error().code != Code::kOutOfRange) {
      return fail("decode_batch answers the unknown id " + std::to_string(id) + " with " +
                  (text.ok() ? "OK" : code_name(text.error().code)) + " instead of OUT_OF_RANGE.");
    }
    MORTISE_ASSIGN(Decoder decoder, tokenizer.decoder());
    if (decoder.push(id).ok()) {
      return fail("decoder_push took the unknown id " + std::to_string(id) + ".");
    }
  }
  return {};
}

Outcome length_bound_is_kept(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto whole, tokenizer.encode_batch(sample_texts(), plain()));
  EncodeOptions options = plain();
  options.length_tokens_max = 3;
  MORTISE_ASSIGN(const auto cut, tokenizer.encode_batch(sample_texts(), options));
  for (size_t i = 0; i < whole.size(); ++i) {
    const size_t size = std::min<size_t>(3, whole[i].size());
    if (cut[i] == Ids(whole[i].begin(), whole[i].begin() + static_cast<std::ptrdiff_t>(size))) {
      continue;
    }
    return fail("At most 3 tokens of " + text_of_ids(whole[i]) + " are " + text_of_ids(cut[i]) +
                ", not its first ones.");
  }
  return {};
}

Outcome nothing_is_fine(Case& at) {
  MORTISE_ASSIGN(const Tokenizer tokenizer, open_tokenizer(at));
  MORTISE_ASSIGN(const auto none, tokenizer.encode_batch({}, plain()));
  MORTISE_ASSIGN(const auto no_texts, tokenizer.decode_batch({}));
  if (!none.empty() || !no_texts.empty()) return fail("A batch of nothing gave something.");
  MORTISE_ASSIGN(const Ids ids, tokenizer.encode("", plain()));
  if (!ids.empty()) return fail("The empty text has the tokens " + text_of_ids(ids) + ".");
  MORTISE_ASSIGN(const std::string text, tokenizer.decode({}));
  if (!text.empty()) return fail("No ids decode to " + base::json_quote(text) + ".");
  return {};
}

Outcome missing_file_is_not_found(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  if (at.conformance()["uri"].as_string().empty()) return skip("The tokenizer needs no file.");
  const auto made = Tokenizer::create(plugin, "no_such/tokenizer.json", at.config());
  if (!made.ok() && made.error().code == Code::kNotFound) return {};
  return fail("A file that does not exist is answered with " +
              std::string(made.ok() ? "OK" : made.error().text()) + " instead of NOT_FOUND.");
}

Outcome hostile_files_are_survived(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  const std::string uri = at.conformance()["uri"].as_string();
  std::string whole;
  for (const SampleFile& file : at.samples()) {
    if (file.name == uri) whole = file.text;
  }
  if (whole.empty()) return skip("The tokenizer needs no file.");
  Dice dice = at.dice(5);
  for (int round = 0; round < 120; ++round) {
    std::string bytes = whole.substr(0, round % 3 == 0 ? dice.below(whole.size()) : whole.size());
    const uint64_t changes = round % 3 == 0 ? 0 : 1 + dice.below(6);
    for (uint64_t i = 0; i < changes; ++i) {
      bytes[dice.below(bytes.size())] = static_cast<char>(dice.next());
    }
    MORTISE_TRY(at.put("hostile.json", bytes));
    const auto made = Tokenizer::create(plugin, "hostile.json", at.config());
    if (!made.ok() && made.error().code == Code::kInternal) return made.error();
    if (made.ok()) (void)made->encode_batch(sample_texts());
  }
  return {};
}

Outcome training_ignores_order(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  Json config = at.conformance()["trainer_config"];
  if (config.is_null()) config = Json::object({{"vocab_size", 300}});
  MORTISE_ASSIGN(auto one, TokenizerTrainer::create(plugin, config));
  MORTISE_TRY(one.add(sample_texts()));
  MORTISE_ASSIGN(const std::string expected, one.finish());
  MORTISE_ASSIGN(auto other, TokenizerTrainer::create(plugin, config));
  std::vector<std::string> texts = sample_texts();
  std::reverse(texts.begin(), texts.end());
  for (const std::string& text : texts) MORTISE_TRY(other.add(std::span(&text, 1)));
  MORTISE_ASSIGN(const std::string got, other.finish());
  if (got != expected) return fail("The same texts in another order train another tokenizer.");
  MORTISE_ASSIGN(const std::string again, other.finish());
  if (again != expected) return fail("A second finish gives another tokenizer.");
  return {};
}

constexpr const char* kTokenizerKind = "tokenizer";
constexpr const char* kTrainer = MORTISE_TOKENIZER_TRAINER;
constexpr Check kTokenizerChecks[] = {
    {"tokenizer.round_trip", "Encoded and decoded text is the text, or stays the same from then.",
     kTokenizerKind, "", Needs::kPlugin, round_trip},
    {"tokenizer.batch_equals_single", "A text has the same ids alone and in a batch.",
     kTokenizerKind, "", Needs::kPlugin, batch_equals_single},
    {"tokenizer.stream_equals_batch", "Token by token the same text comes, in whole characters.",
     kTokenizerKind, "", Needs::kPlugin, stream_equals_batch},
    {"tokenizer.offsets_lie_inside", "There are two offsets a token, inside the text, in order.",
     kTokenizerKind, "", Needs::kPlugin, offsets_lie_inside},
    {"tokenizer.vocab_fits_the_facts", "vocab has vocab_count rows, and every id given is in it.",
     kTokenizerKind, "", Needs::kPlugin, vocab_fits_the_facts},
    {"tokenizer.fingerprint_is_stable", "The fingerprint is 64 hex digits and always the same.",
     kTokenizerKind, "", Needs::kPlugin, fingerprint_is_stable},
    {"tokenizer.threads_agree", "Four threads encode on one instance as one does.", kTokenizerKind,
     "", Needs::kPlugin, threads_agree},
    {"tokenizer.bad_text_is_refused", "Text that is not UTF-8 is refused with row and byte.",
     kTokenizerKind, "", Needs::kPlugin, bad_text_is_refused},
    {"tokenizer.unknown_ids_are_refused", "An id outside of the vocabulary is OUT_OF_RANGE.",
     kTokenizerKind, "", Needs::kPlugin, unknown_ids_are_refused},
    {"tokenizer.length_bound_is_kept", "A bound cuts a text's ids at the right.", kTokenizerKind,
     "", Needs::kPlugin, length_bound_is_kept},
    {"tokenizer.nothing_is_fine", "No texts, the empty text and no ids are fine.", kTokenizerKind,
     "", Needs::kPlugin, nothing_is_fine},
    {"tokenizer.missing_file_is_not_found", "A file that does not exist is NOT_FOUND.",
     kTokenizerKind, "", Needs::kPlugin, missing_file_is_not_found},
    {"tokenizer.hostile_files_are_survived", "Cut and changed files do no harm.", kTokenizerKind,
     "", Needs::kPlugin, hostile_files_are_survived},
    {"tokenizer.training_ignores_order", "Training depends on the texts, not on their order.",
     kTokenizerKind, kTrainer, Needs::kPlugin, training_ignores_order},
};

}  // namespace

std::span<const Check> tokenizer_checks() {
  return kTokenizerChecks;
}

}  // namespace mortise::plugin::kit
