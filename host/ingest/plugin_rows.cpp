// See plugin_rows.h.
#include "ingest/plugin_rows.h"

namespace mortise::ingest {

// The next batch that is not empty; false behind the last file.
base::Result<bool> PluginRows::next_batch() {
  batch_.clear();
  next_in_batch_ = 0;
  while (batch_.empty()) {
    if (!format_) {
      if (file_ == count_) return false;
      MORTISE_ASSIGN(format_, open_(file_));
      next_shard_ = 0;
    }
    if (!stream_) {
      if (next_shard_ == format_->shards_count()) {
        format_.reset();
        ++file_;
        continue;
      }
      plugin::ScanOptions options;
      options.shard_index = next_shard_++;
      MORTISE_ASSIGN(stream_, format_->scan(options));
    }
    MORTISE_ASSIGN(auto batch, stream_->next_rows());
    if (batch) {
      batch_ = std::move(*batch);
    } else {
      stream_.reset();
    }
  }
  return true;
}

base::Result<bool> PluginRows::rewind() {
  stream_.reset();
  format_.reset();
  batch_.clear();
  file_ = next_in_batch_ = 0;
  return true;
}

base::Result<bool> PluginRows::next(Row& row) {
  if (next_in_batch_ == batch_.size()) {
    MORTISE_ASSIGN(const bool more, next_batch());
    if (!more) return false;
  }
  plugin::FormatRow& found = batch_[next_in_batch_++];
  row.text = std::move(found.json);
  row.byte_offset = found.byte_offset;
  row.file = file_;
  row.media = std::move(found.media);
  row.owner = std::move(found.batch);
  for (plugin::MediaField& field : row.media) {
    for (plugin::MediumCell& cell : field.items) {
      if (cell.member.starts_with(root_)) cell.member.erase(0, root_.size());
    }
  }
  return true;
}

}  // namespace mortise::ingest
