// A tar stream taken apart as it arrives (ustar, pax paths and sizes, GNU long names): an upload
// may bring a whole folder as one. Called by server. Takes regular files and passes over folders;
// a link, a device or a name that leaves the folder ends it. Holds one header, never a file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace mortise::store {

struct TarHooks {
  std::function<base::Status(const std::string& name, uint64_t size_bytes)> begin_file;
  std::function<base::Status(base::ByteView piece)> data;
  std::function<base::Status()> end_file;
};

class TarReader {  // [serial]
 public:
  explicit TarReader(TarHooks hooks, uint64_t files_max = 1'000'000)
      : hooks_(std::move(hooks)), files_max_(files_max) {}
  // The next bytes of the stream, cut anywhere. Errors: INVALID_ARGUMENT with the byte of the
  // header at fault; RESOURCE_EXHAUSTED over files_max; those of the hooks.
  base::Status take(base::ByteView piece);
  // At the end of the stream. Errors: INVALID_ARGUMENT when it ends before the
  // archive does.
  base::Status finish();

 private:
  enum class Part { kHeader, kData, kExtension, kEnd };
  base::Status take_block();
  base::Status start_entry(char type, uint64_t size_bytes, std::string name);
  base::Status end_entry();
  base::Status read_pax(const std::string& records);
  base::Error fault(std::string what) const;

  TarHooks hooks_;
  uint64_t files_max_, files_ = 0;
  Part part_ = Part::kHeader;
  std::string block_;      // of the header that is coming
  std::string extension_;  // a pax record or long name that is coming
  char extension_type_ = 0;
  std::string next_name_;  // what an extension said of the next file
  int64_t next_size_ = -1;
  bool is_file_ = false;             // the entry is handed on
  uint64_t rest_ = 0, padding_ = 0;  // of the entry
  uint64_t offset_ = 0;              // bytes taken
  uint64_t header_at_ = 0;           // where the last header began
};

}  // namespace mortise::store
