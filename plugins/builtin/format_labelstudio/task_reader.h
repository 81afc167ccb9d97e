// The tasks of a Label Studio export, one by one; each annotation of a task is a row.
//
// Called by plugin.cpp. A task without annotations is one row of its data. Memory is one task.
#pragma once

#include <mortise/cpp/format_rows.hpp>
#include <mortise/cpp/json_walk.hpp>

#include <optional>

#include "task_row.h"

namespace mortise::format_labelstudio {

class TaskReader : public sdk::RowReader {
 public:
  // options must outlive the reader.
  TaskReader(const std::string& name, const Options& options, sdk::JsonWalkLimits limits,
             const sdk::RowPosition* from);

  bool next(sdk::JsonRow* out) override;
  sdk::RowPosition position() const override { return position_; }

 private:
  bool open_task();

  sdk::JsonWalker walker_;
  const Options& options_;
  std::optional<sdk::JsonDocument> task_;
  std::vector<sdk::Json> annotations_;  // of task_; one that is missing when it has none
  uint64_t task_begin_ = 0;
  bool is_done_ = false;
  // at: behind the last task that was given whole, 0 before the first; part: annotations of the
  // next one that were given.
  sdk::RowPosition position_;
};

}  // namespace mortise::format_labelstudio
