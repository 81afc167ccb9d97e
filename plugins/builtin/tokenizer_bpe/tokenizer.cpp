// The order of work is that of the tokenizers library: added tokens that are not normalised, then
// the normaliser, then the normalised ones, then words, then the model.
#include "tokenizer.h"

#include <mortise/cpp/status.hpp>

#include <algorithm>

namespace mortise::tokenizer_bpe {
namespace {

constexpr size_t kCachedWordsMax = 1 << 16;
constexpr size_t kCachedWordBytesMax = 64;

}  // namespace

const std::vector<Token>* WordCache::find(std::string_view word) const {
  const auto entry = words_.find(word);
  return entry == words_.end() ? nullptr : &entry->second;
}

void WordCache::add(std::string_view word, const Token* tokens, size_t count) {
  if (word.size() > kCachedWordBytesMax || words_.size() >= kCachedWordsMax) return;
  words_.emplace(std::string(word), std::vector<Token>(tokens, tokens + count));
}

// What one call to encode carries along.
struct Tokenizer::Work {
  const EncodeOptions& options;
  WordCache& cache;
  Encoding& out;
  std::vector<Token> tokens;
};

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {
  id_count_ = parts_.model.id_count();
  for (size_t i = 0; i < parts_.added.size(); ++i) {
    const AddedToken& token = parts_.added[i];
    const std::string* taken = parts_.model.token(token.id);
    const int32_t known = parts_.model.find(token.content);
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
}

void Tokenizer::add_token(int32_t id, Range original, Work& work) const {
  work.out.ids.push_back(id);
  if (!work.options.offsets) return;
  work.out.offsets.push_back(static_cast<int64_t>(original.begin));
  work.out.offsets.push_back(static_cast<int64_t>(original.end));
}

void Tokenizer::encode_words(AlignedText& text, Work& work) const {
  for (const Range& word : parts_.pre_tokenizer.apply(text)) {
    const std::string_view bytes = text.bytes(word);
    const std::vector<Token>* tokens = work.cache.find(bytes);
    if (tokens == nullptr) {
      work.tokens.clear();
      parts_.model.encode(bytes, work.tokens);
      work.cache.add(bytes, work.tokens.data(), work.tokens.size());
      tokens = &work.tokens;
    }
    for (const Token& token : *tokens) {
      const Range range{word.begin + token.begin, word.begin + token.end};
      add_token(token.id, work.options.offsets ? text.original(range) : range, work);
    }
  }
}

void Tokenizer::encode_piece(std::string_view piece, size_t base, Work& work) const {
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
      add_token(part.id, text.original(part.range), work);
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
  Work work{options, cache, out, {}};
  for (const Piece& piece : raw_added_.split(text, options.parse_special)) {
    if (piece.id >= 0) {
      add_token(piece.id, piece.range, work);
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
  return parts_.model.token(id);
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
  if (parts_.model.rules().byte_level) {
    std::string bytes;
    if (bytes_of_token(*spelled, bytes)) out = std::move(bytes);
    return true;
  }
  const int32_t byte = parts_.model.rules().byte_fallback ? byte_named_by(*spelled) : -1;
  if (byte >= 0) {
    out = std::string(1, static_cast<char>(byte));
    return true;
  }
  const Pattern mark = Pattern::literal("\xE2\x96\x81");
  out.clear();
  size_t at = 0;
  for (const Range& match : mark.matches(*spelled)) {
    out += spelled->substr(at, match.begin - at);
    out += ' ';
    at = match.end;
  }
  out += spelled->substr(at);
  return true;
}

}  // namespace mortise::tokenizer_bpe
