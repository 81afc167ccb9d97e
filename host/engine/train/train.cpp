// The loop. Loss of a step: the objective's sum over all its rows divided by their N (of labelled
// tokens: their number), whatever the cut into passes (transformers' num_items_in_batch). Then the
// gradient is clipped to max_grad_norm by its 2-norm, AdamW moves, and the schedule goes on.
#include "engine/train/train.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include "base/crypto.h"
#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/train/batch.h"
#include "engine/train/feature_cache.h"
#include "engine/train/finish.h"
#include "engine/train/held_out.h"
#include "engine/train/objective.h"
#include "engine/train/passes.h"
#include "engine/train/run_state.h"
#include "engine/train/schedule.h"
#include "engine/train/setup.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;

constexpr int64_t kHeldOutRowsMax = 64;  // evaluation during training stays short

class Trainer {
 public:
  Trainer(base::FileOps& files, base::Clock& clock, const TrainRequest& request,
          const TrainHooks& hooks)
      : files_(files), clock_(clock), request_(request), hooks_(hooks) {}

  base::Result<TrainResult> run() {
    const int64_t begin = clock_.monotonic_ns();
    MORTISE_TRY(set_up());
    MORTISE_TRY(train());
    MORTISE_TRY(write_results(files_, request_, *setup_, result_));
    result_.seconds = seconds_since(begin);
    result_.tower_runs = features_->tower_runs();
    result_.ops = request_.device->counts();
    return std::move(result_);
  }

 private:
  base::Status set_up() {
    if (request_.threads > 0) set_compute_threads(request_.threads);
    MORTISE_ASSIGN(setup_, prepare_run(files_, request_));
    const TrainSettings& s = setup_->settings;
    const uint64_t rows = setup_->split.train.size();
    steps_total_ = s.total_steps(rows);
    MORTISE_ASSIGN(schedule_, Schedule::create({.type = s.schedule,
                                                .learning_rate = s.learning_rate,
                                                .warmup_steps = s.warmup_of(steps_total_),
                                                .training_steps = steps_total_,
                                                .options = s.schedule_options}));
    optimizer_.emplace(setup_->trained, setup_->rates,
                       AdamOptions{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon});
    MORTISE_ASSIGN(objective_, make_objective(request_, *setup_));
    features_.emplace(frozen_part(*setup_->model, setup_->trained));
    state_.facts = setup_->facts;
    MORTISE_TRY(base::make_folders(files_, request_.output_folder));
    MORTISE_TRY(resume());
    Sampler sampler(rows, s.seed, s.shuffle);
    MORTISE_TRY(sampler.seek(state_.cursor));
    loader_.emplace(
        *setup_->dataset, *setup_->encoder, setup_->pictures, setup_->split.train,
        std::move(sampler),
        LoaderOptions{.rows_per_step = s.batch_size * s.accumulation, .threads = s.loader_threads});
    pass_ = {.device = request_.device,
             .training = true,
             .dropout_seed = s.seed,
             .dropout_calls = state_.dropout_calls,
             .recompute = s.recompute};
    result_.train_rows = static_cast<int64_t>(rows);
    result_.held_out_rows = static_cast<int64_t>(setup_->split.held_out.size());
    result_.trained_parameters = optimizer_->parameter_count();
    return {};
  }

  base::Status resume() {
    MORTISE_ASSIGN(const auto checkpoint, latest_checkpoint(files_, checkpoints_folder()));
    if (checkpoint) {
      MORTISE_ASSIGN(state_, load_run_state(files_, *checkpoint, setup_->facts, *optimizer_));
    }
    result_.resumed_at = state_.step;
    const auto in_output = [&](const char* name) {
      return base::join_path(request_.output_folder, name);
    };
    MORTISE_ASSIGN(metrics_, open_lines(files_, in_output("metrics.jsonl"), state_.step));
    if (evaluates()) {
      MORTISE_ASSIGN(held_out_, open_lines(files_, in_output("eval.jsonl"), state_.step));
    }
    return {};
  }

  base::Status train() {
    while (state_.step < steps_total_ && !state_.verdict.stops(setup_->settings.best)) {
      const TrainWish wish = hooks_.wish ? hooks_.wish() : TrainWish::kNone;
      if (wish == TrainWish::kCancel) {
        return Error(Code::kCancelled,
                     "The training was cancelled after step " + std::to_string(state_.step) + ".");
      }
      if (wish == TrainWish::kCheckpoint) MORTISE_TRY(save_checkpoint());
      MORTISE_TRY(train_step());
      MORTISE_TRY(evaluate());
      const int64_t every = setup_->settings.save_steps;
      if (every > 0 && state_.step % every == 0 && state_.step < steps_total_) {
        MORTISE_TRY(save_checkpoint());
      }
    }
    MORTISE_TRY(save_checkpoint());
    result_.best_step = state_.verdict.best_step;
    result_.best_metric = state_.verdict.best;
    result_.stopped_early = state_.step < steps_total_;
    if (!setup_->settings.best.load_at_end || state_.verdict.best_step == 0) return {};
    return load_best(files_, checkpoints_folder(), *optimizer_);
  }

