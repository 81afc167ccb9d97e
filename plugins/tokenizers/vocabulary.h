// The tokens of a model and their ids.
//
// Part of every model. Immutable once filled, so [parallel].
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mortise::tokenizers {

class Vocabulary {
 public:
  // Adds one entry. Throws INVALID_ARGUMENT for an id or a token that is there already, or an id
  // outside 0 .. 2^24.
  void add(std::string token, int64_t id);

  // -1 when absent.
  int32_t find(std::string_view token) const;
  // nullptr for an id that is not used.
  const std::string* token(int32_t id) const {
    return id >= 0 && id < id_count() ? tokens_[static_cast<size_t>(id)] : nullptr;
  }
  int32_t id_count() const { return static_cast<int32_t>(tokens_.size()); }  // highest + 1

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> tokens_;  // the keys of ids_; nullptr where unused
};

}  // namespace mortise::tokenizers
