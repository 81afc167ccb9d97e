// Every open, write, fsync, rename and unlink of stored data goes through this seam, so that a test
// can fail, cut or reorder call n. PosixFileOps is the real one; tests/ has the faulty ones.
// A failed fsync is final: the caller discards the file and never syncs the same descriptor again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace mortise::base {

// An open file; closes itself. [serial]
class File {
 public:
  virtual ~File() = default;
  // Writes all of `data` at the end (append) or the current position. Errors: RESOURCE_EXHAUSTED
  // when the disk is full, DATA_LOSS for an I/O error.
  virtual Status write(std::span<const std::byte> data) = 0;
  // Reads up to buffer.size() bytes at `offset`; 0 at the end. [parallel] among reads.
  virtual Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) = 0;
  virtual Status sync() = 0;  // data and metadata on the disk
  virtual Status truncate(uint64_t size_bytes) = 0;
  virtual Result<uint64_t> size() = 0;
  virtual Status close() = 0;
  virtual int descriptor() const = 0;
};

enum class OpenMode {
  kRead,
  kCreateNew,     // ALREADY_EXISTS when it is there
  kCreateSecret,  // the same with mode 0400
  kAppend,
  kTruncate,
  kOverwrite,  // an existing file from its start, in place, whatever its mode: to destroy it
};

struct FileInfo {
  std::string name;
  uint64_t size_bytes = 0;
  bool is_folder = false;
  int64_t changed_ns = 0;    // when content, name or mode last changed (ctime); 0 unknown
  uint32_t permissions = 0;  // 0400 and the like; 0 unknown
  int64_t modified_ns = 0;   // when content last changed (mtime); 0 unknown
  bool is_plain = false;     // a regular file; false also when unknown
};

class FileOps {
 public:
  virtual ~FileOps() = default;
  // Never follows a symbolic link at the last component. New files get mode 0600.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces
  virtual Status link(const std::string& from, const std::string& to) = 0;    // ALREADY_EXISTS
  virtual Status remove(const std::string& path) = 0;       // one file or an empty folder
  virtual Status make_folder(const std::string& path) = 0;  // one level; OK when it is there; 0700
  virtual Status sync_folder(const std::string& path) = 0;
  virtual Result<std::vector<FileInfo>> list(const std::string& path) = 0;  // sorted by name
  virtual Result<bool> exists(const std::string& path) = 0;
  // Whether an existing path lies on NFS, SMB, 9P, Ceph, FUSE...: syncs there promise nothing.
  virtual Result<bool> is_network(const std::string& path) = 0;
};

FileOps& posix_file_ops();

// Of the disk that an existing path lies on; free is what an ordinary user may still write.
struct DiskSpace {
  uint64_t total_bytes = 0, free_bytes = 0;
};
Result<DiskSpace> disk_space(const std::string& path);

// The steps that keep a promise, in the right order.
Result<std::string> read_file(FileOps& files, const std::string& path,
                              uint64_t size_bytes_max = UINT64_C(1) << 30);
// Temporary file beside it, write, sync, rename, sync the folder: old or new content, never a mix.
Status write_file_durably(FileOps& files, const std::string& path, std::string_view data);
Status make_folders(FileOps& files, const std::string& path);  // mkdir -p, each parent synced
Status remove_tree(FileOps& files, const std::string& path);   // OK when absent
std::string join_path(std::string_view folder, std::string_view name);
// A relative path that stays inside its root: no empty, ".", "..", absolute, NUL or backslash
// part. Errors: INVALID_ARGUMENT naming the part.
Status check_relative_path(std::string_view path);

}  // namespace mortise::base
