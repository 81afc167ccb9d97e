// Cross entropy in double, alone and after the head's product. Letters: N rows, C channels, V
// vocabulary, L labelled rows.
#include "conform/reference_loss.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "conform/reference_call.h"

namespace mortise::conform {
namespace {

struct Head {
  Values hidden, w, rows, labels;  // [N,C], [V,C], [L], [L]
  int64_t channels, classes, labelled;
};

void check_range(const Values& values, const std::string& name, int64_t end) {
  for (int64_t l = 0; l < values.count(); ++l) {
    if (values[l] >= 0 && values[l] < static_cast<double>(end)) continue;
    throw sdk::invalid_argument(name + "[" + std::to_string(l) + "] is " +
                                std::to_string(static_cast<int64_t>(values[l])) +
                                ", expected 0 .. " + std::to_string(end - 1) + ".")
        .at("", l + 1, -1, name);
  }
}

Head read_head(const Launch& launch) {
  Head head;
  head.hidden = launch.input(0, "hidden", launch.activation(), {-1, -1});
  head.channels = head.hidden.size(1);
  head.w = launch.input(1, "w", launch.weight(), {-1, head.channels});
  head.classes = head.w.size(0);
  head.rows = launch.input(2, "rows", sdk::kInt32, {-1});
  head.labelled = head.rows.count();
  head.labels = launch.input(3, "labels", sdk::kInt32, {head.labelled});
  if (launch.checks_only()) return head;
  check_range(head.rows, "rows", head.hidden.size(0));
  check_range(head.labels, "labels", head.classes);
  return head;
}

// Logits of labelled row l, rounded to the activations' type as the list says.
std::vector<double> logits_of(const Head& head, int64_t l, DLDataType type) {
  const int64_t row = static_cast<int64_t>(head.rows[l]) * head.channels;
  std::vector<double> z(static_cast<size_t>(head.classes));
  for (int64_t v = 0; v < head.classes; ++v) {
    double sum = 0;
    for (int64_t c = 0; c < head.channels; ++c) {
      sum += head.hidden[row + c] * head.w[v * head.channels + c];
    }
    z[static_cast<size_t>(v)] = rounded(sum, type);
  }
  return z;
}

double log_sum_exp(const double* z, int64_t count) {
  const double max = *std::max_element(z, z + count);
  double sum = 0;
  for (int64_t v = 0; v < count; ++v) sum += std::exp(z[v] - max);
  return max + std::log(sum);
}

}  // namespace

CrossEntropy cross_entropy(const std::vector<double>& logits, int64_t classes,
                           const std::vector<int32_t>& rows, const std::vector<int32_t>& labels) {
  CrossEntropy result;
  result.grad_logits.assign(logits.size(), 0);
  for (size_t l = 0; l < rows.size(); ++l) {
    const double* z = logits.data() + rows[l] * classes;
    double* grad = result.grad_logits.data() + rows[l] * classes;
    const double lse = log_sum_exp(z, classes);
    result.lse.push_back(lse);
    result.loss += lse - z[labels[l]];
    for (int64_t v = 0; v < classes; ++v) grad[v] += std::exp(z[v] - lse);
    grad[labels[l]] -= 1;
  }
  return result;
}

void linear_cross_entropy(const Launch& launch) {
  launch.counts(4, 2, 0);
  const Head head = read_head(launch);
  Values loss = launch.output(0, "loss", launch.wide(), {1});
  Values lse = launch.output(1, "lse", launch.wide(), {head.labelled});
  if (launch.checks_only()) return;
  for (int64_t l = 0; l < head.labelled; ++l) {
    const std::vector<double> z = logits_of(head, l, launch.activation());
    lse[l] = log_sum_exp(z.data(), head.classes);
    loss[0] += lse[l] - z[static_cast<size_t>(head.labels[l])];
  }
  loss.store();
  lse.store();
}

// dz = dloss (exp(z - lse) - onehot); dhidden[rows] += dz w; dw += dz^T hidden[rows].
void linear_cross_entropy_grad(const Launch& launch) {
  launch.counts(5, 2, 1);
  const Head head = read_head(launch);
  const Values lse = launch.input(4, "lse", launch.wide(), {head.labelled});
  Values dhidden = launch.optional_output(0, "dhidden", launch.activation(),
                                          {head.hidden.size(0), head.channels});
  Values dw;
  if (launch.has_output(1)) {
    dw = launch.in_place(1, "dw", launch.wide(), {head.classes, head.channels});
  }
  if (launch.checks_only()) return;
  for (int64_t l = 0; l < head.labelled; ++l) {
    const std::vector<double> z = logits_of(head, l, launch.activation());
    const int64_t row = static_cast<int64_t>(head.rows[l]) * head.channels;
    for (int64_t v = 0; v < head.classes; ++v) {
      const double hit = static_cast<double>(v) == head.labels[l] ? 1 : 0;
      const double dz = launch.scalar(0) * (std::exp(z[static_cast<size_t>(v)] - lse[l]) - hit);
      for (int64_t c = 0; c < head.channels; ++c) {
        if (dhidden.is_present()) dhidden[row + c] += dz * head.w[v * head.channels + c];
        if (dw.is_present()) dw[v * head.channels + c] += dz * head.hidden[row + c];
      }
    }
  }
  dhidden.store();
  dw.store();
}

}  // namespace mortise::conform
