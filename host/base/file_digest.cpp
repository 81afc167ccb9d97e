// See file_digest.h.
#include "base/file_digest.h"

namespace mortise::base {

Result<Digest> sha256_file(FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(auto file, files.open(path, OpenMode::kRead));
  Sha256 hash;
  Bytes buffer(1 << 20);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t read, file->read_at(offset, buffer));
    hash.update(ByteView(buffer).first(read));
    offset += read;
    if (read < buffer.size()) return hash.finish();
  }
}

}  // namespace mortise::base
