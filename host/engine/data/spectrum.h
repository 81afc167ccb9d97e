// The power spectra of frames of sound, by a fast Fourier transform of any size whose prime factors
// are small (400 is 2^4 x 5^2). Called by data/log_mel. Knows nothing of files or of mel scales.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace mortise::engine {

class Spectrum {  // [serial]: it works in memory of its own
 public:
  // Of frames of `size` samples, from 1.
  explicit Spectrum(size_t size);

  size_t size() const { return size_; }
  size_t bins() const { return size_ / 2 + 1; }

  // |X_k|^2, k = 0 .. size/2, of two real frames of size() samples in one complex transform: out_a
  // and out_b have bins() numbers.
  void powers(std::span<const double> a, std::span<const double> b, std::span<double> out_a,
              std::span<double> out_b);

 private:
  struct Complex {
    double re = 0, im = 0;
  };
  void transform(const Complex* in, size_t stride, Complex* out, size_t size, size_t level);

  size_t size_;
  std::vector<size_t> factors_;
  std::vector<Complex> roots_;  // exp(-2 pi i k / size)
  std::vector<Complex> in_, out_, terms_;
};

}  // namespace mortise::engine
