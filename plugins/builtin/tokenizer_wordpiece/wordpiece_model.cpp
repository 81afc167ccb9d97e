// Tokens are whole characters, so the longest match of bytes is the longest match of characters.
#include "wordpiece_model.h"

#include <mortise/cpp/status.hpp>

namespace mortise::tokenizer_wordpiece {

using tokenizers::Token;
using tokenizers::Trie;
using tokenizers::Vocabulary;

namespace {

// Changes when the algorithm changes the ids that it gives for some file.
constexpr std::string_view kAlgorithm = "mortise.tokenizer_wordpiece/1\n";

int64_t character_count(std::string_view text) {
  int64_t count = 0;
  for (const char byte : text) count += (static_cast<uint8_t>(byte) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

WordPieceModel::WordPieceModel(Rules rules, Vocabulary vocabulary)
    : rules_(std::move(rules)), vocabulary_(std::move(vocabulary)) {
  unk_id_ = vocabulary_.find(rules_.unk_token);
  if (unk_id_ < 0) {
    throw sdk::invalid_argument("/model/unk_token is \"" + rules_.unk_token +
                                "\", which is not in the vocabulary.");
  }
  std::vector<std::pair<std::string, int32_t>> first, next;
  for (int32_t id = 0; id < vocabulary_.id_count(); ++id) {
    const std::string* token = vocabulary_.token(id);
    if (token == nullptr || token->empty()) continue;
    first.emplace_back(*token, id);
    const size_t prefix = rules_.prefix.size();
    if (token->size() > prefix && token->starts_with(rules_.prefix)) {
      next.emplace_back(token->substr(prefix), id);
    }
  }
  first_ = Trie(std::move(first));
  next_ = Trie(std::move(next));
}

void WordPieceModel::encode(std::string_view word, std::vector<Token>& out) const {
  const size_t begin = out.size();
  const Token unknown{unk_id_, 0, static_cast<uint32_t>(word.size())};
  if (character_count(word) > rules_.word_characters_max) {
    out.push_back(unknown);
    return;
  }
  for (size_t at = 0; at < word.size();) {
    const Trie::Match match = (at == 0 ? first_ : next_).longest(word.substr(at));
    if (match.value < 0) {
      out.resize(begin);
      out.push_back(unknown);
      return;
    }
    const size_t end = at + match.size_bytes;
    out.push_back({match.value, static_cast<uint32_t>(at), static_cast<uint32_t>(end)});
    at = end;
  }
}

std::string WordPieceModel::bytes_of(int32_t id) const {
  const std::string& token = *vocabulary_.token(id);
  return token.starts_with(rules_.prefix) ? token.substr(rules_.prefix.size()) : token;
}

std::string WordPieceModel::identity() const {
  std::string all(kAlgorithm);
  all += rules_.unk_token + '\n' + rules_.prefix + '\n' +
         std::to_string(rules_.word_characters_max) + '\n';
  for (int32_t id = 0; id < vocabulary_.id_count(); ++id) {
    const std::string* token = vocabulary_.token(id);
    if (token != nullptr) all += std::to_string(id) + ":" + *token + '\n';
  }
  return all;
}

std::shared_ptr<const tokenizers::Model> read_wordpiece_model(sdk::Json section,
                                                              bool is_byte_level) {
  const std::string_view type = section.get("type", "WordPiece");
  if (type != "WordPiece" || is_byte_level) {
    throw sdk::unimplemented("The model is \"" + std::string(type) +
                             (is_byte_level ? "\" over bytes" : "\"") +
                             "; mortise.tokenizer_wordpiece does WordPiece over characters alone.")
        .at("", -1, -1, "/model/type")
        .with_hint(
            "BPE is done by mortise.tokenizer_bpe, Unigram by mortise.tokenizer_sentencepiece.");
  }
  WordPieceModel::Rules rules;
  rules.unk_token = section.get("unk_token", rules.unk_token.c_str());
  rules.prefix = section.get("continuing_subword_prefix", rules.prefix.c_str());
  rules.word_characters_max = section.get("max_input_chars_per_word", rules.word_characters_max);
  Vocabulary vocabulary;
  section["vocab"].for_each_member([&](std::string_view token, sdk::Json id) {
    vocabulary.add(std::string(token), id.as_integer());
  });
  return std::make_shared<WordPieceModel>(std::move(rules), std::move(vocabulary));
}

}  // namespace mortise::tokenizer_wordpiece
