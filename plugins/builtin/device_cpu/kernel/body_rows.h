// Normalisations, RoPE and gated units: one pass or two over each row. Part of kernels_*.cpp, over
// the Vec that was included before.
#pragma once

// Calls body(column, elements) over `count` elements, a vector at a time.
template <class Body>
inline void for_vectors(int64_t count, Body body) {
  int64_t i = 0;
  for (; i + Vec::kWidth <= count; i += Vec::kWidth) body(i, Vec::kWidth);
  if (i < count) body(i, count - i);
}

// x rounded to T and back.
inline Vec as_type(Vec x, const float*) {
  return x;
}
inline Vec as_type(Vec x, const uint16_t*) {
  return x.to_bfloat16();
}

template <class T>
void rms_norm_as(const RmsNorm& p) {
  const T* weight = static_cast<const T*>(p.weight);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* x = static_cast<const T*>(p.x) + r * p.channels;
    const T* residual =
        p.residual == nullptr ? nullptr : static_cast<const T*>(p.residual) + r * p.channels;
    T* sum = p.sum == nullptr ? nullptr : static_cast<T*>(p.sum) + r * p.channels;
    T* y = static_cast<T*>(p.y) + r * p.channels;
    const auto s_at = [&](int64_t c, int64_t n) {
      const Vec own = Vec::load(x + c, n);
      return residual == nullptr ? own : as_type(own + Vec::load(residual + c, n), x);
    };
    Vec squares = Vec::all(0);
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec s = s_at(c, n);
      if (sum != nullptr) s.store(sum + c, n);
      squares = Vec::fma(s, s, squares);
    });
    const float rstd =
        1.0f / __builtin_sqrtf(squares.total() / static_cast<float>(p.channels) + p.eps);
    p.rstd[r] = rstd;
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec normed = as_type(s_at(c, n) * Vec::all(rstd), x);
      (normed * Vec::load(weight + c, n)).store(y + c, n);
    });
  }
}
void rms_norm(Type type, const RmsNorm& p) {
  type == Type::kFloat32 ? rms_norm_as<float>(p) : rms_norm_as<uint16_t>(p);
}

// dx = rstd (g - n mean(g n)), g = dy weight, n = s rstd; dweight += dy n.
template <class T>
void rms_norm_grad_as(const RmsNormGrad& p) {
  const T* weight = static_cast<const T*>(p.weight);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* dy = static_cast<const T*>(p.dy) + r * p.channels;
    const T* s = static_cast<const T*>(p.s) + r * p.channels;
    T* dx = static_cast<T*>(p.dx) + r * p.channels;
    const Vec rstd = Vec::all(p.rstd[r]);
    Vec dot = Vec::all(0);
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec g = Vec::load(dy + c, n) * Vec::load(weight + c, n);
      dot = Vec::fma(g, Vec::load(s + c, n) * rstd, dot);
    });
    const Vec mean = Vec::all(dot.total() / static_cast<float>(p.channels));
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec grad = Vec::load(dy + c, n);
      const Vec normed = Vec::load(s + c, n) * rstd;
      (rstd * (grad * Vec::load(weight + c, n) - normed * mean)).store(dx + c, n);
      if (p.dweight == nullptr) return;
      Vec::fma(grad, normed, Vec::load(p.dweight + c, n)).store(p.dweight + c, n);
    });
  }
}
void rms_norm_grad(Type type, const RmsNormGrad& p) {
  type == Type::kFloat32 ? rms_norm_grad_as<float>(p) : rms_norm_grad_as<uint16_t>(p);
}

