// Nodes are placed depth first, each child as near behind its parent as it fits: what one key walks
// through then shares lines of the cache.
#include "trie.h"

#include <mortise/cpp/status.hpp>

#include <algorithm>

namespace mortise::tokenizers {

class TrieBuilder {
 public:
  using Entries = std::vector<std::pair<std::string, int32_t>>;
  TrieBuilder(const Entries& entries, LargeTable<Trie::Cell>& cells)
      : entries_(entries), cells_(cells) {
    cells_.clear();
    grow(kBaseFirst + 512);
    cells_[0].value = -1;
    waiting_.push_back({0, entries.size(), 0, 0});
    while (!waiting_.empty()) {
      const Node node = waiting_.back();
      waiting_.pop_back();
      place(node);
    }
    cells_.resize(highest_base_ + 256);  // every look stays inside
  }

 private:
  static constexpr uint32_t kBaseFirst = 1;
  static constexpr uint32_t kBasesMax = 1U << 24;
  static constexpr int kTriesMax = 32;  // places that are looked at before the array grows
  struct Node {
    size_t begin, end;  // its entries
    uint32_t depth;     // bytes that they share
    uint32_t cell;
  };

  void grow(size_t cell_count) {
    if (cell_count > kBasesMax) {
      throw sdk::resource_exhausted("The vocabulary is too large for its index.");
    }
    if (cell_count <= cells_.size()) return;
    cells_.resize(cell_count);
    is_base_taken_.resize(cell_count);
    for (size_t cell = next_.size(); cell <= cell_count; ++cell) next_.push_back(cell);
  }
  bool is_free(size_t cell) const { return cell != 0 && cells_[cell].value == Trie::kFree; }

  bool fits(uint32_t base) const {
    if (is_base_taken_[base]) return false;
    return std::ranges::all_of(labels_, [&](uint8_t label) { return is_free(base + label); });
  }

  // The first free cell from `cell` on. Links jump over cells that were taken; they are shortened
  // on the way, so that looking is cheap however full the array is.
  size_t next_free(size_t cell) {
    while (next_[cell] != cell) {
      if (next_[cell] < cells_.size()) next_[cell] = next_[next_[cell]];
      cell = next_[cell];
    }
    return cell;
  }

  uint32_t find_base(uint32_t parent) {
    const uint32_t first_label = labels_.front();
    size_t at = next_free(std::max<size_t>(parent, first_label + kBaseFirst));
    for (int tries = 0; tries < kTriesMax; ++tries) {
      if (at + 256 >= cells_.size()) grow(cells_.size() * 2);
      const auto base = static_cast<uint32_t>(at - first_label);
      if (fits(base)) return base;
      at = next_free(at + 1);
    }
    const auto base = std::max(highest_base_, highest_cell_) + 1;
    grow(base + 512);
    return base;
  }

  void place(const Node& node) {
    labels_.clear();
    size_t begin = node.begin;
    if (begin < node.end && entries_[begin].first.size() == node.depth) {
      cells_[node.cell].value = entries_[begin++].second;  // the key that ends here sorts first
    }
    for (size_t i = begin; i < node.end; ++i) {
      const auto label = static_cast<uint8_t>(entries_[i].first[node.depth]);
      if (labels_.empty() || labels_.back() != label) labels_.push_back(label);
    }
    if (labels_.empty()) return;
    const uint32_t base = find_base(node.cell);
    is_base_taken_[base] = true;
    highest_base_ = std::max(highest_base_, base);
    highest_cell_ = std::max(highest_cell_, base + labels_.back());
    cells_[node.cell].base_label |= base << 8;
    for (size_t i = begin; i < node.end;) {
      const auto label = static_cast<uint8_t>(entries_[i].first[node.depth]);
      size_t end = i + 1;
      while (end < node.end && static_cast<uint8_t>(entries_[end].first[node.depth]) == label)
        ++end;
      const uint32_t cell = base + label;
      cells_[cell] = {label, -1};
      next_[cell] = cell + 1;
      waiting_.push_back({i, end, node.depth + 1, cell});
      i = end;
    }
  }

  const Entries& entries_;
  LargeTable<Trie::Cell>& cells_;
  std::vector<bool> is_base_taken_;
  std::vector<Node> waiting_;
  std::vector<uint8_t> labels_;
  std::vector<size_t> next_;  // of a free cell itself, of a taken one some cell behind it
  uint32_t highest_base_ = 0;
  uint32_t highest_cell_ = 0;
};

Trie::Trie(std::vector<std::pair<std::string, int32_t>> entries) {
  std::sort(entries.begin(), entries.end());
  LargeTable<Cell> made;
  TrieBuilder(entries, made);
  cells_ = LargeTable<Cell>(made.begin(), made.end());  // no larger than it need be
}

}  // namespace mortise::tokenizers
