// Bytes under the name of their content: written once, never changed. Called by hub (uploads, rows)
// and server (streams an upload in). Knows nothing of data sets. Sealing (keys, chunks, segments)
// comes behind this interface; callers hold a BlobRef and ask for a path or a reader only here.
//
// Promise: when BlobWriter::commit returns OK the bytes survive a power cut. A crash before leaves
// at most a temporary file, which the next open removes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::store {

struct BlobRef {
  std::string digest;  // "sha256:" and 64 hex digits
  uint64_t size_bytes = 0;
};

class BlobStore;

// One blob on its way in. Dropped without commit it leaves nothing. [serial]
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept = default;
  ~BlobWriter();
  base::Status write(base::ByteView data);
  uint64_t size_bytes() const { return size_bytes_; }
  // Errors: as FileOps; after one the blob is not stored and this writer is spent.
  base::Result<BlobRef> commit();

 private:
  friend class BlobStore;
  BlobWriter(BlobStore& store, std::string temporary, std::unique_ptr<base::File> file);
  base::Result<BlobRef> publish();
  BlobStore* store_;
  std::string temporary_;
  std::unique_ptr<base::File> file_;
  base::Sha256 hash_;
  uint64_t size_bytes_ = 0;
};

class BlobStore {  // [any]
 public:
  // Makes the folders and removes what a crash left in the temporary one. One process at a time.
  static base::Result<std::unique_ptr<BlobStore>> open(base::FileOps& files, base::Random& random,
                                                       const std::string& root);
  base::Result<BlobWriter> begin();
  base::Result<BlobRef> put(base::ByteView data);
  // A copy of a file that another wrote and may still change.
  base::Result<BlobRef> adopt(const std::string& path);
  // Errors: INVALID_ARGUMENT for what is not a digest, NOT_FOUND, DATA_LOSS for another size.
  base::Result<std::string> path_of(const BlobRef& blob);
  // Makes `path` a name of the blob's bytes (a hard link). Errors: ALREADY_EXISTS.
  base::Status link_to(const BlobRef& blob, const std::string& path);
  // Reads everything again. Errors: DATA_LOSS when the bytes are not what the digest says.
  base::Status verify(const BlobRef& blob);
  // Removes blobs that `is_used` denies; answers how many bytes went. No put may run beside it.
  base::Result<uint64_t> collect(const std::function<bool(std::string_view digest)>& is_used);

 private:
  friend class BlobWriter;
  BlobStore(base::FileOps& files, base::Random& random, std::string root);
  base::Result<std::string> place_of(std::string_view digest) const;
  base::Status publish(const std::string& from, const std::string& digest);
  base::Status make_ready(const std::string& folder);
  base::FileOps* files_;
  base::Random* random_;
  std::string root_;
  std::mutex mutex_;
  std::set<std::string> ready_folders_;  // guarded by mutex_
};

}  // namespace mortise::store
