// The objects that a name table names, as read-only files: what the plugins' file service grants in
// place of a folder. Random access into sealed objects; no plaintext is on the disk and no list of
// names in memory. Called by the worker. [parallel]
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "store/domain.h"
#include "store/name_table.h"

namespace mortise::store {

class TableFiles final : public base::FileOps {
 public:
  TableFiles(std::shared_ptr<Domain> domain, NameTable table)
      : domain_(std::move(domain)), table_(std::move(table)) {}

  // Paths are the table's names; a leading "/" is allowed. Only kRead; descriptor() is -1.
  base::Result<std::unique_ptr<base::File>> open(const std::string& path,
                                                 base::OpenMode mode) override;
  // What lies directly below a folder, sorted; "" and "/" are the whole. Errors: NOT_FOUND.
  base::Result<std::vector<base::FileInfo>> list(const std::string& path) override;
  base::Result<bool> exists(const std::string& path) override;
  base::Result<bool> is_network(const std::string&) override { return false; }
  // All refused with PERMISSION_DENIED: objects do not change.
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status link(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Status make_folder(const std::string& path) override;
  base::Status sync_folder(const std::string& path) override;

 private:
  std::shared_ptr<Domain> domain_;
  NameTable table_;
};

}  // namespace mortise::store
