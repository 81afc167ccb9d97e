// One small case for each operation of device_op_list.h. Letters as in that header; sizes are odd,
// so that blocks and vectors are left unfinished. See device_bench.h.
#include <mortise/draft/device_op_list.h>
#include <mortise/cpp/dlpack.hpp>

#include <cmath>
#include <functional>

#include "plugin/kit/device_bench.h"

namespace mortise::plugin::kit {
namespace {

using sdk::kFloat32;
using sdk::kInt32;

constexpr int64_t N = 9, K = 33, O = 17, R = 5, C = 37, F = 21, V = 23, L = 4, H = 4, G = 2, D = 16;

// Half a unit in the last place of the output on each side, and the rounding of a float32 sum of
// `inner` products.
double bound(DLDataType output, double inner = 1) {
  const double unit = output.code == kDLBfloat ? 0x1p-8 : 0x1p-23;
  return unit + 0x1p-23 * (4 + std::sqrt(inner));
}

class Maker {
 public:
  Maker(DLDataType type, Dice dice) : A(type), dice_(dice) {}
  const DLDataType A;

  Tensor numbers(DLDataType type, std::vector<int64_t> shape, double size = 2) {
    Tensor tensor(type, std::move(shape));
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, dice_.uniform() * size);
    return tensor;
  }
  Tensor a(std::vector<int64_t> shape, double size = 2) {
    return numbers(A, std::move(shape), size);
  }
  Tensor f(std::vector<int64_t> shape) { return numbers(kFloat32, std::move(shape)); }
  Tensor positive(std::vector<int64_t> shape) {
    Tensor tensor(kFloat32, std::move(shape));
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, 1.1 + dice_.uniform());
    return tensor;
  }
  Tensor ids(int64_t count, int64_t below) {
    Tensor tensor(kInt32, {count});
    for (int64_t i = 0; i < count; ++i) {
      tensor.set(i, static_cast<double>(dice_.below(static_cast<uint64_t>(below))));
    }
    return tensor;
  }
  static Tensor ints(std::vector<int32_t> values) {
    Tensor tensor(kInt32, {static_cast<int64_t>(values.size())});
    for (size_t i = 0; i < values.size(); ++i) {
      tensor.set(static_cast<int64_t>(i), static_cast<double>(values[i]));
    }
    return tensor;
  }
  Tensor out(std::vector<int64_t> shape) const { return Tensor(A, std::move(shape)); }
  static Tensor out_f(std::vector<int64_t> shape) { return Tensor(kFloat32, std::move(shape)); }

 private:
  Dice dice_;
};

using Make = std::function<OpCase(Maker&)>;

OpCase made(std::vector<Tensor> inputs, std::vector<Tensor> outputs, std::vector<double> scalars,
            std::vector<double> bounds) {
  OpCase c;
  c.inputs = std::move(inputs);
  c.outputs = std::move(outputs);
  c.scalars = std::move(scalars);
  c.bounds = std::move(bounds);
  return c;
}

double d(int64_t value) {
  return static_cast<double>(value);
}

// Kernels for bfloat16 round probabilities and their gradients to it before the next product (Dao
// et al. 2022, as published), which costs about one more unit for each factor; |v| and |k| reach
// twice the largest output.
double inside(DLDataType type, double plain) {
  return type.code == kDLBfloat ? 3 * plain : plain;
}

OpCase attention(Maker& m) {
  return made({m.a({12, H, D}), m.a({14, G, D}), m.a({14, G, D}), Maker::ints({0, 5, 12}),
               Maker::ints({0, 7, 14})},
              {m.out({12, H, D}), Maker::out_f({H, 12})}, {1 / std::sqrt(d(D)), 1, 0},
              {inside(m.A, bound(m.A, 14)), bound(kFloat32, d(D))});
}

OpCase attention_grad(Maker& m) {
  OpCase forward = attention(m);
  forward.op = MORTISE_OP_ATTENTION;
  forward.activation = forward.weight = m.A;
  const std::vector<Tensor> o = run_reference(forward);
  const auto& in = forward.inputs;
  // The exponent scale * s - lse is formed twice in float32.
  const double limit = inside(m.A, bound(m.A, 16 * 26));
  return made({m.a({12, H, D}), in[0], in[1], in[2], o[0], o[1], in[3], in[4]},
              {m.out({12, H, D}), m.out({14, G, D}), m.out({14, G, D})}, forward.scalars,
              {limit, limit, limit});
}

