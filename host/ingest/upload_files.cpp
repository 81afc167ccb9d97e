// See upload_files.h.
#include "ingest/upload_files.h"

namespace mortise::ingest {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error not_there(const std::string& name) {
  return Error(Code::kNotFound, "The upload has no file of this name.").at_file(name);
}

}  // namespace

Result<bool> LocalFiles::contains(const std::string& name) const {
  return paths_.contains(name);
}

Result<std::unique_ptr<base::File>> LocalFiles::open(const std::string& name) const {
  const auto found = paths_.find(name);
  if (found == paths_.end()) return not_there(name);
  return files_.open(found->second, base::OpenMode::kRead);
}

Status LocalFiles::visit(const std::function<Status(const std::string& name)>& each) const {
  for (const auto& [name, path] : paths_) MORTISE_TRY(each(name));
  return {};
}

Result<bool> SealedUpload::contains(const std::string& name) const {
  MORTISE_ASSIGN(const auto found, table_.find(name));
  if (found || below_ == nullptr) return found.has_value();
  return below_->contains(name);
}

bool SealedUpload::has_own(const std::string& name) const {
  const auto found = table_.find(name);
  return found.ok() && found->has_value();
}

Result<std::unique_ptr<base::File>> SealedUpload::open(const std::string& name) const {
  if (below_ != nullptr && !has_own(name)) return below_->open(name);
  return files_.open(name, base::OpenMode::kRead);
}

Status SealedUpload::visit(const std::function<Status(const std::string& name)>& each) const {
  return table_.visit([&](const store::NamedObject& entry) { return each(entry.name); });
}

Result<store::ObjectRef> SealedUpload::object(const std::string& name) const {
  MORTISE_ASSIGN(const auto found, table_.find(name));
  if (found) return *found;
  if (below_ != nullptr) return below_->object(name);
  return not_there(name);
}

}  // namespace mortise::ingest
