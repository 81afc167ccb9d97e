// See folder_output.h.
#include "ingest/folder_output.h"

namespace mortise::ingest {
namespace {

using base::Status;

constexpr size_t kWriteBytes = 1 << 20;

}  // namespace

Status FolderOutput::flush() {
  if (!rows_) {
    MORTISE_ASSIGN(rows_,
                   files_.open(base::join_path(folder_, "rows.jsonl"), base::OpenMode::kTruncate));
  }
  const Status written = rows_->write(base::as_bytes(buffer_));
  buffer_.clear();
  return written;
}

Status FolderOutput::add(std::string_view canonical_row) {
  buffer_ += canonical_row;
  buffer_ += '\n';
  return buffer_.size() < kWriteBytes ? Status() : flush();
}

Status FolderOutput::put(const std::string& name, base::ByteView bytes) {
  const std::string path = base::join_path(base::join_path(folder_, "media"), name);
  const std::string parent = path.substr(0, path.rfind('/'));
  if (made_.insert(parent).second) MORTISE_TRY(base::make_folders(files_, parent));
  MORTISE_ASSIGN(auto file, files_.open(path, base::OpenMode::kTruncate));
  MORTISE_TRY(file->write(bytes));
  MORTISE_TRY(file->sync());
  return file->close();
}

Status FolderOutput::drop(const std::string& name) {
  return files_.remove(base::join_path(base::join_path(folder_, "media"), name));
}

Status FolderOutput::finish() {
  MORTISE_TRY(flush());
  MORTISE_TRY(rows_->sync());
  MORTISE_TRY(rows_->close());
  for (const std::string& folder : made_) MORTISE_TRY(files_.sync_folder(folder));
  return files_.sync_folder(folder_);
}

}  // namespace mortise::ingest
