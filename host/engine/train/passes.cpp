#include "engine/train/passes.h"

#include "engine/data/packing.h"

namespace mortise::engine {

std::vector<PassBatch> passes_of(const std::vector<LoadedRow>& rows,
                                 const TrainSettings& settings) {
  std::vector<std::vector<size_t>> groups;
  if (settings.packing) {
    std::vector<int64_t> lengths;
    for (const LoadedRow& row : rows)
      lengths.push_back(static_cast<int64_t>(row.tokens.ids.size()));
    groups = pack_best_fit(lengths, settings.max_length);
  } else {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i % static_cast<size_t>(settings.batch_size) == 0) groups.emplace_back();
      groups.back().push_back(i);
    }
  }
  std::vector<PassBatch> passes;
  for (const auto& group : groups) {
    std::vector<const LoadedRow*> chosen;
    for (const size_t i : group) chosen.push_back(&rows[i]);
    passes.push_back(make_pass(chosen));
  }
  return passes;
}

}  // namespace mortise::engine
