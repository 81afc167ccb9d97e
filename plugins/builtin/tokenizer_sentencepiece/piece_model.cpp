// The vocabulary, and from pieces to tokens: unknown ones become bytes or one unknown token.
#include "piece_model.h"

#include <mortise/cpp/status.hpp>

#include <algorithm>
#include <cfloat>

#include "tokenizers/byte_names.h"
#include "tokenizers/unicode.h"

namespace mortise::tokenizer_sentencepiece {

using tokenizers::Token;

namespace {

// Changes when the algorithm changes the ids that it gives for some file.
constexpr std::string_view kAlgorithm = "mortise.tokenizer_sentencepiece/1\n";
constexpr float kUnknownPenalty = 10.0F;

}  // namespace

PieceModel::PieceModel(const ModelFile& file)
    : algorithm_(file.algorithm), byte_fallback_(file.byte_fallback) {
  std::vector<std::pair<std::string, int32_t>> pieces, users;
  byte_ids_.fill(-1);
  score_min_ = FLT_MAX;
  score_max_ = FLT_MIN;
  for (size_t i = 0; i < file.pieces.size(); ++i) {
    const ModelFile::Piece& piece = file.pieces[i];
    const auto id = static_cast<int32_t>(i);
    vocabulary_.add(piece.text, id);
    scores_.push_back(piece.score);
    types_.push_back(piece.type);
    if (piece.type == Type::kUnknown) {
      if (unk_id_ >= 0) throw sdk::invalid_argument("The model has two unknown pieces.");
      unk_id_ = id;
    }
    const int32_t byte = tokenizers::byte_named_by(piece.text);
    if (piece.type == Type::kByte && byte >= 0) byte_ids_[static_cast<size_t>(byte)] = id;
    const bool is_user = piece.type == Type::kUserDefined;
    if (is_user) users.emplace_back(piece.text, id);
    if (is_user || piece.type == Type::kNormal || piece.type == Type::kUnused) {
      pieces.emplace_back(piece.text, id);
    }
    if (piece.type == Type::kNormal) {
      score_min_ = std::min(score_min_, piece.score);
      score_max_ = std::max(score_max_, piece.score);
    }
  }
  if (unk_id_ < 0) throw sdk::invalid_argument("The model has no unknown piece.");
  const bool has_bytes = std::ranges::find(byte_ids_, -1) == byte_ids_.end();
  if (byte_fallback_ && !has_bytes) {
    throw sdk::invalid_argument("The model falls back to bytes, but not every byte is a piece.");
  }
  pieces_ = tokenizers::Trie(std::move(pieces));
  user_pieces_ = tokenizers::Trie(std::move(users));
}

int32_t PieceModel::find_piece(std::string_view text) const {
  const int32_t id = vocabulary_.find(text);
  if (id < 0) return -1;
  const Type own = type(id);
  return own == Type::kNormal || own == Type::kUserDefined || own == Type::kUnused ? id : -1;
}

// Viterbi from left to right: for each place the best way to end there.
std::vector<PieceModel::Cut> PieceModel::cut_unigram(std::string_view text) const {
  struct Node {
    int32_t id = -1;
    uint32_t begin = UINT32_MAX;  // UINT32_MAX: not reached
    float score = 0;
  };
  std::vector<Node> nodes(text.size() + 1);
  const float unknown_score = score_min_ - kUnknownPenalty;
  for (size_t at = 0; at < text.size();) {
    const float so_far = nodes[at].score;
    const size_t one = tokenizers::code_point_at(text, at).size_bytes;
    bool has_one = false;
    const auto offer = [&](size_t size, int32_t id, double score) {
      Node& node = nodes[at + size];
      if (node.begin != UINT32_MAX && score <= static_cast<double>(node.score)) return;
      node = {id, static_cast<uint32_t>(at), static_cast<float>(score)};
    };
    pieces_.visit(text.substr(at), [&](int32_t id, size_t size) {
      if (type(id) == Type::kUnused) return;
      const double score = type(id) == Type::kUserDefined
                               ? static_cast<double>(static_cast<float>(size) * score_max_) - 0.1
                               : static_cast<double>(scores_[static_cast<size_t>(id)]);
      offer(size, id, score + static_cast<double>(so_far));
      has_one = has_one || size == one;
    });
    if (!has_one) offer(one, unk_id_, static_cast<double>(unknown_score + so_far));
    at += one;
  }
  std::vector<Cut> cuts;
  for (size_t end = text.size(); end > 0; end = nodes[end].begin) {
    cuts.push_back({nodes[end].id, nodes[end].begin, static_cast<uint32_t>(end)});
  }
  std::ranges::reverse(cuts);
  return cuts;
}

void PieceModel::add(const Cut& cut, std::string_view text, bool after_unknown,
                     std::vector<Token>& out) const {
  if (cut.id != unk_id_) {
    out.push_back({cut.id, cut.begin, cut.end});
  } else if (byte_fallback_) {
    for (uint32_t at = cut.begin; at < cut.end; ++at) {
      out.push_back({byte_ids_[static_cast<uint8_t>(text[at])], at, at + 1});
    }
  } else if (after_unknown) {
    out.back().end = cut.end;
  } else {
    out.push_back({unk_id_, cut.begin, cut.end});
  }
}

void PieceModel::encode(std::string_view text, std::vector<Token>& out) const {
  const std::vector<Cut> cuts =
      algorithm_ == ModelFile::Algorithm::kBpe ? cut_bpe(text) : cut_unigram(text);
  bool after_unknown = false;
  for (const Cut& cut : cuts) {
    add(cut, text, after_unknown, out);
    after_unknown = cut.id == unk_id_;
  }
}

std::string PieceModel::bytes_of(int32_t id) const {
  const std::string& piece = *vocabulary_.token(id);
  if (type(id) == Type::kByte) {
    const int32_t byte = tokenizers::byte_named_by(piece);
    if (byte >= 0) return std::string(1, static_cast<char>(byte));
  }
  return tokenizers::with_spaces(piece);
}

std::string PieceModel::identity() const {
  std::string all(kAlgorithm);
  all += algorithm_ == ModelFile::Algorithm::kBpe ? "bpe" : "unigram";
  all += byte_fallback_ ? " bytes\n" : "\n";
  for (int32_t id = 0; id < vocabulary_.id_count(); ++id) {
    char line[64];
    std::snprintf(line, sizeof(line), "%d %d %a ", id, static_cast<int>(type(id)),
                  static_cast<double>(scores_[static_cast<size_t>(id)]));
    all += line + *vocabulary_.token(id) + '\n';
  }
  return all;
}

}  // namespace mortise::tokenizer_sentencepiece
