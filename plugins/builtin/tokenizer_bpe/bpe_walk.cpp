// Pieces are found once, when the model is made: the tokens that their own bytes give.
#include "bpe_walk.h"

#include <algorithm>
#include <array>

#include "bpe_model.h"
#include "tokenizers/byte_names.h"
#include "tokenizers/unicode.h"

namespace mortise::tokenizer_bpe {
namespace {

// One bit a place of the word: whether it may still be the end of a token.
class OpenPlaces {
 public:
  explicit OpenPlaces(size_t count) {
    if (count > kInlineBits) {
      more_.assign(count / 64 + 1, ~uint64_t{0});
      bits_ = more_.data();
    }
  }
  bool is_open(size_t place) const { return (bits_[place / 64] >> (place % 64) & 1) != 0; }
  void close(size_t place) { bits_[place / 64] &= ~(uint64_t{1} << (place % 64)); }

 private:
  static constexpr size_t kInlineBits = 255;
  std::array<uint64_t, 4> few_{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
  std::vector<uint64_t> more_;
  uint64_t* bits_ = few_.data();
};

}  // namespace

std::shared_ptr<const BpeWalk> BpeWalk::make(const BpeModel& model) {
  std::shared_ptr<BpeWalk> walk(new BpeWalk);
  if (!model.is_plain() || !walk->add_symbols(model) || !walk->add_merges(model)) return nullptr;
  walk->index(model);
  return walk;
}

bool BpeWalk::add_symbols(const BpeModel& model) {
  pieces_.resize(static_cast<size_t>(model.vocabulary().id_count()));
  const auto add = [this](int32_t id, size_t size_bytes) {
    Piece& piece = pieces_[static_cast<size_t>(id)];
    piece.is_piece = true;
    piece.size_bytes = static_cast<uint32_t>(size_bytes);
  };
  if (model.rules().byte_level) {
    for (const std::string& byte : tokenizers::byte_alphabet()) {
      const int32_t id = model.find(byte);
      if (id < 0) return false;
      add(id, 1);
    }
    return true;
  }
  for (int32_t id = 0; id < model.vocabulary().id_count(); ++id) {
    const std::string* token = model.vocabulary().token(id);
    if (token == nullptr || token->empty()) continue;
    if (tokenizers::code_point_at(*token, 0).size_bytes == token->size()) add(id, token->size());
  }
  return true;
}

// In order of rank, so that the parts of a merge are pieces already if they ever are.
bool BpeWalk::add_merges(const BpeModel& model) {
  const auto& merges = model.merges();
  for (const auto& [left, right] : merges) {
    pieces_[static_cast<size_t>(left)].is_left = true;
    pieces_[static_cast<size_t>(right)].is_right = true;
  }
  for (size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    const auto rank = static_cast<uint32_t>(i + 1);
    const Piece& a = pieces_[static_cast<size_t>(left)];
    const Piece& b = pieces_[static_cast<size_t>(right)];
    Piece& whole = pieces_[static_cast<size_t>(model.merge_results()[i])];
    const bool is_known = whole.is_piece || !a.is_piece || !b.is_piece;
    if (is_known || model.find_merge(left, right)->rank + 1 != rank) continue;
    if (!can_follow(model, left, right, rank)) continue;
    whole.left = left;
    whole.right = right;
    whole.rank = rank;
    whole.size_bytes = a.size_bytes + b.size_bytes;
    whole.is_piece = true;
  }
  for (size_t i = 0; i < merges.size(); ++i) {
    const Piece& a = pieces_[static_cast<size_t>(merges[i].first)];
    const Piece& b = pieces_[static_cast<size_t>(merges[i].second)];
    if (a.is_piece && b.is_piece && std::max(a.rank, b.rank) > i) return false;
  }
  return true;
}

void BpeWalk::index(const BpeModel& model) {
  std::vector<std::pair<std::string, int32_t>> entries;
  for (size_t id = 0; id < pieces_.size(); ++id) {
    if (!pieces_[id].is_piece) continue;
    std::string bytes = *model.vocabulary().token(static_cast<int32_t>(id));
    if (model.rules().byte_level) {
      std::string spelled;
      tokenizers::bytes_of_token(bytes, spelled);
      bytes = spelled;
    }
    entries.emplace_back(std::move(bytes), static_cast<int32_t>(id));
  }
  trie_ = tokenizers::Trie(entries);
  for (const auto& [bytes, id] : entries) {
    const std::string_view prefix = std::string_view(bytes).substr(0, bytes.size() - 1);
    pieces_[static_cast<size_t>(id)].shorter = trie_.longest(prefix).value;
  }
}

bool BpeWalk::can_follow(const BpeModel& model, int32_t left, int32_t right, uint32_t limit) const {
  while (true) {
    const Piece& a = piece(left);
    const Piece& b = piece(right);
    if (a.is_left && b.is_right) {
      const BpeModel::Merge* merge = model.find_merge(left, right);
      if (merge != nullptr && merge->rank + 1 < limit) return false;
    }
    if (a.rank > b.rank) {
      limit = a.rank;
      left = a.right;
    } else if (b.rank > 0) {
      limit = b.rank + 1;  // among equal ranks the merge further left comes first
      right = b.left;
    } else {
      return true;
    }
  }
}

size_t BpeWalk::run(const BpeModel& model, std::string_view word, size_t at,
                    std::vector<tokenizers::Token>& out) const {
  const size_t first = out.size();
  const size_t base = at;
  OpenPlaces places(word.size() - base);
  tokenizers::Trie::Match match = trie_.longest(word.substr(at));
  while (match.value >= 0) {
    const size_t end = at + match.size_bytes;
    const bool fits = places.is_open(end - base) &&
                      (out.size() == first || can_follow(model, out.back().id, match.value));
    if (fits) {
      out.push_back({match.value, static_cast<uint32_t>(at), static_cast<uint32_t>(end)});
      at = end;
      match = trie_.longest(word.substr(at));
      continue;
    }
    match.value = piece(match.value).shorter;
    if (match.value < 0) {  // nothing can begin here: the token before must be shorter
      places.close(at - base);
      match.value = out.back().id;
      at = out.back().begin;
      out.pop_back();
    }
    match.size_bytes = piece(match.value).size_bytes;
  }
  return at;
}

}  // namespace mortise::tokenizer_bpe
