// Sealed objects as files: a read-only FileOps over another one. Below `prefix` the paths of a
// table are read from sealed objects (random access, no plaintext on the disk); every other path
// goes to the inner FileOps. So the engine and the plugins' file service read sealed media
// unknowing.
#pragma once

#include <map>
#include <memory>

#include "base/file_ops.h"
#include "store/domain.h"

namespace mortise::store {

struct SealedFile {
  std::shared_ptr<Domain> domain;
  ObjectRef ref;
};

class SealedFiles final : public base::FileOps {  // [parallel] after the adding
 public:
  // `prefix` is an absolute folder that need not exist, such as "/sealed/films@3".
  SealedFiles(base::FileOps& inner, std::string prefix);
  // `path` is relative to the prefix. Errors: INVALID_ARGUMENT, ALREADY_EXISTS (also when one
  // path would be a file and a folder).
  base::Status add(const std::string& path, SealedFile file);

  // kRead only below the prefix (PERMISSION_DENIED). descriptor() of such a file is -1.
  base::Result<std::unique_ptr<base::File>> open(const std::string& path,
                                                 base::OpenMode mode) override;
  base::Result<std::vector<base::FileInfo>> list(const std::string& path) override;
  base::Result<bool> exists(const std::string& path) override;
  base::Result<bool> is_network(const std::string& path) override;
  // PERMISSION_DENIED below the prefix.
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status link(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Status make_folder(const std::string& path) override;
  base::Status sync_folder(const std::string& path) override;

 private:
  bool is_below(const std::string& path) const;
  base::Status check_writable(const std::string& path) const;

  base::FileOps& inner_;
  std::string prefix_;
  std::map<std::string, SealedFile> files_;  // by path relative to the prefix
};

}  // namespace mortise::store
