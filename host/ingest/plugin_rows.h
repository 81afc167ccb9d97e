// Rows of an upload through a format pack. Called by the worker's ingest and check tasks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ingest/ingest.h"
#include "plugin/format.h"

namespace mortise::ingest {

// All shards of an opened data set, one after the other, row by row. [serial]
class PluginRows final : public RowSource {
 public:
  explicit PluginRows(plugin::Format format) : format_(std::move(format)) {}
  base::Result<bool> next(Row& row) override;

 private:
  plugin::Format format_;
  std::optional<plugin::FormatStream> stream_;
  std::vector<plugin::FormatRow> batch_;
  size_t next_in_batch_ = 0;
  uint32_t next_shard_ = 0;
};

}  // namespace mortise::ingest
