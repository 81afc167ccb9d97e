// mortise/cpp/loss.hpp: write a loss as a class; loss_table<T>() makes the C table. DRAFT as the
// interface.
//
// T derives from Loss and is made as T(Json config). The same table serves MORTISE_KIND_LOSS and
// MORTISE_KIND_LOSS_FUSED_LINEAR, each with its own class. See draft/loss.h for what each call
// means.
#ifndef MORTISE_CPP_LOSS_HPP
#define MORTISE_CPP_LOSS_HPP

#include <mortise/draft/loss.h>
#include <mortise/cpp/dlpack.hpp>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/view.hpp>

namespace mortise::sdk {

// Shapes of a call, for messages and loops: N rows, L labelled, C channels (0 without a head), V
// classes.
struct LossSizes {
  int64_t rows = 0;
  int64_t labelled = 0;
  int64_t channels = 0;
  int64_t classes = 0;
};

struct LossNeeds {
  bool is_deterministic = true;
  uint64_t workspace_bytes = 0;  // during one call
  uint64_t saved_bytes = 0;      // from forward to backward
};

class LossPlan {
 public:
  virtual ~LossPlan() = default;
  virtual LossNeeds needs() const = 0;
  // Writes call.loss and call.saved. [serial]
  virtual void forward(const mortise_loss_call& call) = 0;
  // Writes call.grad_input, adds to call.grad_weight when it is there. [serial]
  virtual void backward(const mortise_loss_call& call) = 0;
};

class Loss {
 public:
  virtual ~Loss() = default;
  // ops: the device's table or NULL, valid as long as the plan. Throws UNIMPLEMENTED naming a dtype
  // or device that it cannot serve. [serial]
  virtual std::unique_ptr<LossPlan> prepare(const mortise_loss_shapes& shapes,
                                            const mortise_device_ops* ops) = 0;
};

// Checks the tensors of a call on input, rows, labels and loss against the plan's shapes: types,
// shapes, and that no size exceeds what was planned. Throws INVALID_ARGUMENT naming the tensor.
// Does not read labels: see check_labels.
inline LossSizes check_loss_call(const mortise_loss_call& call, const mortise_loss_shapes& plan) {
  LossSizes sizes;
  sizes.classes = static_cast<int64_t>(plan.classes);
  sizes.channels = static_cast<int64_t>(plan.channels);
  const int64_t width = sizes.channels > 0 ? sizes.channels : sizes.classes;
  check_tensor(call.input, "input", plan.dtype, {-1, width});
  sizes.rows = call.input->shape[0];
  check_tensor(call.rows, "rows", kInt32, {-1});
  sizes.labelled = call.rows->shape[0];
  check_tensor(call.labels, "labels", kInt32, {sizes.labelled});
  if (sizes.channels > 0) {
    check_tensor(call.weight, "weight", plan.dtype, {sizes.classes, sizes.channels});
  }
  const bool fits = static_cast<uint64_t>(sizes.rows) <= plan.rows_max &&
                    static_cast<uint64_t>(sizes.labelled) <= plan.labelled_max;
  if (!fits) {
    throw invalid_argument("The call has " + std::to_string(sizes.rows) + " rows and " +
                           std::to_string(sizes.labelled) + " labels; the plan allows " +
                           std::to_string(plan.rows_max) + " and " +
                           std::to_string(plan.labelled_max) + ".");
  }
  return sizes;
}

// Throws INVALID_ARGUMENT naming the position of a row or label that is out of range; for tensors
// in host memory.
inline void check_labels(const mortise_loss_call& call, const LossSizes& sizes) {
  const auto* rows = elements<const int32_t>(*call.rows);
  const auto* labels = elements<const int32_t>(*call.labels);
  for (int64_t l = 0; l < sizes.labelled; ++l) {
    const bool row_fits = rows[l] >= 0 && rows[l] < sizes.rows;
    if (row_fits && labels[l] >= 0 && labels[l] < sizes.classes) continue;
    const std::string what = row_fits ? "labels" : "rows";
    throw invalid_argument(what + "[" + std::to_string(l) + "] is " +
                           std::to_string(row_fits ? labels[l] : rows[l]) + ", expected 0 .. " +
                           std::to_string((row_fits ? sizes.classes : sizes.rows) - 1) + ".")
        .at("", l + 1, -1, what);
  }
}

namespace detail {

inline void prepare_loss(Loss* loss, const mortise_loss_shapes* shapes,
                         const mortise_device_ops* ops, mortise_loss_plan** out_plan,
                         mortise_loss_needs* out_needs) {
  const auto known = read_struct(shapes);
  check_flags(known.flags, 0, "mortise_loss_shapes");
  check_reserved(known.reserved, "mortise_loss_shapes");
  auto plan = loss->prepare(known, ops);
  const LossNeeds needs = plan->needs();
  mortise_loss_needs raw{};
  raw.flags = needs.is_deterministic ? 1 : 0;
  raw.workspace_bytes = needs.workspace_bytes;
  raw.saved_bytes = needs.saved_bytes;
  write_struct(out_needs, raw);
  *out_plan = reinterpret_cast<mortise_loss_plan*>(plan.release());
}

}  // namespace detail

// The table over class T; lives as long as the process.
template <class T>
const mortise_loss* loss_table() {
  static const mortise_loss table = [] {
    mortise_loss t{};
    t.struct_size = sizeof(t);
    t.create = [](mortise_text config, mortise_loss_instance** out, mortise_error* error) {
      return guarded(error, [&] {
        const JsonDocument document = parse_config(view(config));
        Loss* made = new T(document.root());
        *out = reinterpret_cast<mortise_loss_instance*>(made);
      });
    };
    t.destroy = [](mortise_loss_instance* instance) { delete reinterpret_cast<Loss*>(instance); };
    t.prepare = [](mortise_loss_instance* instance, const mortise_loss_shapes* shapes,
                   const mortise_device_ops* ops, mortise_loss_plan** out_plan,
                   mortise_loss_needs* out_needs, mortise_error* error) {
      return guarded(error, [&] {
        detail::prepare_loss(reinterpret_cast<Loss*>(instance), shapes, ops, out_plan, out_needs);
      });
    };
    t.plan_destroy = [](mortise_loss_plan* plan) { delete reinterpret_cast<LossPlan*>(plan); };
    t.forward = [](mortise_loss_plan* plan, const mortise_loss_call* call, mortise_error* error) {
      return guarded(error, [&] { reinterpret_cast<LossPlan*>(plan)->forward(read_struct(call)); });
    };
    t.backward = [](mortise_loss_plan* plan, const mortise_loss_call* call, mortise_error* error) {
      return guarded(error,
                     [&] { reinterpret_cast<LossPlan*>(plan)->backward(read_struct(call)); });
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
