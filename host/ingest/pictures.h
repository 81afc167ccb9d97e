// Pictures that look the same although their files differ. Called by media_check. Knows nothing of
// rows.
#pragma once

#include <cstdint>
#include <vector>

#include "ingest/image.h"

namespace mortise::ingest {

// Difference hash: the picture as 9 x 8 grey cells, a bit for each cell that is brighter than the
// one to its right. 0 for a picture that is too flat to tell.
uint64_t picture_hash(const Image& image);

class PictureIndex {  // [serial]
 public:
  static constexpr int kBitsMax = 3;  // of 64 may differ: one of four words of 16 is then the same
  // The number of the first picture like this one; its own when it is new.
  uint32_t add(uint32_t number, uint64_t hash);

 private:
  struct Kept {
    uint64_t hash;
    uint32_t number;
  };
  static constexpr size_t kBucketMax = 64;  // pictures that share a word and are compared
  std::vector<Kept> kept_;
  std::vector<std::vector<uint32_t>> words_;  // [which word, its bits] -> kept_; empty at first
};

}  // namespace mortise::ingest
