// Most models are walked (bpe_walk.h). For the others there are two ways to merge with one result:
// words of a few symbols look for the lowest rank again and again, longer ones keep a heap, so that
// a word of a megabyte is no attack.
#include "bpe_model.h"

#include <mortise/cpp/status.hpp>

#include <limits>
#include <queue>

#include "tokenizers/byte_names.h"
#include "tokenizers/unicode.h"

namespace mortise::tokenizer_bpe {

using namespace tokenizers;

namespace {

constexpr uint64_t kNoKey = std::numeric_limits<uint64_t>::max();
constexpr size_t kShortSymbols = 24;
constexpr uint32_t kNoRank = std::numeric_limits<uint32_t>::max();

// Changes when the algorithm changes the ids that it gives for some file.
constexpr std::string_view kAlgorithm = "mortise.tokenizer_bpe/1\n";

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t slot_of(uint64_t key) {
  key ^= key >> 32;  // splitmix64's finaliser (Steele et al. 2014)
  key *= 0xBF58476D1CE4E5B9u;
  key ^= key >> 29;
  key *= 0x94D049BB133111EBu;
  return key ^ key >> 32;
}

}  // namespace

void BpeModel::add_merge(const std::string& left, const std::string& right) {
  const int32_t left_id = find(left);
  const int32_t right_id = find(right);
  std::string whole = left;
  if (right.size() >= rules_.continuing_prefix.size()) {
    whole += right.substr(rules_.continuing_prefix.size());
  }
  const int32_t id = find(whole);
  if (left_id < 0 || right_id < 0 || id < 0) {
    const std::string& missing = left_id < 0 ? left : right_id < 0 ? right : whole;
    throw sdk::invalid_argument("Merge " + std::to_string(merge_list_.size()) + " (\"" + left +
                                "\" \"" + right + "\") needs \"" + missing +
                                "\", which is not in the vocabulary.");
  }
  merge_list_.emplace_back(left_id, right_id);
  merge_results_.push_back(id);
}

void BpeModel::index_merges() {
  size_t slots = 16;
  while (slots < merge_list_.size() * 2) slots *= 2;
  merges_.assign(slots, {kNoKey, {}});
  merge_marks_.assign(std::max<size_t>(slots * 4 / 64, 1), 0);
  for (size_t rank = 0; rank < merge_list_.size(); ++rank) {
    const uint64_t key = key_of(merge_list_[rank].first, merge_list_[rank].second);
    const size_t hash = slot_of(key);
    merge_marks_[hash / 64 & (merge_marks_.size() - 1)] |= uint64_t{1} << hash % 64;
    size_t slot = hash & (slots - 1);
    while (merges_[slot].key != kNoKey && merges_[slot].key != key) slot = (slot + 1) & (slots - 1);
    // A merge that is listed twice keeps its last rank, as elsewhere.
    merges_[slot] = {key, {static_cast<uint32_t>(rank), merge_results_[rank]}};
  }
}

void BpeModel::seal() {
  for (unsigned byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = find(byte_alphabet()[byte]);
    fallback_ids_[byte] = find(fallback_name(byte));
  }
  if (!rules_.unk_token.empty()) {
    unk_id_ = find(rules_.unk_token);
    if (unk_id_ < 0) {
      throw sdk::invalid_argument("/model/unk_token is \"" + rules_.unk_token +
                                  "\", which is not in the vocabulary.");
    }
  }
  index_merges();
  walk_ = BpeWalk::make(*this);
}

const BpeModel::Merge* BpeModel::find_merge(int32_t left, int32_t right) const {
  const uint64_t key = key_of(left, right);
  const size_t hash = slot_of(key);
  const uint64_t marks = merge_marks_[hash / 64 & (merge_marks_.size() - 1)];
  if ((marks >> hash % 64 & 1) == 0) return nullptr;
  const size_t mask = merges_.size() - 1;
  size_t slot = hash & mask;
  while (merges_[slot].key != kNoKey) {
    if (merges_[slot].key == key) return &merges_[slot].merge;
    slot = (slot + 1) & mask;
  }
  return nullptr;
}

std::string BpeModel::bytes_of(int32_t id) const {
  const std::string& spelled = *vocabulary_.token(id);
  std::string bytes;
  if (rules_.byte_level) return bytes_of_token(spelled, bytes) ? bytes : spelled;
  const int32_t byte = rules_.byte_fallback ? byte_named_by(spelled) : -1;
  return byte >= 0 ? std::string(1, static_cast<char>(byte)) : with_spaces(spelled);
}

std::string BpeModel::identity() const {
  std::string all(kAlgorithm);
  for (const bool flag :
       {rules_.byte_level, rules_.byte_fallback, rules_.fuse_unk, rules_.ignore_merges}) {
    all += flag ? '1' : '0';
  }
  for (const std::string& text : {rules_.unk_token, rules_.continuing_prefix, rules_.word_suffix}) {
    all += std::to_string(text.size()) + ":" + text;
  }
  for (int32_t id = 0; id < vocabulary_.id_count(); ++id) {
    const std::string* token = vocabulary_.token(id);
    if (token != nullptr) all += std::to_string(id) + ":" + *token + '\n';
  }
  for (const auto& [left, right] : merge_list_) {
    all += std::to_string(left) + ' ' + std::to_string(right) + '\n';
  }
  return all;
}

// A character that is not in the vocabulary: its bytes, or the unknown token, or nothing.
void BpeModel::add_unknown(std::string_view piece, Token at, Token& pending,
                           std::vector<Token>& out) const {
  if (rules_.byte_fallback) {
    bool complete = true;
    for (const char byte : piece)
      complete = complete && fallback_ids_[static_cast<uint8_t>(byte)] >= 0;
    if (complete) {
      for (size_t i = 0; i < piece.size(); ++i) {
        const auto begin = std::min(at.begin + static_cast<uint32_t>(i), at.end - 1);
        out.push_back({fallback_ids_[static_cast<uint8_t>(piece[i])], begin, begin + 1});
      }
      return;
    }
  }
  if (unk_id_ < 0) return;
  if (pending.id >= 0 && rules_.fuse_unk) {
    pending.end = at.end;
    return;
  }
  if (pending.id >= 0) out.push_back(pending);
  pending = {unk_id_, at.begin, at.end};
}

void BpeModel::first_symbols(std::string_view word, std::vector<Token>& out) const {
  const bool decorated = !rules_.continuing_prefix.empty() || !rules_.word_suffix.empty();
  Token pending{-1, 0, 0};
  std::string spelled;
  for (size_t i = 0; i < word.size();) {
    const size_t size = rules_.byte_level ? 1 : code_point_at(word, i).size_bytes;
    std::string_view piece =
        rules_.byte_level ? byte_alphabet()[static_cast<uint8_t>(word[i])] : word.substr(i, size);
    if (decorated) {
      spelled = i == 0 ? "" : rules_.continuing_prefix;
      spelled += piece;
      if (i + size == word.size()) spelled += rules_.word_suffix;
      piece = spelled;
    }
    const bool direct = rules_.byte_level && !decorated;
    const int32_t id = direct ? byte_ids_[static_cast<uint8_t>(word[i])] : find(piece);
    const Token at{id, static_cast<uint32_t>(i), static_cast<uint32_t>(i + size)};
    i += size;
    if (id < 0) {
      add_unknown(piece, at, pending, out);
      continue;
    }
    if (pending.id >= 0) out.push_back(pending);
    pending.id = -1;
    out.push_back(at);
  }
  if (pending.id >= 0) out.push_back(pending);
}

void BpeModel::merge_short(std::vector<Token>& tokens, size_t first) const {
  size_t count = tokens.size() - first;
  Token* symbols = tokens.data() + first;
  std::array<Merge, kShortSymbols> merges;
  const auto look_up = [&](size_t i) {
    const Merge* merge = find_merge(symbols[i].id, symbols[i + 1].id);
    merges[i] = merge ? *merge : Merge{kNoRank, -1};
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNoRank) break;
    symbols[best].id = merges[best].id;
    symbols[best].end = symbols[best + 1].end;
    --count;
    for (size_t i = best + 1; i < count; ++i) symbols[i] = symbols[i + 1];
    for (size_t i = best + 1; i + 1 < count; ++i) merges[i] = merges[i + 1];
    if (best + 1 < count) look_up(best);
    if (best > 0) look_up(best - 1);
  }
  tokens.resize(first + count);
}

