// BPE by score: a heap of neighbours, best first, leftmost among equals. O(n log n) for a text of n
// characters.
#include <functional>
#include <queue>
#include <unordered_map>

#include "piece_model.h"
#include "tokenizers/unicode.h"

namespace mortise::tokenizer_sentencepiece {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

struct Symbol {
  uint32_t begin, end;  // empty: joined to the one before
  uint32_t previous, next;
  bool is_frozen;  // a piece of the user
};

struct Join {
  float score;
  uint32_t left, right;
  uint32_t size_bytes;  // of both; another size later means that one of them has changed
  bool operator<(const Join& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

// Where a text is cut that was joined only for the sake of larger pieces.
using Halves = std::unordered_map<std::string_view, uint32_t>;

}  // namespace

std::vector<PieceModel::Cut> PieceModel::cut_bpe(std::string_view text) const {
  std::vector<Symbol> symbols;
  for (size_t at = 0; at < text.size();) {
    const size_t user = user_pieces_.longest(text.substr(at)).size_bytes;
    const size_t size = user > 0 ? user : tokenizers::code_point_at(text, at).size_bytes;
    const auto index = static_cast<uint32_t>(symbols.size());
    symbols.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + size),
                       index == 0 ? kNone : index - 1, index + 1, user > 0});
    at += size;
  }
  if (!symbols.empty()) symbols.back().next = kNone;
  std::priority_queue<Join> joins;
  Halves halves;
  const auto offer = [&](uint32_t left, uint32_t right) {
    if (left == kNone || right == kNone) return;
    const Symbol& a = symbols[left];
    const Symbol& b = symbols[right];
    if (a.is_frozen || b.is_frozen) return;
    const std::string_view both = text.substr(a.begin, b.end - a.begin);
    const int32_t id = find_piece(both);
    if (id < 0) return;
    joins.push({scores_[static_cast<size_t>(id)], left, right, b.end - a.begin});
    if (type(id) == Type::kUnused) halves[both] = a.end - a.begin;
  };
  for (uint32_t i = 1; i < symbols.size(); ++i) offer(i - 1, i);
  while (!joins.empty()) {
    const Join top = joins.top();
    joins.pop();
    Symbol& a = symbols[top.left];
    Symbol& b = symbols[top.right];
    const bool is_stale = a.begin == a.end || b.begin == b.end || b.end - a.begin != top.size_bytes;
    if (is_stale) continue;
    a.end = b.end;
    a.next = b.next;
    if (b.next != kNone) symbols[b.next].previous = top.left;
    b.end = b.begin;
    offer(a.previous, top.left);
    offer(top.left, a.next);
  }
  std::vector<Cut> cuts;
  const std::function<void(uint32_t, uint32_t)> add_cut = [&](uint32_t begin, uint32_t end) {
    const std::string_view piece = text.substr(begin, end - begin);
    const int32_t id = vocabulary_.find(piece);
    const auto half = halves.find(piece);
    if (id >= 0 && type(id) == Type::kUnused && half != halves.end()) {
      add_cut(begin, begin + half->second);
      add_cut(begin + half->second, end);
    } else {
      cuts.push_back({id < 0 ? unk_id_ : id, begin, end});
    }
  };
  for (uint32_t i = 0; i < symbols.size() && i != kNone; i = symbols[i].next) {
    add_cut(symbols[i].begin, symbols[i].end);
  }
  return cuts;
}

}  // namespace mortise::tokenizer_sentencepiece
