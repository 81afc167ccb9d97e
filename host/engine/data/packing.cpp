// Best fit with a map from the room left to the bin: n log n.
#include "engine/data/packing.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace mortise::engine {

std::vector<std::vector<size_t>> pack_best_fit(std::span<const int64_t> lengths, int64_t capacity) {
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<size_t>> bins;
  std::multimap<int64_t, size_t> room;  // what is left -> bin
  for (const size_t row : order) {
    const auto fits = room.lower_bound(lengths[row]);
    size_t bin = bins.size();
    int64_t left = capacity - lengths[row];
    if (fits != room.end()) {
      bin = fits->second;
      left = fits->first - lengths[row];
      room.erase(fits);
    } else {
      bins.emplace_back();
    }
    bins[bin].push_back(row);
    if (left > 0) room.emplace(left, bin);
  }
  for (auto& bin : bins) std::sort(bin.begin(), bin.end());
  std::sort(bins.begin(), bins.end());
  return bins;
}

}  // namespace mortise::engine
