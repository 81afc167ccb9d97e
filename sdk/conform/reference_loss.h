// The reference of losses: cross entropy over labelled rows, in double, from the definition.
// Used by the conformance kit and by tests of loss packs; knows nothing of plans or devices.
#pragma once

#include <cstdint>
#include <vector>

namespace mortise::conform {

struct CrossEntropy {
  double loss = 0;                  // sum over l of lse[l] - logits[rows[l], labels[l]]
  std::vector<double> lse;          // [L]
  std::vector<double> grad_logits;  // [N, V]: dloss/dlogits; rows without a label are 0
};

// logits [N, V] row-major; rows and labels [L]. Every row is in 0 .. N-1 and every label in 0 ..
// V-1: the caller checks. A row with two labels counts twice.
CrossEntropy cross_entropy(const std::vector<double>& logits, int64_t classes,
                           const std::vector<int32_t>& rows, const std::vector<int32_t>& labels);

}  // namespace mortise::conform
