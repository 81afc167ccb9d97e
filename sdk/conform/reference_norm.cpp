// RMSNorm and LayerNorm in double. Letters: N rows, C channels, n the normalised row, g = dy
// weight.
#include <cmath>

#include "conform/reference_call.h"

namespace mortise::conform {

void rms_norm(const Launch& launch) {
  launch.counts(3, 3, 1);
  const DLDataType type = launch.activation();
  Values s = launch.input(0, "x", type, {-1, -1});
  const int64_t rows = s.size(0), channels = s.size(1);
  const Values weight = launch.input(1, "weight", type, {channels});
  const Values residual = launch.optional_input(2, "residual", type, {rows, channels});
  Values y = launch.output(0, "y", type, {rows, channels});
  Values rstd = launch.output(1, "rstd", launch.wide(), {rows});
  Values sum = launch.optional_output(2, "sum", type, {rows, channels});
  if (launch.checks_only()) return;
  for (int64_t r = 0; r < rows; ++r) {
    double square = 0;
    for (int64_t i = r * channels; i < (r + 1) * channels; ++i) {
      if (residual.is_present()) s[i] = rounded(s[i] + residual[i], type);
      if (sum.is_present()) sum[i] = s[i];
      square += s[i] * s[i];
    }
    rstd[r] = 1 / std::sqrt(square / static_cast<double>(channels) + launch.scalar(0));
    for (int64_t c = 0; c < channels; ++c) {
      y[r * channels + c] = rounded(s[r * channels + c] * rstd[r], type) * weight[c];
    }
  }
  y.store();
  rstd.store();
  sum.store();
}

// dx = rstd (g - n mean(g n)); dweight = sum over N of dy n.
void rms_norm_grad(const Launch& launch) {
  launch.counts(4, 2, 0);
  const DLDataType type = launch.activation();
  const Values dy = launch.input(0, "dy", type, {-1, -1});
  const int64_t rows = dy.size(0), channels = dy.size(1);
  const Values s = launch.input(1, "s", type, {rows, channels});
  const Values weight = launch.input(2, "weight", type, {channels});
  const Values rstd = launch.input(3, "rstd", launch.wide(), {rows});
  Values dx = launch.output(0, "dx", type, {rows, channels});
  Values dweight = launch.optional_output(1, "dweight", launch.wide(), {channels});
  if (launch.checks_only()) return;
  for (int64_t r = 0; r < rows; ++r) {
    double dot = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = r * channels + c;
      dot += dy[i] * weight[c] * s[i] * rstd[r];
      if (dweight.is_present()) dweight[c] += dy[i] * s[i] * rstd[r];
    }
    const double mean = dot / static_cast<double>(channels);
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = r * channels + c;
      dx[i] = rstd[r] * (dy[i] * weight[c] - s[i] * rstd[r] * mean);
    }
  }
  dx.store();
  dweight.store();
}

void layer_norm(const Launch& launch) {
  launch.counts(3, 3, 1);
  const DLDataType type = launch.activation();
  const Values x = launch.input(0, "x", type, {-1, -1});
  const int64_t rows = x.size(0), channels = x.size(1);
  const Values weight = launch.input(1, "weight", type, {channels});
  const Values bias = launch.input(2, "bias", type, {channels});
  Values y = launch.output(0, "y", type, {rows, channels});
  Values mean = launch.output(1, "mean", launch.wide(), {rows});
  Values rstd = launch.output(2, "rstd", launch.wide(), {rows});
  if (launch.checks_only()) return;
  const auto width = static_cast<double>(channels);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < channels; ++c) mean[r] += x[r * channels + c] / width;
    double variance = 0;
    for (int64_t c = 0; c < channels; ++c) {
      variance += std::pow(x[r * channels + c] - mean[r], 2) / width;
    }
    rstd[r] = 1 / std::sqrt(variance + launch.scalar(0));
    for (int64_t c = 0; c < channels; ++c) {
      const double n = (x[r * channels + c] - mean[r]) * rstd[r];
      y[r * channels + c] = n * weight[c] + bias[c];
    }
  }
  y.store();
  mean.store();
  rstd.store();
}

// dx = rstd (g - mean(g) - n mean(g n)); dweight = sum of dy n; dbias = sum of dy.
void layer_norm_grad(const Launch& launch) {
  launch.counts(5, 3, 0);
  const DLDataType type = launch.activation();
  const Values dy = launch.input(0, "dy", type, {-1, -1});
  const int64_t rows = dy.size(0), channels = dy.size(1);
  const Values x = launch.input(1, "x", type, {rows, channels});
  const Values weight = launch.input(2, "weight", type, {channels});
  const Values mean = launch.input(3, "mean", launch.wide(), {rows});
  const Values rstd = launch.input(4, "rstd", launch.wide(), {rows});
  Values dx = launch.output(0, "dx", type, {rows, channels});
  Values dweight = launch.optional_output(1, "dweight", launch.wide(), {channels});
  Values dbias = launch.optional_output(2, "dbias", launch.wide(), {channels});
  if (launch.checks_only()) return;
  const auto width = static_cast<double>(channels);
  for (int64_t r = 0; r < rows; ++r) {
    double mean_g = 0, mean_gn = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = r * channels + c;
      const double n = (x[i] - mean[r]) * rstd[r];
      mean_g += dy[i] * weight[c] / width;
      mean_gn += dy[i] * weight[c] * n / width;
      if (dweight.is_present()) dweight[c] += dy[i] * n;
      if (dbias.is_present()) dbias[c] += dy[i];
    }
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = r * channels + c;
      const double n = (x[i] - mean[r]) * rstd[r];
      dx[i] = rstd[r] * (dy[i] * weight[c] - mean_g - n * mean_gn);
    }
  }
  dx.store();
  dweight.store();
  dbias.store();
}

}  // namespace mortise::conform
