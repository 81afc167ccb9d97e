// The same loading and packing as training, in the order of the rows.
#include "engine/train/held_out.h"

#include <ATen/core/Tensor.h>

#include <algorithm>

#include "engine/op/node.h"
#include "engine/train/batch.h"
#include "engine/train/objective.h"

namespace mortise::engine {

base::Result<HeldOutLoss> held_out_loss(const TrainRequest& request, const Setup& setup,
                                        FeatureCache& features, int64_t rows_max) {
  const NoRecord quiet;
  std::vector<uint64_t> chosen = setup.split.held_out;
  chosen.resize(std::min(chosen.size(), static_cast<size_t>(rows_max)));
  const auto count = static_cast<int64_t>(chosen.size());
  StepLoader loader(*setup.dataset, *setup.encoder, setup.pictures, std::move(chosen),
                    Sampler(static_cast<uint64_t>(count), 0, /*shuffle=*/false),
                    {.rows_per_step = setup.settings.batch_size, .threads = 0});
  MORTISE_ASSIGN(const auto objective, make_objective(request, setup));
  HeldOutLoss out;
  double sum = 0, n = 0;
  while (out.rows < count) {
    MORTISE_ASSIGN(const StepRows step, loader.next());
    std::vector<const LoadedRow*> rows;
    for (const LoadedRow& row : step.rows) rows.push_back(&row);
    PassBatch batch = make_pass(rows);
    Pass pass{.device = request.device};
    place_pictures(*setup.model, batch.inputs);
    features.place(pass, *setup.model, batch);
    n += objective->begin_step(pass, step);
    sum += objective->sum_of(pass, batch).item<double>();
    out.rows += static_cast<int64_t>(step.rows.size());
    out.labelled_tokens += batch.labelled;
  }
  out.loss = sum / n;
  out.metrics = objective->take_metrics();
  return out;
}

base::Json held_out_line(int64_t step, const HeldOutLoss& loss) {
  base::Json line = base::Json::object({{"step", step}, {"eval_loss", loss.loss}});
  for (const auto& [name, value] : loss.metrics.members()) line["eval_" + name] = value;
  line["rows"] = loss.rows;
  line["labelled_tokens"] = loss.labelled_tokens;
  return line;
}

}  // namespace mortise::engine
