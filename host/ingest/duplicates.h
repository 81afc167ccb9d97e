// Rows that say the same, exactly or nearly, in bounded memory. Exact: every field alike (64-bit
// hashes). Nearly: MinHash of the texts, case, blanks and ASCII punctuation aside, over pairs
// of words (the first 8 bytes of each), one permutation with 32 bins (Li, Owen and Zhang 2012),
// found through 8 bands of 4 bins (locality-sensitive hashing, Indyk and Motwani 1998) and judged
// by the bins that agree. Only rows that name the same media are compared. Called by set_check.
// Knows nothing of findings.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json_tape.h"

namespace mortise::ingest {

uint64_t hash_text(std::string_view text, uint64_t seed = 0);
// Of a value; the order of members does not count.
uint64_t hash_value(base::TapeValue value);

// How a text looks to the near comparison.
struct TextSketch {
  static constexpr size_t kBins = 32;
  std::array<uint8_t, kBins> bins{};  // 0: empty
  uint32_t media = 0;                 // hash of the media that the row names
  bool is_long_enough = false;        // under 40 bytes or 8 words a text says too little
};
TextSketch sketch_of(base::TapeValue row);
// 0 .. 1, an estimate of the Jaccard similarity; 0 for rows about other media.
double similarity(const TextSketch& a, const TextSketch& b);

class Duplicates {  // [serial]
 public:
  static constexpr size_t kRowsMax = size_t{1} << 20;  // that near copies are looked for among
  static constexpr double kNear = 0.84;                // 27 of 32 bins

  struct Found {
    uint32_t earlier = 0;  // number of the row that came first
    double similarity = 1;
    bool is_exact = false;
  };
  // row_number: growing. An earlier row that this one repeats, if any.
  std::optional<Found> add(base::TapeValue row, uint32_t row_number);
  size_t memory_bytes() const;

 private:
  static constexpr size_t kBands = 8;
  static constexpr uint32_t kIndexBits = 20, kIndexMask = (1u << kIndexBits) - 1;
  struct Kept {
    TextSketch sketch;
    uint32_t row = 0;
  };
  std::optional<uint32_t> add_exact(uint64_t hash, uint32_t row_number);
  std::optional<Found> add_near(const TextSketch& sketch, uint32_t row_number);
  // Where a band's row stands; a tag of 0: the band is empty and stands nowhere.
  struct Slot {
    size_t at = 0;
    uint32_t tag = 0;
  };
  Slot slot_of(const TextSketch& sketch, size_t band) const;
  void grow_exact();
  void grow_bands();

  std::vector<uint64_t> hashes_;     // open addressing; 0 is free
  std::vector<uint32_t> hash_rows_;  // beside hashes_
  size_t hashes_count_ = 0;
  std::vector<Kept> kept_;  // a ring of kRowsMax
  size_t kept_next_ = 0;
  std::vector<uint32_t> bands_;  // kBands tables of equal size; a tag above an index in kept_
  size_t band_slots_ = 0;
};

}  // namespace mortise::ingest
