// The order of work is that of the tokenizers library: added tokens that are not normalised, then
// the normaliser, then the normalised ones, then words, then the model.
#include "tokenizer.h"

#include <mortise/cpp/status.hpp>

#include <algorithm>
#include <array>

namespace mortise::tokenizers {
// What one call to encode carries along. Words are ranges of the text as it is now: `moved` where
// that is no longer the original, else the original from `base` on.
struct Tokenizer::Work {
  const EncodeOptions& options;
  WordCache& cache;
  Encoding& out;
  std::vector<Token> tokens;
  const AlignedText* moved = nullptr;
  size_t base = 0;

  void add(int32_t id, Range original) {
    out.ids.push_back(id);
    if (!options.offsets) return;
    out.offsets.push_back(static_cast<int64_t>(original.begin));
    out.offsets.push_back(static_cast<int64_t>(original.end));
  }
  void add_in_word(int32_t id, size_t begin, size_t end) {
    if (!options.offsets) {
      out.ids.push_back(id);
    } else {
      add(id, moved ? moved->original({begin, end}) : Range{base + begin, base + end});
    }
  }
};

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {
  const Vocabulary& vocabulary = parts_.model->vocabulary();
  id_count_ = vocabulary.id_count();
  for (size_t i = 0; i < parts_.added.size(); ++i) {
    const AddedToken& token = parts_.added[i];
    const std::string* taken = vocabulary.token(token.id);
    const int32_t known = vocabulary.find(token.content);
    if ((taken != nullptr && *taken != token.content) || (known >= 0 && known != token.id)) {
      throw sdk::invalid_argument("The added token \"" + token.content + "\" has the id " +
                                  std::to_string(token.id) + ", but in the vocabulary " +
                                  (known >= 0 ? "it has the id " + std::to_string(known)
                                              : "that id is \"" + *taken + "\"") +
                                  ".");
    }
    if (!added_by_id_.emplace(token.id, i).second) {
      throw sdk::invalid_argument("Two added tokens have the id " + std::to_string(token.id) + ".");
    }
    id_count_ = std::max(id_count_, token.id + 1);
    if (token.normalized) {
      AlignedText spelling(token.content, 0, false);
      parts_.normalizer.apply(spelling);
      normalized_added_.add(token, std::string(spelling.bytes()));
    } else {
      raw_added_.add(token, token.content);
    }
  }
  raw_added_.seal();
  normalized_added_.seal();
}

// place.entry is nullptr for a word that is too long for the cache.
void Tokenizer::encode_word(std::string_view text, Range range, const WordCache::Place& place,
                            Work& work) const {
  const size_t begin = range.begin;
  if (place.entry != nullptr && place.is_hit()) {
    const WordCache::Entry& entry = *place.entry;
    size_t at = begin;
    for (size_t i = 0; i < entry.token_count; ++i) {
      const size_t end = begin + entry.ends[i];
      work.add_in_word(entry.ids[i], at, end);
      at = end;
    }
    return;
  }
  const std::string_view word = text.substr(begin, range.end - begin);
  work.tokens.clear();
  parts_.model->encode(word, work.tokens);
  if (place.entry != nullptr) WordCache::keep(place, work.tokens.data(), work.tokens.size());
  for (const Token& token : work.tokens) {
    work.add_in_word(token.id, begin + token.begin, begin + token.end);
  }
}

// Some words are looked up together, so that the waits for memory overlap.
template <class NextWord>
void Tokenizer::encode_ranges(std::string_view text, Work& work, NextWord&& next_word) const {
  constexpr size_t kTogether = 16;
  std::array<Range, kTogether> words;
  std::array<WordCache::Place, kTogether> places;
  size_t count = 0;
  do {
    for (count = 0; count < kTogether && next_word(&words[count]); ++count) {
      const auto [begin, end] = words[count];
      places[count] =
          end - begin > WordCache::kWordBytesMax
              ? WordCache::Place{}
              : work.cache.place_of(text.substr(begin, end - begin), text.size() - begin);
    }
    for (size_t i = 0; i < count; ++i) encode_word(text, words[i], places[i], work);
  } while (count == kTogether);
}

void Tokenizer::encode_words(AlignedText& text, Work& work) const {
  const std::vector<Range> words = parts_.pre_tokenizer.apply(text);
  work.moved = &text;
  size_t next = 0;
  encode_ranges(text.bytes(), work, [&](Range* word) {
    if (next == words.size()) return false;
    *word = words[next++];
    return true;
  });
  work.moved = nullptr;
}

// Most texts are in normal form already and cut by one scanner, so nothing needs a copy.
bool Tokenizer::encode_in_place(std::string_view piece, size_t base, Work& work) const {
  const Scanner scanner = parts_.pre_tokenizer.scanner();
  if (scanner == nullptr || !normalized_added_.empty() || parts_.normalizer.may_change(piece)) {
    return false;
  }
  work.base = base;
  size_t at = 0;
  encode_ranges(piece, work, [&](Range* word) {
    if (at == piece.size()) return false;
    *word = {at, scanner(piece, at)};
    at = word->end;
    return true;
  });
  return true;
}

void Tokenizer::encode_piece(std::string_view piece, size_t base, Work& work) const {
  if (encode_in_place(piece, base, work)) return;
  AlignedText text(piece, base, work.options.offsets);
  parts_.normalizer.apply(text);
  const std::vector<Piece> pieces =
      normalized_added_.split(text.bytes(), work.options.parse_special);
  if (pieces.size() == 1 && pieces[0].id < 0) {
    encode_words(text, work);
    return;
  }
  for (const Piece& part : pieces) {
    if (part.id >= 0) {
      work.add(part.id, text.original(part.range));
      continue;
    }
    Edit cut(text);
    cut.keep(part.range);
    AlignedText words = cut.take();
    encode_words(words, work);
  }
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options,
                           WordCache& cache) const {
  Encoding out;
  Work work{options, cache, out, {}, nullptr, 0};
  out.ids.reserve(text.size() / 3 + 8);
  for (const Piece& piece : raw_added_.split(text, options.parse_special)) {
    if (piece.id >= 0) {
      work.add(piece.id, piece.range);
    } else {
      encode_piece(text.substr(piece.range.begin, piece.range.end - piece.range.begin),
                   piece.range.begin, work);
    }
  }
  const size_t limit = options.length_tokens_max;
  const size_t added = options.add_special ? parts_.front_ids.size() + parts_.back_ids.size() : 0;
  if (limit != 0 && out.ids.size() + added > limit) {
    out.ids.resize(limit > added ? std::min(out.ids.size(), limit - added) : 0);
  }
  if (options.offsets) out.offsets.resize(out.ids.size() * 2);
  if (options.add_special) {
    out.ids.insert(out.ids.begin(), parts_.front_ids.begin(), parts_.front_ids.end());
    out.ids.insert(out.ids.end(), parts_.back_ids.begin(), parts_.back_ids.end());
    if (options.offsets) {
      const auto end = static_cast<int64_t>(text.size());
      out.offsets.insert(out.offsets.begin(), parts_.front_ids.size() * 2, 0);
      out.offsets.insert(out.offsets.end(), parts_.back_ids.size() * 2, end);
    }
    if (limit != 0 && out.ids.size() > limit) {
      out.ids.resize(limit);
      if (options.offsets) out.offsets.resize(limit * 2);
    }
  }
  return out;
}

const std::string* Tokenizer::token(int32_t id) const {
  const auto added = added_by_id_.find(id);
  if (added != added_by_id_.end()) return &parts_.added[added->second].content;
  return parts_.model->vocabulary().token(id);
}

const std::string& Tokenizer::known_token(int32_t id) const {
  const std::string* spelled = token(id);
  if (spelled != nullptr) return *spelled;
  throw sdk::out_of_range("The id " + std::to_string(id) +
                          " is not in the vocabulary; ids lie in 0 .. " +
                          std::to_string(id_count_ - 1) + ".");
}

bool Tokenizer::is_special(int32_t id) const {
  const auto added = added_by_id_.find(id);
  return added != added_by_id_.end() && parts_.added[added->second].special;
}

std::string Tokenizer::decode(const int32_t* ids, size_t count, bool skip_special) const {
  DecodeStream stream(parts_.decoder);
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    const std::string& spelled = known_token(ids[i]);
    if (skip_special && is_special(ids[i])) continue;
    stream.push(spelled, out);
  }
  stream.flush(out);
  return out;
}

bool Tokenizer::token_bytes(int32_t id, std::string& out) const {
  const std::string* spelled = token(id);
  if (spelled == nullptr) return false;
  out = *spelled;
  if (added_by_id_.contains(id)) return true;
  out = parts_.model->bytes_of(id);
  return true;
}

}  // namespace mortise::tokenizers