template <class T>
void layer_norm_as(const LayerNorm& p) {
  const T* weight = static_cast<const T*>(p.weight);
  const T* bias = static_cast<const T*>(p.bias);
  const float width = static_cast<float>(p.channels);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* x = static_cast<const T*>(p.x) + r * p.channels;
    T* y = static_cast<T*>(p.y) + r * p.channels;
    Vec sum = Vec::all(0);
    for_vectors(p.channels, [&](int64_t c, int64_t n) { sum = sum + Vec::load(x + c, n); });
    const float mean = sum.total() / width;
    Vec squares = Vec::all(0);
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec away = Vec::choose_range(Vec::load(x + c, n) - Vec::all(mean), Vec::all(0), 0, n);
      squares = Vec::fma(away, away, squares);
    });
    const float rstd = 1.0f / __builtin_sqrtf(squares.total() / width + p.eps);
    p.mean[r] = mean;
    p.rstd[r] = rstd;
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec normed = (Vec::load(x + c, n) - Vec::all(mean)) * Vec::all(rstd);
      Vec::fma(normed, Vec::load(weight + c, n), Vec::load(bias + c, n)).store(y + c, n);
    });
  }
}
void layer_norm(Type type, const LayerNorm& p) {
  type == Type::kFloat32 ? layer_norm_as<float>(p) : layer_norm_as<uint16_t>(p);
}

// dx = rstd (g - mean(g) - n mean(g n)); dweight += dy n; dbias += dy.
template <class T>
void layer_norm_grad_as(const LayerNormGrad& p) {
  const T* weight = static_cast<const T*>(p.weight);
  const float width = static_cast<float>(p.channels);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* dy = static_cast<const T*>(p.dy) + r * p.channels;
    const T* x = static_cast<const T*>(p.x) + r * p.channels;
    T* dx = static_cast<T*>(p.dx) + r * p.channels;
    const Vec mean = Vec::all(p.mean[r]), rstd = Vec::all(p.rstd[r]);
    Vec sum_g = Vec::all(0), sum_gn = Vec::all(0);
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec g = Vec::load(dy + c, n) * Vec::load(weight + c, n);  // 0 past the end
      sum_g = sum_g + g;
      sum_gn = Vec::fma(g, (Vec::load(x + c, n) - mean) * rstd, sum_gn);
    });
    const Vec mean_g = Vec::all(sum_g.total() / width);
    const Vec mean_gn = Vec::all(sum_gn.total() / width);
    for_vectors(p.channels, [&](int64_t c, int64_t n) {
      const Vec grad = Vec::load(dy + c, n);
      const Vec normed = (Vec::load(x + c, n) - mean) * rstd;
      const Vec g = grad * Vec::load(weight + c, n);
      (rstd * (g - mean_g - normed * mean_gn)).store(dx + c, n);
      if (p.dweight != nullptr) {
        Vec::fma(grad, normed, Vec::load(p.dweight + c, n)).store(p.dweight + c, n);
      }
      if (p.dbias != nullptr) (grad + Vec::load(p.dbias + c, n)).store(p.dbias + c, n);
    });
  }
}
void layer_norm_grad(Type type, const LayerNormGrad& p) {
  type == Type::kFloat32 ? layer_norm_grad_as<float>(p) : layer_norm_grad_as<uint16_t>(p);
}

template <class T>
void rope_as(const Rope& p) {
  const int64_t half = p.size / 2;
  const Vec sign = Vec::all(p.sign);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* cos = static_cast<const T*>(p.cos) + r * p.size;
    const T* sin = static_cast<const T*>(p.sin) + r * p.size;
    for (int64_t h = 0; h < p.heads; ++h) {
      const T* x = static_cast<const T*>(p.x) + (r * p.heads + h) * p.size;
      T* y = static_cast<T*>(p.y) + (r * p.heads + h) * p.size;
      for_vectors(half, [&](int64_t d, int64_t n) {
        const Vec a = Vec::load(x + d, n), b = Vec::load(x + half + d, n);
        const Vec turn_a = sign * Vec::load(sin + d, n);
        const Vec turn_b = sign * Vec::load(sin + half + d, n);
        (a * Vec::load(cos + d, n) - b * turn_a).store(y + d, n);
        Vec::fma(b, Vec::load(cos + half + d, n), a * turn_b).store(y + half + d, n);
      });
    }
  }
}
void rope(Type type, const Rope& p) {
  type == Type::kFloat32 ? rope_as<float>(p) : rope_as<uint16_t>(p);
}
