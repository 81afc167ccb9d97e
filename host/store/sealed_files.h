// Files of given folders sealed on their way through another FileOps; all others pass as they are.
// How checkpoints, adapters and models that a job made rest: a worker writes and reads them with
// the key of its job, the server reads them with the same. docs/formats/store.md has the bytes:
//
//   "mrtfil01" | domain id 64, zero padded | sealed message (sealing.h) of the whole file under the
//   key "file" of the domain, context "mortise/1|file|DOMAIN ID"
//
// A file is written once, from its start to its end: sync() or close() seals the end, and a file
// without its end is no file (DATA_LOSS). Knows nothing of what the files are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "store/domain_key.h"

namespace mortise::store {

constexpr uint64_t kSealedFileHeadSize = 128;

// Bytes on the disk of a file of `plain_size`, and back; nullopt: no whole file has this size.
uint64_t sealed_file_size(uint64_t plain_size);
std::optional<uint64_t> plain_file_size(uint64_t sealed_size);

class SealedFiles final : public base::FileOps {  // [parallel] once the folders are added
 public:
  // `inner` and `random` outlive this; open files do not need this.
  SealedFiles(base::FileOps& inner, base::Random& random) : inner_(&inner), random_(&random) {}
  // `folder` (absolute, no "." or ".." in it or in later paths) itself and all below it. [serial]
  void add(const std::string& folder, const DomainKey& key);

  // In a sealed folder: kRead gives random access, of which nothing is unauthenticated; size() is
  // that of the plain bytes, descriptor() -1. kCreateNew, kCreateSecret and kTruncate write.
  // Errors: DATA_LOSS when the file is damaged, cut, not sealed or of another domain;
  // UNIMPLEMENTED for kAppend and kOverwrite.
  base::Result<std::unique_ptr<base::File>> open(const std::string& path,
                                                 base::OpenMode mode) override;
  // Errors: FAILED_PRECONDITION when the two places have different keys.
  base::Status rename(const std::string& from, const std::string& to) override;
  // A durable copy, sealed anew, when the two places have different keys.
  base::Status link(const std::string& from, const std::string& to) override;
  // Plain sizes; 0 for a file that is not whole.
  base::Result<std::vector<base::FileInfo>> list(const std::string& path) override;
  base::Status remove(const std::string& path) override { return inner_->remove(path); }
  base::Status make_folder(const std::string& path) override { return inner_->make_folder(path); }
  base::Status sync_folder(const std::string& path) override { return inner_->sync_folder(path); }
  base::Result<bool> exists(const std::string& path) override { return inner_->exists(path); }
  base::Result<bool> is_network(const std::string& path) override {
    return inner_->is_network(path);
  }

 private:
  struct Folder {
    std::string path, domain_id;
    base::Secret key;
  };
  const Folder* folder_of(const std::string& path) const;  // nullptr: not sealed
  bool have_one_key(const std::string& a, const std::string& b) const;

  base::FileOps* inner_;
  base::Random* random_;
  std::vector<Folder> folders_;
};

}  // namespace mortise::store
