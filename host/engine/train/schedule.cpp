// The formulas of transformers' optimization.py, in its order of operations: equal to the last
// bits.
#include "engine/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numbers>
#include <string_view>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using Factor = std::function<double(double)>;

constexpr double kPi = std::numbers::pi;

struct Facts {
  double warmup, steps, learning_rate;
  const Json& options;
  double number(std::string_view name, double otherwise) const {
    return options[name].as_double(otherwise);
  }
};

double ramp(double step, double warmup) {
  return step / std::max(1.0, warmup);
}
double progress_of(double step, const double warmup, double steps) {
  return (step - warmup) / std::max(1.0, steps - warmup);
}

Factor linear(const Facts& f) {
  return [=, warmup = f.warmup, steps = f.steps](double step) {
    if (step < warmup) return ramp(step, warmup);
    return std::max(0.0, (steps - step) / std::max(1.0, steps - warmup));
  };
}

Factor cosine(const Facts& f) {
  const double cycles = f.number("num_cycles", 0.5);
  return [=, warmup = f.warmup, steps = f.steps](double step) {
    if (step < warmup) return ramp(step, warmup);
    const double progress = progress_of(step, warmup, steps);
    return std::max(0.0, 0.5 * (1.0 + std::cos(kPi * cycles * 2.0 * progress)));
  };
}

Factor cosine_with_restarts(const Facts& f) {
  const double cycles = f.number("num_cycles", 1);
  return [=, warmup = f.warmup, steps = f.steps](double step) {
    if (step < warmup) return ramp(step, warmup);
    const double progress = progress_of(step, warmup, steps);
    if (progress >= 1.0) return 0.0;
    return std::max(0.0, 0.5 * (1.0 + std::cos(kPi * std::fmod(cycles * progress, 1.0))));
  };
}

double floor_rate(const Facts& f) {
  if (f.options.contains("min_lr")) return f.number("min_lr", 0) / f.learning_rate;
  return f.number("min_lr_rate", 0);
}

Factor cosine_with_min_lr(const Facts& f) {
  const double cycles = f.number("num_cycles", 0.5), least = floor_rate(f);
  return [=, warmup = f.warmup, steps = f.steps](double step) {
    if (step < warmup) return ramp(step, warmup);
    const double progress = progress_of(step, warmup, steps);
    const double factor = 0.5 * (1.0 + std::cos(kPi * cycles * 2.0 * progress));
    return std::max(0.0, factor * (1 - least) + least);
  };
}

Factor cosine_warmup_with_min_lr(const Facts& f) {
  const double cycles = f.number("num_cycles", 0.5), least = floor_rate(f);
  const bool has_first = f.options["warmup_lr_rate"].is_number();
  const double first = f.number("warmup_lr_rate", 0);
  return [=, warmup = f.warmup, steps = f.steps](double step) {
    if (step < warmup && !has_first) return (step + 1.0) / std::max(1.0, warmup);
    if (step < warmup) return first + (1.0 - first) * step / std::max(1.0, warmup - 1);
    const double progress = (step - warmup + 1.0) / std::max(1.0, steps - warmup);
    const double factor = 0.5 * (1.0 + std::cos(kPi * cycles * 2.0 * progress));
    return std::max(0.0, factor * (1 - least) + least);
  };
}

Factor polynomial(const Facts& f) {
  const double end = f.number("lr_end", 1e-7), power = f.number("power", 1.0);
  return [=, warmup = f.warmup, steps = f.steps, start = f.learning_rate](double step) {
    if (step < warmup) return ramp(step, warmup);
    if (step > steps) return end / start;
    const double left = 1 - (step - warmup) / (steps - warmup);
    return ((start - end) * std::pow(left, power) + end) / start;
  };
}

Factor inverse_sqrt(const Facts& f) {
  const double given = f.number("timescale", 0);
  const double scale = given > 0 ? given : f.warmup > 0 ? f.warmup : 10000;
  return [=, warmup = f.warmup](double step) {
    if (step < warmup) return ramp(step, warmup);
    return 1.0 / std::sqrt((step + scale - warmup) / scale);
  };
}

