// Words that were seen before and their tokens, for one thread and one tokenizer.
//
// Called by tokenizer.cpp. A fixed number of slots of one cache line; the newest word of a slot
// stays. Words of more than 32 bytes or 6 tokens are not kept: a model is quick with the rest.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "large_pages.h"
#include "model.h"

namespace mortise::tokenizers {

class WordCache {
 public:
  static constexpr size_t kWordBytesMax = 32;
  static constexpr size_t kTokensMax = 6;

  // Tokens that lie end to end: token i covers the bytes ends[i-1] .. ends[i].
  struct Entry {
    std::array<uint64_t, kWordBytesMax / 8> word{};  // with zeros behind
    std::array<int32_t, kTokensMax> ids{};
    uint8_t size_bytes = 0;  // 0: the slot is free
    uint8_t token_count = 0;
    std::array<uint8_t, kTokensMax> ends{};
  };
  static_assert(sizeof(Entry) == 64);

  // The slot that a word belongs to; `word` of at most kWordBytesMax bytes, not empty.
  struct Place {
    Entry* entry = nullptr;
    std::array<uint64_t, kWordBytesMax / 8> word{};
    uint8_t size_bytes = 0;
    bool is_hit() const {
      uint64_t differ = entry->size_bytes ^ size_bytes;
      for (size_t i = 0; i < word.size(); ++i) differ |= entry->word[i] ^ word[i];
      return differ == 0;
    }
  };

  // readable: how many bytes may be read from the start of the word on, at least its size.
  Place place_of(std::string_view word, size_t readable) {
    Place place;
    const size_t size = word.size();
    place.size_bytes = static_cast<uint8_t>(size);
    if (size >= 8) {
      size_t i = 0;
      for (; (i + 1) * 8 <= size; ++i) place.word[i] = eight_bytes(word.data() + i * 8);
      if (const size_t rest = size % 8) {
        place.word[i] = eight_bytes(word.data() + size - 8) >> (64 - rest * 8);
      }
    } else if (readable >= 8) {
      place.word[0] = eight_bytes(word.data()) & ((uint64_t{1} << size * 8) - 1);
    } else {
      std::memcpy(place.word.data(), word.data(), size);
    }
    uint64_t hash = word.size();
    for (size_t i = 0; i * 8 < word.size(); ++i) {
      hash = (hash ^ place.word[i]) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 29;
    }
    if (entries_.empty()) entries_.resize(kSlots);
    place.entry = &entries_[(hash >> 20) & (kSlots - 1)];
    __builtin_prefetch(place.entry);
    return place;
  }

  // Keeps the tokens of a word where they fit.
  static void keep(const Place& place, const Token* tokens, size_t count) {
    if (count == 0 || count > kTokensMax) return;
    for (size_t i = 0; i < count; ++i) {
      if (tokens[i].begin != (i == 0 ? 0 : tokens[i - 1].end)) return;
    }
    if (tokens[count - 1].end != place.size_bytes) return;
    place.entry->word = place.word;
    place.entry->size_bytes = place.size_bytes;
    place.entry->token_count = static_cast<uint8_t>(count);
    for (size_t i = 0; i < count; ++i) {
      place.entry->ids[i] = tokens[i].id;
      place.entry->ends[i] = static_cast<uint8_t>(tokens[i].end);
    }
  }

 private:
  static_assert(std::endian::native == std::endian::little);
  static uint64_t eight_bytes(const char* at) {
    uint64_t bytes;
    std::memcpy(&bytes, at, 8);
    return bytes;
  }

  static constexpr size_t kSlots = 1 << 15;  // 2 MiB
  LargeTable<Entry> entries_;
};

}  // namespace mortise::tokenizers