OpCase cross_entropy(Maker& m) {
  return made({m.a({N, C}, 0.5), m.a({V, C}, 0.5), Maker::ints({0, 2, 3, 8}), m.ids(L, V)},
              {Maker::out_f({1}), Maker::out_f({L})}, {},
              // A logit may round to either neighbour.
              {bound(m.A, d(C)), bound(m.A, d(C))});
}

OpCase cross_entropy_grad(Maker& m) {
  OpCase forward = cross_entropy(m);
  forward.op = MORTISE_OP_LINEAR_CROSS_ENTROPY;
  forward.activation = forward.weight = m.A;
  const std::vector<Tensor> o = run_reference(forward);
  auto in = forward.inputs;
  in.push_back(o[1]);
  return made(std::move(in), {m.out({N, C}), m.f({V, C})}, {0.7},
              // The gradients of logits are rounded to A before they are multiplied.
              {2 * bound(m.A, 16 * d(V + N)), 2 * bound(m.A, 16 * d(V + N))});
}

// name -> case
const std::vector<std::pair<std::string, Make>>& products() {
  static const std::vector<std::pair<std::string, Make>> rows = {
      {MORTISE_OP_LINEAR,
       [](Maker& m) {
         return made({m.a({N, K}), m.a({O, K}), m.a({O})}, {m.out({N, O})}, {}, {bound(m.A, d(K))});
       }},
      {MORTISE_OP_LINEAR_GRAD_INPUT,
       [](Maker& m) {
         return made({m.a({N, O}), m.a({O, K})}, {m.out({N, K})}, {}, {bound(m.A, d(O))});
       }},
      {MORTISE_OP_LINEAR_GRAD_WEIGHT,
       [](Maker& m) {
         return made({m.a({N, O}), m.a({N, K})}, {m.out({O, K}), m.out({O})}, {},
                     {bound(m.A, d(N)), bound(m.A, d(N))});
       }},
      {MORTISE_OP_LINEAR_LORA,
       [](Maker& m) {
         return made({m.a({N, K}), m.a({O, K}), m.a({O}), m.f({R, K}), m.f({O, R})},
                     {m.out({N, O}), Maker::out_f({N, R})}, {0.75},
                     {bound(m.A, d(K + R)), bound(kFloat32, d(K))});
       }},
      {MORTISE_OP_LINEAR_LORA_GRAD,
       [](Maker& m) {
         return made({m.a({N, O}), m.a({N, K}), m.a({O, K}), m.f({R, K}), m.f({O, R}), m.f({N, R})},
                     {m.out({N, K}), Maker::out_f({R, K}), Maker::out_f({O, R})}, {1.5},
                     {bound(m.A, d(O + R)), bound(kFloat32, d(N + O)), bound(kFloat32, d(N))});
       }},
      {MORTISE_OP_ATTENTION, attention},
      {MORTISE_OP_ATTENTION_GRAD, attention_grad},
      {MORTISE_OP_LINEAR_CROSS_ENTROPY, cross_entropy},
      {MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD, cross_entropy_grad},
  };
  return rows;
}