double shaped(const std::string& shape, double progress, double cycles, bool rising) {
  if (shape == "linear") return rising ? progress : 1 - progress;
  if (shape == "1-sqrt") return rising ? 1 - std::sqrt(1 - progress) : 1 - std::sqrt(progress);
  const double wave = std::cos(kPi * (rising ? 1.0 : cycles * 2.0) * progress);
  return 0.5 * (rising ? 1 - wave : 1 + wave);
}

Factor warmup_stable_decay(const Facts& f) {
  const double decay = f.number("num_decay_steps", 0);
  const double stable = f.number("num_stable_steps", f.steps - f.warmup - decay);
  const double least = f.number("min_lr_ratio", 0), cycles = f.number("num_cycles", 0.5);
  const auto name = [&](const char* field, const char* otherwise) {
    return f.options[field].is_string() ? f.options[field].as_string() : std::string(otherwise);
  };
  return [=, warmup = f.warmup, rise = name("warmup_type", "linear"),
          fall = name("decay_type", "cosine")](double step) {
    if (step < warmup) {
      const double factor = shaped(rise, ramp(step, warmup), cycles, true);
      return std::max(0.0, factor * (1 - least) + least);
    }
    if (step < warmup + stable) return 1.0;
    if (step >= warmup + stable + decay) return least;
    const double progress = (step - warmup - stable) / std::max(1.0, decay);
    return std::max(0.0, shaped(fall, progress, cycles, false) * (1 - least) + least);
  };
}

struct Kind {
  const char* name;
  Factor (*make)(const Facts&);
  std::initializer_list<std::string_view> options;
};

Factor constant(const Facts&) {
  return [](double) { return 1.0; };
}
Factor constant_with_warmup(const Facts& f) {
  return [warmup = f.warmup](double step) { return step < warmup ? ramp(step, warmup) : 1.0; };
}

const Kind kKinds[] = {
    {"constant", constant, {}},
    {"constant_with_warmup", constant_with_warmup, {}},
    {"linear", linear, {}},
    {"cosine", cosine, {"num_cycles"}},
    {"cosine_with_restarts", cosine_with_restarts, {"num_cycles"}},
    {"cosine_with_min_lr", cosine_with_min_lr, {"num_cycles", "min_lr", "min_lr_rate"}},
    {"cosine_warmup_with_min_lr",
     cosine_warmup_with_min_lr,
     {"num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"}},
    {"polynomial", polynomial, {"lr_end", "power"}},
    {"inverse_sqrt", inverse_sqrt, {"timescale"}},
    {"warmup_stable_decay",
     warmup_stable_decay,
     {"num_decay_steps", "num_stable_steps", "min_lr_ratio", "num_cycles", "warmup_type",
      "decay_type"}},
};

}  // namespace

base::Result<Schedule> Schedule::create(const ScheduleOptions& options) {
  if (options.type == "reduce_lr_on_plateau") {
    return Error(Code::kUnimplemented, "The schedule reduce_lr_on_plateau is not supported here.")
        .at_field("/train/lr_scheduler_type");
  }
  for (const Kind& kind : kKinds) {
    if (options.type != kind.name) continue;
    for (const auto& [name, value] : options.options.members()) {
      const bool known =
          std::find(kind.options.begin(), kind.options.end(), name) != kind.options.end();
      if (known) continue;
      return Error(Code::kInvalidArgument,
                   "The schedule " + options.type + " has no option \"" + name + "\".")
          .at_field("/train/lr_scheduler_kwargs/" + name);
    }
    const Facts facts{.warmup = static_cast<double>(options.warmup_steps),
                      .steps = static_cast<double>(options.training_steps),
                      .learning_rate = options.learning_rate,
                      .options = options.options};
    return Schedule(options.learning_rate, kind.make(facts));
  }
  return Error(Code::kInvalidArgument, "The schedule \"" + options.type + "\" is not known.")
      .at_field("/train/lr_scheduler_type");
}

}  // namespace mortise::engine
