// Which row comes next: a permutation per epoch from (seed, epoch), and a cursor that says exactly
// where a run stands. Called by engine/train. Pure; knows nothing of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace mortise::engine {

struct SamplerCursor {
  uint64_t epoch = 0;     // from 0
  uint64_t position = 0;  // rows of this epoch that are done
  bool operator==(const SamplerCursor&) const = default;
};

class Sampler {  // [serial]
 public:
  // count > 0 rows; shuffle off: 0, 1, 2, ... in each epoch.
  Sampler(uint64_t count, uint64_t seed, bool shuffle);

  // The next row, and the cursor moves on; a new epoch begins by itself.
  uint64_t next();
  const SamplerCursor& cursor() const { return cursor_; }
  // Errors: INVALID_ARGUMENT when the position lies beyond the rows.
  base::Status seek(const SamplerCursor& cursor);
  uint64_t count() const { return count_; }

 private:
  void shuffle_epoch();

  uint64_t count_, seed_;
  bool shuffle_;
  SamplerCursor cursor_;
  std::vector<uint64_t> order_;  // of cursor_.epoch
};

}  // namespace mortise::engine
