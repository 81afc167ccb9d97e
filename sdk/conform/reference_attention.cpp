// Variable-length attention in double, one query row at a time, from the definition: no tiles, no
// running maximum. Letters: N rows, M keys, H query heads, G key and value heads, D head size, S
// sequences. Source: Vaswani et al. 2017, equation 1.
#include <algorithm>
#include <cmath>
#include <string>

#include "conform/reference_call.h"

namespace mortise::conform {
namespace {

struct Problem {
  Values q, k, v, q_bounds, k_bounds;  // [N,H,D], [M,G,D] twice, [S+1] twice
  int64_t rows, keys, heads, groups, size, sequences;
  double scale;
  bool causal;
  int64_t window;
};

void check_bounds(const Values& bounds, const std::string& name, int64_t end) {
  double last = 0;
  for (int64_t s = 0; s < bounds.count(); ++s) {
    if (bounds[s] < last || bounds[s] > static_cast<double>(end)) {
      throw sdk::invalid_argument(name + "[" + std::to_string(s) + "] is " +
                                  std::to_string(static_cast<int64_t>(bounds[s])) +
                                  "; bounds must rise from 0 to at most " + std::to_string(end) +
                                  ".");
    }
    last = bounds[s];
  }
}

// first: the index of "q" among the inputs; bounds: that of "q_bounds".
Problem read_problem(const Launch& launch, uint32_t first, uint32_t bounds) {
  const DLDataType type = launch.activation();
  Problem p;
  p.q = launch.strided_input(first, "q", type, {-1, -1, -1});
  p.rows = p.q.size(0), p.heads = p.q.size(1), p.size = p.q.size(2);
  p.k = launch.strided_input(first + 1, "k", type, {-1, -1, p.size});
  p.keys = p.k.size(0), p.groups = p.k.size(1);
  p.v = launch.strided_input(first + 2, "v", type, {p.keys, p.groups, p.size});
  if (p.groups == 0 || p.heads % p.groups != 0) {
    throw sdk::invalid_argument("Tensor \"q\" has " + std::to_string(p.heads) +
                                " heads and \"k\" " + std::to_string(p.groups) +
                                "; the first must be a multiple.");
  }
  p.q_bounds = launch.input(bounds, "q_bounds", sdk::kInt32, {-1});
  if (p.q_bounds.count() < 1) throw sdk::invalid_argument("Tensor \"q_bounds\" is empty.");
  p.sequences = p.q_bounds.count() - 1;
  p.k_bounds = launch.input(bounds + 1, "k_bounds", sdk::kInt32, {p.sequences + 1});
  if (!launch.checks_only()) {
    check_bounds(p.q_bounds, "q_bounds", p.rows);
    check_bounds(p.k_bounds, "k_bounds", p.keys);
  }
  p.scale = launch.scalar(0);
  p.causal = launch.scalar(1) != 0;
  p.window = static_cast<int64_t>(launch.scalar(2));
  return p;
}

// Calls body(row, first key, end of keys) for each row that belongs to a sequence.
template <class Body>
void for_rows(const Problem& p, Body body) {
  for (int64_t s = 0; s < p.sequences; ++s) {
    const auto q_begin = static_cast<int64_t>(p.q_bounds[s]);
    const auto q_end = static_cast<int64_t>(p.q_bounds[s + 1]);
    const auto k_begin = static_cast<int64_t>(p.k_bounds[s]);
    const auto k_end = static_cast<int64_t>(p.k_bounds[s + 1]);
    for (int64_t n = q_begin; n < q_end; ++n) {
      int64_t end = k_end;
      if (p.causal) end = std::max(k_begin, std::min(k_end, k_end - (q_end - 1 - n)));
      const int64_t first = p.window > 0 ? std::max(k_begin, end - p.window) : k_begin;
      body(n, first, end);
    }
  }
}

double dot(const Values& a, int64_t i, const Values& b, int64_t j, int64_t size) {
  double sum = 0;
  for (int64_t d = 0; d < size; ++d) sum += a[i + d] * b[j + d];
  return sum;
}

// Scaled scores of row n, head h with keys first .. end-1.
std::vector<double> scores_of(const Problem& p, int64_t n, int64_t h, int64_t first, int64_t end) {
  const int64_t g = h / (p.heads / p.groups);
  std::vector<double> scores;
  for (int64_t j = first; j < end; ++j) {
    scores.push_back(
        p.scale * dot(p.q, (n * p.heads + h) * p.size, p.k, (j * p.groups + g) * p.size, p.size));
  }
  return scores;
}

}  // namespace

void attention(const Launch& launch) {
  launch.counts(5, 2, 3);
  const Problem p = read_problem(launch, 0, 3);
  Values o = launch.output(0, "o", launch.activation(), {p.rows, p.heads, p.size});
  Values lse = launch.output(1, "lse", launch.wide(), {p.heads, p.rows});
  if (launch.checks_only()) return;
  for (int64_t i = 0; i < lse.count(); ++i) lse[i] = -HUGE_VAL;  // rows that see nothing
  for_rows(p, [&](int64_t n, int64_t first, int64_t end) {
    for (int64_t h = 0; h < p.heads && first < end; ++h) {
      const std::vector<double> scores = scores_of(p, n, h, first, end);
      const double max = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (const double score : scores) sum += std::exp(score - max);
      lse[h * p.rows + n] = max + std::log(sum);
      const int64_t g = h / (p.heads / p.groups);
      for (int64_t j = first; j < end; ++j) {
        const double weight = std::exp(scores[static_cast<size_t>(j - first)] - max) / sum;
        for (int64_t d = 0; d < p.size; ++d) {
          o[(n * p.heads + h) * p.size + d] += weight * p.v[(j * p.groups + g) * p.size + d];
        }
      }
    }
  });
  o.store();
  lse.store();
}

// P = exp(scores - lse); dV = P^T dO; dS = P (dO V^T - rowsum(dO O)); dQ = scale dS K; dK likewise.
void attention_grad(const Launch& launch) {
  launch.counts(8, 3, 3);
  const DLDataType type = launch.activation();
  const Problem p = read_problem(launch, 1, 6);
  const Values grad = launch.input(0, "do", type, {p.rows, p.heads, p.size});
  const Values o = launch.input(4, "o", type, {p.rows, p.heads, p.size});
  const Values lse = launch.input(5, "lse", launch.wide(), {p.heads, p.rows});
  Values dq = launch.output(0, "dq", type, {p.rows, p.heads, p.size});
  Values dk = launch.output(1, "dk", type, {p.keys, p.groups, p.size});
  Values dv = launch.output(2, "dv", type, {p.keys, p.groups, p.size});
  if (launch.checks_only()) return;
  for_rows(p, [&](int64_t n, int64_t first, int64_t end) {
    for (int64_t h = 0; h < p.heads && first < end; ++h) {
      const int64_t row = (n * p.heads + h) * p.size;
      const std::vector<double> scores = scores_of(p, n, h, first, end);
      const double delta = dot(grad, row, o, row, p.size);
      for (int64_t j = first; j < end; ++j) {
        const int64_t key = (j * p.groups + h / (p.heads / p.groups)) * p.size;
        const double weight =
            std::exp(scores[static_cast<size_t>(j - first)] - lse[h * p.rows + n]);
        const double ds = p.scale * weight * (dot(grad, row, p.v, key, p.size) - delta);
        for (int64_t d = 0; d < p.size; ++d) {
          dv[key + d] += weight * grad[row + d];
          dk[key + d] += ds * p.q[row + d];
          dq[row + d] += ds * p.k[key + d];
        }
      }
    }
  });
  dq.store();
  dk.store();
  dv.store();
}

}  // namespace mortise::conform
