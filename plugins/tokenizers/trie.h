// A set of byte strings with a number each, for the longest one that stands at a place of a text.
//
// Made by the models and by added_tokens.cpp. A double array (Aoe 1989): one cell of 8 bytes for
// each prefix, so a step costs one look into memory. Immutable after build(), so [parallel].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "large_pages.h"

namespace mortise::tokenizers {

class Trie {
 public:
  struct Match {
    int32_t value = -1;  // -1: none
    size_t size_bytes = 0;
  };

  Trie() : cells_(257) {}
  // entries: different keys, none empty; values from 0. At most 2^24 cells come of it: throws
  // RESOURCE_EXHAUSTED beyond.
  explicit Trie(std::vector<std::pair<std::string, int32_t>> entries);

  bool empty() const { return cells_[0].base_label == 0; }

  // The longest key that `text` begins with.
  Match longest(std::string_view text) const {
    Match best;
    visit(text, [&best](int32_t value, size_t size_bytes) { best = {value, size_bytes}; });
    return best;
  }

  // Calls visit(value, size_bytes) for each key that `text` begins with, shortest first.
  template <class Visit>
  void visit(std::string_view text, Visit&& visit) const {
    uint32_t base = cells_[0].base_label >> 8;
    for (size_t i = 0; i < text.size() && base != 0; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      const Cell cell = cells_[base + byte];
      if (!cell.is_child(byte)) return;
      if (cell.value >= 0) visit(cell.value, i + 1);
      base = cell.base_label >> 8;
    }
  }

 private:
  // A cell belongs to the node whose base is `index - label`; no two nodes have one base, so the
  // label alone tells whose cell it is. Free cells carry a label that does not fit their place.
  struct Cell {
    uint32_t base_label = 0;  // base of the children (0: none) and the label of this cell
    int32_t value = kFree;
    bool is_child(uint8_t byte) const {
      return static_cast<uint8_t>(base_label) == byte && value != kFree;
    }
  };
  static constexpr int32_t kFree = -2;
  friend class TrieBuilder;

  LargeTable<Cell> cells_;
};

}  // namespace mortise::tokenizers
