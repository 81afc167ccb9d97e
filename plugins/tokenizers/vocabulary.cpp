// A token is kept once, as the key of the map; the list by id points at it.
#include "vocabulary.h"

#include <mortise/cpp/status.hpp>

namespace mortise::tokenizers {
namespace {

constexpr int64_t kIdMax = 1 << 24;

}  // namespace

void Vocabulary::add(std::string token, int64_t id) {
  if (id < 0 || id > kIdMax) {
    throw sdk::invalid_argument("The vocabulary gives \"" + token + "\" the id " +
                                std::to_string(id) + "; ids lie in 0 .. " + std::to_string(kIdMax) +
                                ".");
  }
  if (static_cast<size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<size_t>(id) + 1);
  const std::string*& place = tokens_[static_cast<size_t>(id)];
  if (place != nullptr) {
    throw sdk::invalid_argument("The vocabulary gives the id " + std::to_string(id) +
                                " to both \"" + *place + "\" and \"" + token + "\".");
  }
  const auto [entry, is_new] = ids_.emplace(std::move(token), static_cast<int32_t>(id));
  if (!is_new) throw sdk::invalid_argument("The vocabulary holds \"" + entry->first + "\" twice.");
  place = &entry->first;
}

int32_t Vocabulary::find(std::string_view token) const {
  const auto entry = ids_.find(token);
  return entry == ids_.end() ? -1 : entry->second;
}

}  // namespace mortise::tokenizers
