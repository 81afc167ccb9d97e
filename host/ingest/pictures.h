// Pictures that look the same although their files differ. Called by media_check. Knows nothing of
// rows.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "ingest/image.h"

namespace mortise::ingest {

// Difference hash: the picture as 9 x 8 grey cells, a bit for each cell that is brighter than the
// one to its right. 0 for a picture that is too flat to tell.
uint64_t picture_hash(const Image& image);

class PictureIndex {  // [serial]
 public:
  static constexpr int kBitsMax = 3;  // of 64 may differ: one of four words of 16 is then the same
  // The first name with a picture like this one; the name itself when it is new.
  const std::string& add(const std::string& name, uint64_t hash);

 private:
  struct Kept {
    uint64_t hash;
    std::string name;
  };
  static constexpr size_t kBucketMax = 64;  // pictures that share a word and are compared
  std::vector<Kept> kept_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> words_;  // {which word, its bits} -> kept_
};

}  // namespace mortise::ingest
