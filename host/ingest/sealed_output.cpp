// See sealed_output.h.
#include "ingest/sealed_output.h"

namespace mortise::ingest {

using base::Result;
using base::Status;

namespace {
constexpr uint64_t kShortGroupBytes = 128 * 1024;  // many small appends make no table of crumbs
}

Status SealedOutput::put(const std::string& name, base::ByteView bytes) {
  MORTISE_ASSIGN(made_[name], domain_->put(bytes));
  return {};
}

// The object stays until a compaction; nothing names it.
Status SealedOutput::drop(const std::string& name) {
  made_.erase(name);
  return {};
}

Status SealedOutput::begin_with(const store::RowTable& parent) {
  for (const store::RowGroup& group : parent.groups()) {
    const bool is_last = group.first_row + group.row_count == parent.row_count();
    if (is_last && group.ref.size_bytes < kShortGroupBytes) {
      return parent.visit(group.first_row, group.row_count,
                          [&](uint64_t, std::string_view row) { return rows_.add(row); });
    }
    MORTISE_ASSIGN(const auto ids, parent.ids(group.first_row, group.row_count));
    MORTISE_TRY(rows_.add_group(group, ids));
  }
  return {};
}

Result<store::ObjectRef> SealedOutput::finish_media(const std::vector<std::string>& names,
                                                    const SealedUpload& upload) {
  store::NameTableWriter table(domain_);
  for (const std::string& name : names) {
    const auto made = made_.find(name);
    if (made != made_.end()) {
      MORTISE_TRY(table.add(name, made->second));
    } else {
      MORTISE_ASSIGN(const store::ObjectRef uploaded, upload.object(name));
      MORTISE_TRY(table.add(name, uploaded));
    }
  }
  return table.finish();
}

}  // namespace mortise::ingest
