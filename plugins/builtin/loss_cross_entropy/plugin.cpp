// The face of the pack: mortise.loss/1 on logits and mortise.loss.fused_linear/1 on hidden states.
// The sum over the labelled positions; the host divides. Called by the engine through the C ABI.
#include <mortise/cpp/loss.hpp>
#include <mortise/cpp/plugin.hpp>

#include "plans.h"

namespace mortise::loss_cross_entropy {
namespace {

class LogitsLoss : public sdk::Loss {
 public:
  explicit LogitsLoss(sdk::Json) {}
  std::unique_ptr<sdk::LossPlan> prepare(const mortise_loss_shapes& shapes,
                                         const mortise_device_ops*) override {
    return make_logits_plan(shapes);
  }
};

class FusedLinearLoss : public sdk::Loss {
 public:
  explicit FusedLinearLoss(sdk::Json) {}
  std::unique_ptr<sdk::LossPlan> prepare(const mortise_loss_shapes& shapes,
                                         const mortise_device_ops* ops) override {
    if (shapes.channels == 0) {
      throw sdk::invalid_argument(
          "channels is 0: mortise.loss.fused_linear/1 takes hidden states; "
          "logits belong to mortise.loss/1.");
    }
    std::unique_ptr<sdk::LossPlan> plan = make_device_plan(shapes, ops);
    return plan != nullptr ? std::move(plan) : make_fused_plan(shapes);
  }
};

}  // namespace
}  // namespace mortise::loss_cross_entropy

using mortise::loss_cross_entropy::FusedLinearLoss;
using mortise::loss_cross_entropy::LogitsLoss;

MORTISE_PLUGIN("mortise.loss_cross_entropy",
               {MORTISE_KIND_LOSS, mortise::sdk::loss_table<LogitsLoss>()},
               {MORTISE_KIND_LOSS_FUSED_LINEAR, mortise::sdk::loss_table<FusedLinearLoss>()});
