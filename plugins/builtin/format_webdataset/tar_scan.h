// The members of a tar file one by one, by their headers: ustar, pax paths and sizes, GNU long
// names and large sizes. Data are never read here, only passed over.
//
// Called by sample_reader.cpp and plugin.cpp. A link, a device, a sparse member or a name that
// leaves the archive is refused. One scan is used by one thread at a time.
#pragma once

#include <mortise/cpp/files.hpp>

#include <string>
#include <string_view>

namespace mortise::format_webdataset {

constexpr uint64_t kBlock = 512;

struct TarMember {
  std::string name;
  uint64_t begin = 0;  // byte of its first header, extensions included
  uint64_t data = 0;   // byte where its content begins
  uint64_t size_bytes = 0;
};

// Is this block a header? What a header must have is a right sum of its bytes.
bool is_header(std::string_view block);

class TarScan {
 public:
  // Begins at `offset`, the first header of a member.
  TarScan(const std::string& name, uint64_t offset);

  // The next regular file, into *out; false at the end mark. Folders are passed over. Throws
  // INVALID_ARGUMENT with the byte of a header that is none or is refused; DATA_LOSS when the file
  // ends before its end mark.
  bool next(TarMember* out);
  // Where next() goes on.
  uint64_t offset() const { return offset_; }
  const sdk::File& file() const { return file_; }

 private:
  struct Extended {
    std::string path;
    bool has_size = false;
    uint64_t size_bytes = 0;
  };
  [[noreturn]] void fail(const std::string& words) const;
  bool read_header(std::string* block);
  std::string read_extension(uint64_t size_bytes);
  void read_pax(const std::string& records, Extended* out);
  void pass_over(uint64_t size_bytes);

  sdk::File file_;
  uint64_t size_bytes_;
  uint64_t offset_;
};

}  // namespace mortise::format_webdataset
