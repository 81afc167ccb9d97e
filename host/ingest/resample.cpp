// Output j of phase p = j % out stands at input place j * in / out; its taps are the samples within
// `width` of there. Only the taps that are not zero are kept: 12 * max(in, out) numbers at most.
#include "ingest/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace mortise::ingest {
namespace {

constexpr double kCrossings = 6, kRollOff = 0.99;

}  // namespace

Resampler::Resampler(int64_t rate_in, int64_t rate_out) {
  const int64_t shared = std::gcd(rate_in, rate_out);
  in_ = rate_in / shared;
  out_ = rate_out / shared;
  if (in_ == out_) {
    filter_ = {1.0f};
    return;
  }
  const auto in = static_cast<double>(in_), out = static_cast<double>(out_);
  const double cut = std::min(in, out) * kRollOff;
  width_ = static_cast<int64_t>(std::ceil(kCrossings * in / cut));
  taps_ = 2 * width_ + 2;
  filter_.reserve(static_cast<size_t>(out_ * taps_));
  for (int64_t phase = 0; phase < out_; ++phase) {
    const int64_t first = phase * in_ / out_ - width_;
    for (int64_t i = first; i < first + taps_; ++i) {
      const double place = static_cast<double>(i) / in - static_cast<double>(phase) / out;
      const double t = std::clamp(place * cut, -kCrossings, kCrossings);
      const double root = std::cos(t * std::numbers::pi / kCrossings / 2);
      const double x = t * std::numbers::pi;
      const double sinc = x == 0 ? 1 : std::sin(x) / x;
      filter_.push_back(static_cast<float>(sinc * root * root * cut / in));
    }
  }
  begin_ = -width_;
  window_.assign(static_cast<size_t>(width_), 0.0f);
}

void Resampler::push(std::span<const float> samples) {
  window_.insert(window_.end(), samples.begin(), samples.end());
  taken_ += static_cast<int64_t>(samples.size());
}

size_t Resampler::pull(std::span<float> out) {
  const int64_t whole = taken_ / in_, rest = taken_ % in_;
  const int64_t last = whole * out_ + (rest * out_ + in_ - 1) / in_;
  size_t count = 0;
  for (; count < out.size(); ++count, ++given_) {
    const int64_t phase = given_ % out_;
    const int64_t first = given_ / out_ * in_ + phase * in_ / out_ - width_;
    if (is_finished_ ? given_ >= last : first + taps_ > taken_) break;
    const float* filter = filter_.data() + phase * taps_;
    const int64_t known = std::min(taps_, taken_ - first);  // silence behind the last sample
    const float* from = window_.data() + (first - begin_);
    float sum = 0;
    for (int64_t i = 0; i < known; ++i) sum += filter[i] * from[i];
    out[count] = sum;
  }
  // Samples that no later output needs go.
  const int64_t next = given_ / out_ * in_ + given_ % out_ * in_ / out_ - width_;
  const int64_t done = std::min(next - begin_, static_cast<int64_t>(window_.size()));
  if (done > 0) {
    window_.erase(window_.begin(), window_.begin() + done);
    begin_ += done;
  }
  return count;
}

}  // namespace mortise::ingest
