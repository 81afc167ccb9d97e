// See sealed_files.h.
#include "store/sealed_files.h"

#include <algorithm>
#include <set>

namespace mortise::store {

using base::Code;
using base::Error;
using base::FileInfo;
using base::Result;
using base::Status;

namespace {

Error read_only(const std::string& path) {
  return Error(Code::kPermissionDenied, "Sealed files can only be read.").at_file(path);
}

// A file of which nothing lies on the disk in the clear. [serial] but for reads
class OpenSealed final : public base::File {
 public:
  OpenSealed(ObjectReader reader, std::shared_ptr<Domain> domain, std::string path)
      : domain_(std::move(domain)), reader_(std::move(reader)), path_(std::move(path)) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    auto got = reader_.read_at(offset, buffer);
    if (!got.ok()) got.error().with("sealed file", path_);
    return got;
  }
  Result<uint64_t> size() override { return reader_.size_bytes(); }
  Status write(std::span<const std::byte>) override { return read_only(path_); }
  Status truncate(uint64_t) override { return read_only(path_); }
  Status sync() override { return {}; }
  Status close() override { return {}; }
  int descriptor() const override { return -1; }

 private:
  std::shared_ptr<Domain> domain_;
  ObjectReader reader_;
  std::string path_;
};

}  // namespace

SealedFiles::SealedFiles(base::FileOps& inner, std::string prefix)
    : inner_(inner), prefix_(std::move(prefix)) {
  while (prefix_.size() > 1 && prefix_.back() == '/') prefix_.pop_back();
}

bool SealedFiles::is_below(const std::string& path) const {
  return path.starts_with(prefix_) &&
         (path.size() == prefix_.size() || path[prefix_.size()] == '/');
}

Status SealedFiles::add(const std::string& path, SealedFile file) {
  MORTISE_TRY(base::check_relative_path(path));
  bool is_taken = files_.contains(path);
  const auto below = files_.lower_bound(path + "/");  // `path` is a folder already
  is_taken = is_taken || (below != files_.end() && below->first.starts_with(path + "/"));
  for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    is_taken = is_taken || files_.contains(path.substr(0, at));  // a folder of it is a file
  }
  if (is_taken) {
    return Error(Code::kAlreadyExists,
                 "Two sealed files have this path, or one of them would be "
                 "a folder of the other.")
        .at_file(path);
  }
  files_.emplace(path, std::move(file));
  return {};
}

Result<std::unique_ptr<base::File>> SealedFiles::open(const std::string& path,
                                                      base::OpenMode mode) {
  if (!is_below(path)) return inner_.open(path, mode);
  if (mode != base::OpenMode::kRead) return read_only(path);
  const std::string key = path.size() > prefix_.size() ? path.substr(prefix_.size() + 1) : "";
  const auto at = files_.find(key);
  if (at == files_.end()) {
    MORTISE_ASSIGN(const bool is_folder, exists(path));
    if (is_folder) {
      return Error(Code::kInvalidArgument, "This is a folder, not a file.").at_file(path);
    }
    return Error(Code::kNotFound, "There is no such sealed file.").at_file(path);
  }
  auto reader = at->second.domain->open_object(at->second.ref);
  if (!reader.ok()) return std::move(reader.error()).with("sealed file", path);
  return std::unique_ptr<base::File>(
      std::make_unique<OpenSealed>(std::move(*reader), at->second.domain, path));
}

Result<std::vector<FileInfo>> SealedFiles::list(const std::string& path) {
  if (!is_below(path)) return inner_.list(path);
  std::string folder = path.size() > prefix_.size() ? path.substr(prefix_.size() + 1) : "";
  if (!folder.empty() && folder.back() != '/') folder += '/';
  std::vector<FileInfo> found;  // files_ is sorted, and so are the names of one folder
  std::set<std::string> folders;
  for (auto at = files_.lower_bound(folder); at != files_.end(); ++at) {
    if (!at->first.starts_with(folder)) break;
    const std::string rest = at->first.substr(folder.size());
    const size_t slash = rest.find('/');
    if (slash == std::string::npos) {
      found.push_back({.name = rest, .size_bytes = at->second.ref.size_bytes});
    } else if (folders.insert(rest.substr(0, slash)).second) {
      found.push_back({.name = rest.substr(0, slash), .size_bytes = 0, .is_folder = true});
    }
  }
  if (found.empty() && !folder.empty()) {
    return Error(Code::kNotFound, "There is no such folder of sealed files.").at_file(path);
  }
  std::ranges::sort(found, {}, &FileInfo::name);
  return found;
}

Result<bool> SealedFiles::exists(const std::string& path) {
  if (!is_below(path)) return inner_.exists(path);
  if (path.size() <= prefix_.size() + 1) return true;
  const std::string key = path.substr(prefix_.size() + 1);
  if (files_.contains(key)) return true;
  const auto below = files_.lower_bound(key + "/");
  return below != files_.end() && below->first.starts_with(key + "/");
}

Result<bool> SealedFiles::is_network(const std::string& path) {
  return is_below(path) ? Result<bool>(false) : inner_.is_network(path);
}

Status SealedFiles::check_writable(const std::string& path) const {
  return is_below(path) ? Status(read_only(path)) : Status();
}

Status SealedFiles::rename(const std::string& from, const std::string& to) {
  MORTISE_TRY(check_writable(from));
  MORTISE_TRY(check_writable(to));
  return inner_.rename(from, to);
}

Status SealedFiles::link(const std::string& from, const std::string& to) {
  MORTISE_TRY(check_writable(from));
  MORTISE_TRY(check_writable(to));
  return inner_.link(from, to);
}

Status SealedFiles::remove(const std::string& path) {
  MORTISE_TRY(check_writable(path));
  return inner_.remove(path);
}

Status SealedFiles::make_folder(const std::string& path) {
  MORTISE_TRY(check_writable(path));
  return inner_.make_folder(path);
}

Status SealedFiles::sync_folder(const std::string& path) {
  MORTISE_TRY(check_writable(path));
  return inner_.sync_folder(path);
}

}  // namespace mortise::store
