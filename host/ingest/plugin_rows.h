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
  // root: what the files were granted under; members of media come back without it.
  explicit PluginRows(plugin::Format format, std::string root = {})
      : format_(std::move(format)), root_(root.empty() ? "" : root + "/") {}
  base::Result<bool> next(Row& row) override;

 private:
  plugin::Format format_;
  std::string root_;
  std::optional<plugin::FormatStream> stream_;
  std::vector<plugin::FormatRow> batch_;
  size_t next_in_batch_ = 0;
  uint32_t next_shard_ = 0;
};

}  // namespace mortise::ingest
