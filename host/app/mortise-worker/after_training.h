// What follows a training: scores on the held-out rows and exports. A job of kind train does them
// when its manifest asks, jobs of kind evaluate and export do nothing else. Called by the tasks.
#pragma once

#include <string>

#include "app/mortise-worker/context.h"
#include "app/mortise-worker/device.h"
#include "base/result.h"
#include "job/result.h"

namespace mortise::worker {

struct ModelFolders {
  std::string model;    // Hugging Face layout
  std::string adapter;  // PEFT layout; empty: none
};

// Scores the rows that the manifest chooses (evaluate, holdout, generation, plugins.metrics) of the
// task's data set: with the adapter, with the images permuted, without the adapter, as asked. Adds
// scores and what the record says of them. Errors: FAILED_PRECONDITION when no row is held out.
base::Status score_model(Context& context, TaskDevice& device, const ModelFolders& folders,
                         job::TaskResult& result);

// Writes each format of the manifest's "export" as a folder of artifacts that is published as a
// model. prefix: of the published names; empty: the job's own name.
base::Status export_formats(Context& context, const ModelFolders& folders,
                            const std::string& name_prefix, job::TaskResult& result);

// What can be known to fail is refused before the training: a metric that no pack has, no held-out
// row to score, a format that is not written.
base::Status check_after_training(Context& context);

}  // namespace mortise::worker