const std::vector<std::pair<std::string, Make>>& norms() {
  static const std::vector<std::pair<std::string, Make>> rows = {
      {MORTISE_OP_RMS_NORM,
       [](Maker& m) {
         return made({m.a({N, C}), m.a({C}), m.a({N, C})},
                     {m.out({N, C}), Maker::out_f({N}), m.out({N, C})}, {1e-6},
                     {2 * bound(m.A, d(C)), bound(kFloat32, d(C)), bound(m.A)});
       }},
      {MORTISE_OP_RMS_NORM_GRAD,
       [](Maker& m) {
         return made({m.a({N, C}), m.a({N, C}), m.a({C}), m.positive({N})},
                     {m.out({N, C}), Maker::out_f({C})}, {},
                     {bound(m.A, d(C)), bound(kFloat32, d(N))});
       }},
      {MORTISE_OP_LAYER_NORM,
       [](Maker& m) {
         return made({m.a({N, C}), m.a({C}), m.a({C})},
                     {m.out({N, C}), Maker::out_f({N}), Maker::out_f({N})}, {1e-5},
                     {bound(m.A, d(C)), bound(kFloat32, d(C)), bound(kFloat32, d(C))});
       }},
      {MORTISE_OP_LAYER_NORM_GRAD,
       [](Maker& m) {
         return made({m.a({N, C}), m.a({N, C}), m.a({C}), m.f({N}), m.positive({N})},
                     {m.out({N, C}), Maker::out_f({C}), Maker::out_f({C})}, {},
                     {bound(m.A, d(C)), bound(kFloat32, d(N)), bound(kFloat32, d(N))});
       }},
      {MORTISE_OP_ADAMW,
       [](Maker& m) {
         OpCase c = made({m.f({C})}, {m.f({C}), m.f({C}), m.positive({C})},
                         {1e-2, 0.9, 0.999, 1e-8, 0.1, 3, 0.5},
                         {bound(kFloat32), bound(kFloat32), bound(kFloat32)});
         c.activation = c.weight = kFloat32;
         return c;
       }},
      {MORTISE_OP_SUM_SQUARES,
       [](Maker& m) { return made({m.a({C})}, {Maker::out_f({1})}, {}, {bound(kFloat32, d(C))}); }},
      {MORTISE_OP_CAST,
       [](Maker& m) {
         OpCase c = made({m.f({C})}, {m.out({C})}, {}, {bound(m.A)});
         c.activation = kFloat32;
         c.weight = m.A;
         return c;
       }},
  };
  return rows;
}

const std::vector<std::pair<std::string, Make>>& pointwise() {
  static const std::vector<std::pair<std::string, Make>> rows = {
      {MORTISE_OP_ROPE,
       [](Maker& m) {
         return made({m.a({N, H, D}), m.a({N, D}), m.a({N, D})}, {m.out({N, H, D})}, {1},
                     {bound(m.A)});
       }},
      {MORTISE_OP_SWIGLU,
       [](Maker& m) {
         return made({m.a({N, F}), m.a({N, F})}, {m.out({N, F})}, {}, {bound(m.A)});
       }},
      {MORTISE_OP_SWIGLU_GRAD,
       [](Maker& m) {
         return made({m.a({N, F}), m.a({N, F}), m.a({N, F})}, {m.out({N, F}), m.out({N, F})}, {},
                     {bound(m.A), bound(m.A)});
       }},
      {MORTISE_OP_GELU,
       [](Maker& m) {
         return made({m.a({N, C})}, {m.out({N, C})}, {1}, {bound(m.A)});
       }},
      {MORTISE_OP_GELU_GRAD,
       [](Maker& m) {
         return made({m.a({N, C}), m.a({N, C})}, {m.out({N, C})}, {1}, {bound(m.A)});
       }},
      {MORTISE_OP_EMBEDDING,
       [](Maker& m) {
         return made({m.ids(N, V), m.a({V, C})}, {m.out({N, C})}, {}, {bound(m.A)});
       }},
      {MORTISE_OP_EMBEDDING_GRAD,
       [](Maker& m) {
         return made({m.a({N, C}), m.ids(N, V)}, {m.f({V, C})}, {}, {bound(kFloat32, d(N))});
       }},
  };
  return rows;
}

}  // namespace

const std::vector<std::string>& all_ops() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const auto* part : {&products(), &norms(), &pointwise()}) {
      for (const auto& [name, make] : *part) out.push_back(name);
    }
    return out;
  }();
  return names;
}

bool is_gradient(std::string_view op) {
  return op.find("_grad") != std::string_view::npos;
}

OpCase op_case(std::string_view op, DLDataType type, Dice dice) {
  for (const auto* part : {&products(), &norms(), &pointwise()}) {
    for (const auto& [name, make] : *part) {
      if (name != op) continue;
      Maker maker(type, dice);
      OpCase c = make(maker);
      c.op = name;
      if (c.activation.bits == 0) c.activation = c.weight = type;
      return c;
    }
  }
  return {};
}

}  // namespace mortise::plugin::kit