  base::Status train_step() {
    const int64_t begin = clock_.monotonic_ns();
    MORTISE_ASSIGN(const StepRows step, loader_->next());
    StepMetrics m;
    m.data_wait_seconds = seconds_since(begin);
    for (const LoadedRow& row : step.rows) m.labelled_tokens += labelled_count(row.tokens);

    optimizer_->begin_step();
    const double n = objective_->begin_step(pass_, step);
    for (PassBatch& batch : passes_of(step.rows, setup_->settings)) {
      m.loss += forward_backward(batch, n);
      m.tokens += batch.tokens;
    }
    m.more = objective_->take_metrics();
    m.grad_norm = optimizer_->grad_norm(*request_.device);
    m.learning_rate = schedule_->at(state_.step);
    if (!std::isfinite(m.loss) || !std::isfinite(m.grad_norm)) return diverged(m);
    const double limit = setup_->settings.max_grad_norm;
    const double scale = limit > 0 ? std::min(1.0, limit / (m.grad_norm + 1e-6)) : 1.0;
    optimizer_->step(*request_.device, schedule_->factor(state_.step), scale);

    ++state_.step;
    state_.cursor = step.after;
    state_.dropout_calls = pass_.dropout_calls;
    m.step = state_.step;
    m.examples = static_cast<int64_t>(step.rows.size());
    m.epoch = static_cast<double>(state_.cursor.epoch) +
              static_cast<double>(state_.cursor.position) / static_cast<double>(result_.train_rows);
    m.seconds = seconds_since(begin);
    return report(m);
  }

  // One pass; its part of the step's loss. N: of the whole step.
  double forward_backward(PassBatch& batch, double n) {
    place_pictures(*setup_->model, batch.inputs);
    features_->place(pass_, *setup_->model, batch);
    const at::Tensor part = objective_->sum_of(pass_, batch).mul(1.0 / n);  // [1]
    part.backward();
    optimizer_->collect();
    return part.item<double>();
  }

  bool evaluates() const {
    return setup_->settings.eval_steps > 0 && !setup_->split.held_out.empty();
  }

  base::Status evaluate() {
    const bool last = state_.step == steps_total_;
    if (!evaluates() || (state_.step % setup_->settings.eval_steps != 0 && !last)) return {};
    MORTISE_ASSIGN(const HeldOutLoss loss,
                   held_out_loss(request_, *setup_, *features_, kHeldOutRowsMax));
    result_.eval_loss = loss.loss;
    const base::Json line = held_out_line(state_.step, loss);
    MORTISE_TRY(held_out_->write(base::as_bytes(line.dump() + "\n")));
    const BestSettings& best = setup_->settings.best;
    if (!best.is_used()) return {};
    if (!line[best.metric].is_number()) return unjudged(best.metric);
    state_.verdict = judge(best, state_.verdict, state_.step, line[best.metric].as_double());
    const bool is_best = state_.verdict.best_step == state_.step;
    return best.load_at_end && is_best ? save_checkpoint() : base::Status();
  }

  base::Status save_checkpoint() {
    MORTISE_TRY(metrics_->sync());
    if (held_out_) MORTISE_TRY(held_out_->sync());
    return save_run_state(files_, checkpoints_folder(), state_, *optimizer_, setup_->adapter.get(),
                          request_.base_model_name, setup_->settings.best.load_at_end);
  }

  base::Status report(const StepMetrics& m) {
    MORTISE_TRY(metrics_->write(base::as_bytes(metrics_line(m))));
    if (state_.step == result_.resumed_at + 1) result_.first_loss = m.loss;
    result_.last_loss = m.loss;
    result_.steps = m.step;
    result_.tokens += m.tokens;
    result_.data_wait_seconds += m.data_wait_seconds;
    if (hooks_.progress) {
      hooks_.progress({.step = m.step,
                       .steps_total = steps_total_,
                       .epoch = m.epoch,
                       .loss = m.loss,
                       .grad_norm = m.grad_norm,
                       .learning_rate = m.learning_rate});
    }
    return {};
  }

  static Error unjudged(const std::string& metric) {
    return Error(Code::kFailedPrecondition,
                 "The held-out rows give no \"" + metric + "\": they lack a kind of answer.",
                 "Raise holdout.ratio, or judge by eval_loss.")
        .at_field("/train/metric_for_best_model");
  }

  Error diverged(const StepMetrics& m) const {
    return Error(Code::kAborted,
                 "Step " + std::to_string(state_.step + 1) + " gave a loss of " +
                     std::to_string(m.loss) + " and a gradient of norm " +
                     std::to_string(m.grad_norm) + ": the training has diverged.",
                 "Lower learning_rate, or raise warmup_steps; the last checkpoint is sound.");
  }

  std::string checkpoints_folder() const {
    return base::join_path(request_.output_folder, "checkpoints");
  }
  double seconds_since(int64_t begin_ns) const {
    return static_cast<double>(clock_.monotonic_ns() - begin_ns) * 1e-9;
  }

  base::FileOps& files_;
  base::Clock& clock_;
  const TrainRequest& request_;
  const TrainHooks& hooks_;
  std::unique_ptr<Setup> setup_;
  std::optional<Schedule> schedule_;
  std::optional<FlatAdamW> optimizer_;
  std::optional<StepLoader> loader_;
  std::unique_ptr<base::File> metrics_, held_out_;
  std::unique_ptr<Objective> objective_;
  std::optional<FeatureCache> features_;
  Pass pass_;
  RunState state_;
  TrainResult result_;
  int64_t steps_total_ = 0;
};

}  // namespace

base::Result<TrainResult> run_training(base::FileOps& files, base::Clock& clock,
                                       const TrainRequest& request, const TrainHooks& hooks) {
  return guarded([&] { return Trainer(files, clock, request, hooks).run(); });
}

}  // namespace mortise::engine
