// See upload_files.h.
#include "ingest/upload_files.h"

#include <mutex>

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

std::string LocalFiles::path_beside(const std::string& name) const {
  if (beside_.empty() || !base::check_relative_path(name).ok()) return {};
  std::string path = base::join_path(beside_, name);
  const auto is_there = files_.exists(path);
  return is_there.ok() && *is_there && !files_.list(path).ok() ? path : std::string();
}

void LocalFiles::add(const std::string& name, const std::string& path) {
  const std::unique_lock lock(mutex_);
  paths_[name] = path;
}

Result<bool> LocalFiles::contains(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  return paths_.contains(name) || !path_beside(name).empty();
}

Result<std::unique_ptr<base::File>> LocalFiles::open(const std::string& name) const {
  std::string path;
  {
    const std::shared_lock lock(mutex_);
    const auto found = paths_.find(name);
    path = found == paths_.end() ? path_beside(name) : found->second;
  }
  if (path.empty()) return not_there(name);
  return files_.open(path, base::OpenMode::kRead);
}

Result<std::vector<std::string>> LocalFiles::below(const std::string& folder) const {
  const std::string prefix = folder + "/";
  std::vector<std::string> names;
  const std::shared_lock lock(mutex_);
  for (auto at = paths_.lower_bound(prefix); at != paths_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (at->first.find('/', prefix.size()) == std::string::npos) names.push_back(at->first);
  }
  return names;
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

Result<std::vector<std::string>> SealedUpload::below(const std::string& folder) const {
  const auto listed = files_.list(folder);
  if (!listed.ok() && listed.error().code != Code::kNotFound) return listed.error();
  std::vector<std::string> names;
  if (listed.ok()) {
    for (const base::FileInfo& entry : *listed) {
      if (!entry.is_folder) names.push_back(base::join_path(folder, entry.name));
    }
  }
  if (names.empty() && below_ != nullptr) return below_->below(folder);
  return names;
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