void BpeModel::merge_long(std::vector<Token>& tokens, size_t first) const {
  struct Node {
    size_t previous, next;
    bool is_alive;
  };
  struct Candidate {
    uint32_t rank;
    size_t at;
    int32_t left, right, id;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  constexpr size_t kNone = SIZE_MAX;
  const size_t count = tokens.size() - first;
  Token* symbols = tokens.data() + first;
  std::vector<Node> nodes(count);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto offer = [&](size_t at) {
    const size_t next = nodes[at].next;
    if (next == kNone) return;
    const Merge* merge = find_merge(symbols[at].id, symbols[next].id);
    if (merge) heap.push({merge->rank, at, symbols[at].id, symbols[next].id, merge->id});
  };
  for (size_t i = 0; i < count; ++i)
    nodes[i] = {i == 0 ? kNone : i - 1, i + 1 < count ? i + 1 : kNone, true};
  for (size_t i = 0; i < count; ++i) offer(i);
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    const size_t next = nodes[top.at].next;
    const bool stale = !nodes[top.at].is_alive || next == kNone || symbols[top.at].id != top.left ||
                       symbols[next].id != top.right;
    if (stale) continue;
    symbols[top.at].id = top.id;
    symbols[top.at].end = symbols[next].end;
    nodes[next].is_alive = false;
    nodes[top.at].next = nodes[next].next;
    if (nodes[next].next != kNone) nodes[nodes[next].next].previous = top.at;
    offer(top.at);
    if (nodes[top.at].previous != kNone) offer(nodes[top.at].previous);
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (nodes[i].is_alive) symbols[kept++] = symbols[i];
  }
  tokens.resize(first + kept);
}

