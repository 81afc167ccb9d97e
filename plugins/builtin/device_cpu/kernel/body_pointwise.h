// Element by element: conversions, SwiGLU, GELU, AdamW, the sum of squares. Part of kernels_*.cpp,
// over the Vec that was included before; for_vectors is in body_rows.h.
#pragma once

template <class T>
void widen_as(const void* from, float* to, int64_t count) {
  const T* x = static_cast<const T*>(from);
  for_vectors(count, [&](int64_t i, int64_t n) { Vec::load(x + i, n).store(to + i, n); });
}
void widen(Type type, const void* from, float* to, int64_t count) {
  type == Type::kFloat32 ? widen_as<float>(from, to, count) : widen_as<uint16_t>(from, to, count);
}

template <class T>
void narrow_as(const float* from, void* to, int64_t count) {
  T* y = static_cast<T*>(to);
  for_vectors(count, [&](int64_t i, int64_t n) { Vec::load(from + i, n).store(y + i, n); });
}
void narrow(Type type, const float* from, void* to, int64_t count) {
  type == Type::kFloat32 ? narrow_as<float>(from, to, count) : narrow_as<uint16_t>(from, to, count);
}

void add(const float* from, float* to, int64_t count) {
  for_vectors(count, [&](int64_t i, int64_t n) {
    (Vec::load(from + i, n) + Vec::load(to + i, n)).store(to + i, n);
  });
}

template <class T>
void swiglu_as(const void* gate_in, const void* up_in, void* y_out, int64_t count) {
  const T* gate = static_cast<const T*>(gate_in);
  const T* up = static_cast<const T*>(up_in);
  T* y = static_cast<T*>(y_out);
  for_vectors(count, [&](int64_t i, int64_t n) {
    const Vec g = Vec::load(gate + i, n);
    (g * sigmoid(g).value * Vec::load(up + i, n)).store(y + i, n);
  });
}
void swiglu(Type type, const void* gate, const void* up, void* y, int64_t count) {
  type == Type::kFloat32 ? swiglu_as<float>(gate, up, y, count)
                         : swiglu_as<uint16_t>(gate, up, y, count);
}

template <class T>
void swiglu_grad_as(const void* dy_in, const void* gate_in, const void* up_in, void* dgate_out,
                    void* dup_out, int64_t count) {
  const T* dy = static_cast<const T*>(dy_in);
  const T* gate = static_cast<const T*>(gate_in);
  const T* up = static_cast<const T*>(up_in);
  T* dgate = static_cast<T*>(dgate_out);
  T* dup = static_cast<T*>(dup_out);
  for_vectors(count, [&](int64_t i, int64_t n) {
    const Vec grad = Vec::load(dy + i, n), g = Vec::load(gate + i, n), u = Vec::load(up + i, n);
    const Sigmoid s = sigmoid(g);
    const Vec slope = Vec::fma(g, s.rest, Vec::all(1));
    (grad * g * s.value).store(dup + i, n);
    (grad * u * s.value * slope).store(dgate + i, n);
  });
}
void swiglu_grad(Type type, const void* dy, const void* gate, const void* up, void* dgate,
                 void* dup, int64_t count) {
  type == Type::kFloat32 ? swiglu_grad_as<float>(dy, gate, up, dgate, dup, count)
                         : swiglu_grad_as<uint16_t>(dy, gate, up, dgate, dup, count);
}

// GELU as x share(x). Kinds: 0 erf, 1 tanh (0.5 (1 + tanh u) = sigmoid(2 u)), 2 quick.
inline Vec gelu_share(Vec x, int kind, Vec& share_slope) {
  if (kind == 0) {
    share_slope = Vec::all(0.398942280f) * exp(Vec::all(-0.5f) * x * x);
    return normal_share(x);
  }
  const float a = kind == 1 ? 1.59576912f : 1.702f;  // 2 sqrt(2/pi)
  const float cubic = kind == 1 ? 0.044715f : 0.0f;
  const Vec square = x * x;
  const Sigmoid s = sigmoid(Vec::all(a) * x * Vec::fma(square, Vec::all(cubic), Vec::all(1)));
  const Vec inner = Vec::all(a) * Vec::fma(square, Vec::all(3 * cubic), Vec::all(1));
  share_slope = s.value * s.rest * inner;
  return s.value;
}

template <class T>
void gelu_as(int kind, const void* x_in, void* y_out, int64_t count) {
  const T* x = static_cast<const T*>(x_in);
  T* y = static_cast<T*>(y_out);
  for_vectors(count, [&](int64_t i, int64_t n) {
    Vec slope = Vec::all(0);
    const Vec value = Vec::load(x + i, n);
    (value * gelu_share(value, kind, slope)).store(y + i, n);
  });
}
void gelu(Type type, int kind, const void* x, void* y, int64_t count) {
  type == Type::kFloat32 ? gelu_as<float>(kind, x, y, count) : gelu_as<uint16_t>(kind, x, y, count);
}

template <class T>
void gelu_grad_as(int kind, const void* dy_in, const void* x_in, void* dx_out, int64_t count) {
  const T* dy = static_cast<const T*>(dy_in);
  const T* x = static_cast<const T*>(x_in);
  T* dx = static_cast<T*>(dx_out);
  for_vectors(count, [&](int64_t i, int64_t n) {
    Vec slope = Vec::all(0);
    const Vec value = Vec::load(x + i, n);
    const Vec share = gelu_share(value, kind, slope);
    (Vec::load(dy + i, n) * Vec::fma(value, slope, share)).store(dx + i, n);
  });
}
void gelu_grad(Type type, int kind, const void* dy, const void* x, void* dx, int64_t count) {
  type == Type::kFloat32 ? gelu_grad_as<float>(kind, dy, x, dx, count)
                         : gelu_grad_as<uint16_t>(kind, dy, x, dx, count);
}

// Loshchilov & Hutter 2019, in torch's order; see MORTISE_OP_ADAMW.
void adamw(const Adamw& p) {
  for_vectors(p.count, [&](int64_t i, int64_t n) {
    const Vec g = Vec::load(p.grad + i, n) * Vec::all(p.grad_scale);
    const Vec m = Vec::all(p.beta1) * Vec::load(p.m + i, n) + Vec::all(p.one_minus_beta1) * g;
    const Vec v = Vec::all(p.beta2) * Vec::load(p.v + i, n) + Vec::all(p.one_minus_beta2) * g * g;
    const Vec size = v.root() / Vec::all(p.root_correction) + Vec::all(p.eps);
    const Vec kept = Vec::load(p.param + i, n) * Vec::all(p.decay);
    m.store(p.m + i, n);
    v.store(p.v + i, n);
    (kept - Vec::all(p.step_size) * m / size).store(p.param + i, n);
  });
}

template <class T>
double sum_squares_as(const void* x_in, int64_t count) {
  const T* x = static_cast<const T*>(x_in);
  double total = 0;
  constexpr int64_t kBlock = 1024;  // a float sum runs over 1024 / width squares at most
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    Vec sum = Vec::all(0);
    const int64_t size = count - begin < kBlock ? count - begin : kBlock;
    for_vectors(size, [&](int64_t i, int64_t n) {
      const Vec value = Vec::load(x + begin + i, n);
      sum = Vec::fma(value, value, sum);
    });
    total += static_cast<double>(sum.total());
  }
  return total;
}
double sum_squares(Type type, const void* x, int64_t count) {
  return type == Type::kFloat32 ? sum_squares_as<float>(x, count)
                                : sum_squares_as<uint16_t>(x, count);
}
