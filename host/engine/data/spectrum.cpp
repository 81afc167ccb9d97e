// Decimation in time (Cooley and Tukey 1965), one level for each prime factor.
#include "engine/data/spectrum.h"

#include <cmath>
#include <numbers>

namespace mortise::engine {

Spectrum::Spectrum(size_t size) : size_(size), roots_(size), in_(size), out_(size) {
  size_t largest = 1;
  for (size_t rest = size, factor = 2; rest > 1;) {
    if (rest % factor != 0) {
      ++factor;
      continue;
    }
    factors_.push_back(factor);
    rest /= factor;
    largest = factor;
  }
  terms_.resize(largest);
  for (size_t k = 0; k < size; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(size);
    roots_[k] = {std::cos(angle), -std::sin(angle)};
  }
}

// out[0 .. size) = the transform of in[0], in[stride], ...
void Spectrum::transform(const Complex* in, size_t stride, Complex* out, size_t size,
                         size_t level) {
  if (size == 1) {
    out[0] = in[0];
    return;
  }
  const size_t radix = factors_[level], part = size / radix, step = size_ / size;
  for (size_t r = 0; r < radix; ++r) {
    transform(in + r * stride, stride * radix, out + r * part, part, level + 1);
  }
  for (size_t j = 0; j < part; ++j) {
    for (size_t r = 0; r < radix; ++r) {
      const Complex x = out[r * part + j], w = roots_[r * j * step];
      terms_[r] = {x.re * w.re - x.im * w.im, x.re * w.im + x.im * w.re};
    }
    for (size_t q = 0; q < radix; ++q) {
      Complex sum = terms_[0];
      for (size_t r = 1; r < radix; ++r) {
        const Complex x = terms_[r], w = roots_[q * r * part * step % size_];
        sum.re += x.re * w.re - x.im * w.im;
        sum.im += x.re * w.im + x.im * w.re;
      }
      out[q * part + j] = sum;
    }
  }
}

void Spectrum::powers(std::span<const double> a, std::span<const double> b, std::span<double> out_a,
                      std::span<double> out_b) {
  for (size_t i = 0; i < size_; ++i) in_[i] = {a[i], b[i]};
  transform(in_.data(), 1, out_.data(), size_, 0);
  // Of z = a + i b: A_k = (Z_k + conj Z_-k) / 2, B_k = (Z_k - conj Z_-k) / 2i.
  for (size_t k = 0; k < bins(); ++k) {
    const Complex z = out_[k], mirror = out_[k == 0 ? 0 : size_ - k];
    const double a_re = z.re + mirror.re, a_im = z.im - mirror.im;
    const double b_re = z.im + mirror.im, b_im = mirror.re - z.re;
    out_a[k] = (a_re * a_re + a_im * a_im) / 4;
    out_b[k] = (b_re * b_re + b_im * b_im) / 4;
  }
}

}  // namespace mortise::engine