// The characters that no token begins with stand between runs that are merged each on its own.
void BpeModel::encode_by_walk(std::string_view word, std::vector<Token>& out) const {
  Token pending{-1, 0, 0};
  for (size_t at = 0; at < word.size();) {
    if (pending.id >= 0 && walk_->begins_at(word.substr(at))) {
      out.push_back(std::exchange(pending, {-1, 0, 0}));
    }
    at = walk_->run(*this, word, at, out);
    if (at == word.size()) break;
    const size_t size = code_point_at(word, at).size_bytes;
    const Token unknown{-1, static_cast<uint32_t>(at), static_cast<uint32_t>(at + size)};
    add_unknown(word.substr(at, size), unknown, pending, out);
    at += size;
  }
  if (pending.id >= 0) out.push_back(pending);
}

bool BpeModel::encode_whole(std::string_view word, std::vector<Token>& out) const {
  std::string spelled;
  if (rules_.byte_level) {
    for (const char byte : word) spelled += byte_alphabet()[static_cast<uint8_t>(byte)];
  } else {
    spelled = word;
  }
  const int32_t id = find(spelled);
  if (id >= 0) out.push_back({id, 0, static_cast<uint32_t>(word.size())});
  return id >= 0;
}

void BpeModel::encode(std::string_view word, std::vector<Token>& out) const {
  if (word.empty()) return;
  if (rules_.ignore_merges && encode_whole(word, out)) return;
  if (walk_ != nullptr) return encode_by_walk(word, out);
  const size_t first = out.size();
  first_symbols(word, out);
  const size_t count = out.size() - first;
  if (count < 2) return;
  if (count <= kShortSymbols) {
    merge_short(out, first);
  } else {
    merge_long(out, first);
  }
}

}  // namespace mortise::tokenizer_bpe
