// The files of an upload under the names that its rows use: sealed objects, or files of this
// machine for a local check. Called by ingest and its parts. [parallel]
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "store/table_files.h"

namespace mortise::ingest {

class UploadFiles {
 public:
  virtual ~UploadFiles() = default;
  virtual base::Result<bool> contains(const std::string& name) const = 0;
  // Errors: NOT_FOUND; those of reading.
  virtual base::Result<std::unique_ptr<base::File>> open(const std::string& name) const = 0;
  // The names of the files directly below a folder, sorted; none when there is no such folder.
  virtual base::Result<std::vector<std::string>> below(const std::string& folder) const = 0;
  // Each name, sorted.
  virtual base::Status visit(
      const std::function<base::Status(const std::string& name)>& each) const = 0;
};

class LocalFiles final : public UploadFiles {
 public:
  // paths: name -> file of this machine. beside: a folder whose files are there when they are
  // named, as those that `dataset upload` brings after a rows file; visit and below leave them out.
  LocalFiles(base::FileOps& files, std::map<std::string, std::string> paths,
             std::string beside = {})
      : files_(files), paths_(std::move(paths)), beside_(std::move(beside)) {}
  base::Result<bool> contains(const std::string& name) const override;
  base::Result<std::unique_ptr<base::File>> open(const std::string& name) const override;
  base::Result<std::vector<std::string>> below(const std::string& folder) const override;
  base::Status visit(
      const std::function<base::Status(const std::string& name)>& each) const override;
  void add(const std::string& name, const std::string& path);  // while others read
  // For the thread that adds, or when none does any more.
  const std::map<std::string, std::string>& paths() const { return paths_; }

 private:
  std::string path_beside(const std::string& name) const;  // "" when it is no file there

  base::FileOps& files_;
  mutable std::shared_mutex mutex_;  // of paths_
  std::map<std::string, std::string> paths_;
  std::string beside_;
};

class SealedUpload final : public UploadFiles {
 public:
  SealedUpload(std::shared_ptr<store::Domain> domain, store::NameTable table)
      : table_(table), files_(std::move(domain), std::move(table)) {}
  // What the upload itself lacks is looked for here: the media of the version that it changes.
  // visit() names the upload's own files only.
  void set_below(std::unique_ptr<SealedUpload> below) { below_ = std::move(below); }
  bool has_own(const std::string& name) const;  // false also when the table cannot be read
  base::Result<bool> contains(const std::string& name) const override;
  base::Result<std::unique_ptr<base::File>> open(const std::string& name) const override;
  base::Result<std::vector<std::string>> below(const std::string& folder) const override;
  base::Status visit(
      const std::function<base::Status(const std::string& name)>& each) const override;
  // Errors: NOT_FOUND.
  base::Result<store::ObjectRef> object(const std::string& name) const;
  // For the plugins' file service.
  store::TableFiles& files() const { return files_; }

 private:
  store::NameTable table_;
  mutable store::TableFiles files_;  // its functions change nothing
  std::unique_ptr<SealedUpload> below_;
};

}  // namespace mortise::ingest
