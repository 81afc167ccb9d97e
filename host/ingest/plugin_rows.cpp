// See plugin_rows.h.
#include "ingest/plugin_rows.h"

namespace mortise::ingest {

base::Result<bool> PluginRows::next(Row& row) {
  while (next_in_batch_ == batch_.size()) {
    if (!stream_) {
      if (next_shard_ == format_.shards_count()) return false;
      plugin::ScanOptions options;
      options.shard_index = next_shard_++;
      MORTISE_ASSIGN(stream_, format_.scan(options));
    }
    MORTISE_ASSIGN(auto batch, stream_->next_rows());
    next_in_batch_ = 0;
    if (batch) {
      batch_ = std::move(*batch);
    } else {
      batch_.clear();
      stream_.reset();
    }
  }
  plugin::FormatRow& found = batch_[next_in_batch_++];
  row.text = std::move(found.json);
  row.byte_offset = found.byte_offset;
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
