// Functions of a vector, over the Vec that was included before. Part of kernels_*.cpp.
//
// exp: x = n ln 2 + r, |r| <= ln(2)/2, the series of e^r to r^7/7! (error below 2^-27), times 2^n.
// erfc: exp(-z^2) t Q(t) with t = 1/(1 + z/2); Q of degree 8 fitted by least squares to 0 <= z <=
// 9.3, relative error 5e-8.
#pragma once

// e^x; 0 below -87.33 (also for minus infinity), about 1.7e38 above 88.
inline Vec exp(Vec x) {
  const Vec low = Vec::all(-87.33f);
  // Why in this order: both give their second operand for NaN, so NaN stays NaN.
  const Vec bounded = Vec::max(low, Vec::min(Vec::all(88.0f), x));
  const Vec n = (bounded * Vec::all(1.44269504f)).nearest();
  Vec r = Vec::fma(n, Vec::all(-0.693145752f), bounded);
  r = Vec::fma(n, Vec::all(-1.42860677e-6f), r);
  Vec y = Vec::all(1.0f / 5040);
  y = Vec::fma(y, r, Vec::all(1.0f / 720));
  y = Vec::fma(y, r, Vec::all(1.0f / 120));
  y = Vec::fma(y, r, Vec::all(1.0f / 24));
  y = Vec::fma(y, r, Vec::all(1.0f / 6));
  y = Vec::fma(y, r, Vec::all(0.5f));
  y = Vec::fma(y, r, Vec::all(1.0f));
  y = Vec::fma(y, r, Vec::all(1.0f));
  return Vec::choose_less(x, low, Vec::all(0), y * n.power_of_two());
}

// s = 1 / (1 + e^-x), and 1 - s without the loss of digits of a difference.
struct Sigmoid {
  Vec value, rest;
};
inline Sigmoid sigmoid(Vec x) {
  const Vec zero = Vec::all(0);
  const Vec e = exp(zero - x.size());
  const Vec large = Vec::all(1) / (Vec::all(1) + e), small = e * large;
  return {Vec::choose_less(x, zero, small, large), Vec::choose_less(x, zero, large, small)};
}

// The share of the standard normal distribution below x.
inline Vec normal_share(Vec x) {
  const Vec z = x.size() * Vec::all(0.707106781f);
  const Vec t = Vec::all(1) / Vec::fma(z, Vec::all(0.5f), Vec::all(1));
  Vec q = Vec::all(-0.0598510222f);
  constexpr float kQ[] = {0.288213642f, -0.494333211f, 0.285727713f, -0.0315292577f,
                          0.204591846f, 0.242667731f,  0.282428768f, 0.282083742f};
  for (const float c : kQ) {
    q = Vec::fma(q, t, Vec::all(c));
  }
  const Vec tail = exp(Vec::all(0) - z * z) * t * q * Vec::all(0.5f);
  return Vec::choose_less(x, Vec::all(0), tail, Vec::all(1) - tail);
}
