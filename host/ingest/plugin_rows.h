// Rows of an upload through a format pack. Called by the worker's ingest and check tasks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ingest/ingest.h"
#include "plugin/format.h"

namespace mortise::ingest {

// The files of one data set, one after the other: all shards of each, row by row. [serial]
class PluginRows final : public RowSource {
 public:
  // Opens file number i; called when its first row is wanted. root: what the files were granted
  // under; members of media come back without it.
  using OpenFile = std::function<base::Result<plugin::Format>(size_t file)>;
  PluginRows(size_t files_count, OpenFile open, std::string root)
      : open_(std::move(open)), root_(std::move(root)), count_(files_count) {}
  base::Result<bool> next(Row& row) override;
  base::Result<bool> rewind() override;

 private:
  base::Result<bool> next_batch();

  OpenFile open_;
  std::string root_;
  size_t count_;
  size_t file_ = 0;
  std::optional<plugin::Format> format_;  // of file_; must outlive stream_
  std::optional<plugin::FormatStream> stream_;
  std::vector<plugin::FormatRow> batch_;
  size_t next_in_batch_ = 0;
  uint32_t next_shard_ = 0;
};

}  // namespace mortise::ingest
