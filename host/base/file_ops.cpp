// FileOps over POSIX calls, and the sequences of calls that keep a promise. See file_ops.h.
#include "base/file_ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>

namespace mortise::base {
namespace {

Error errno_error(const char* action, const std::string& path) {
  const int number = errno;
  Code code = Code::kUnknown;
  switch (number) {
    case ENOENT:
      code = Code::kNotFound;
      break;
    case EEXIST:
    case ENOTEMPTY:
      code = Code::kAlreadyExists;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = Code::kPermissionDenied;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG:
      code = Code::kResourceExhausted;
      break;
    case EIO:
      code = Code::kDataLoss;
      break;
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case EINVAL:
      code = Code::kInvalidArgument;
      break;
    default:
      break;
  }
  return Error(code, std::string("Cannot ") + action + ": " + std::strerror(number) + ".")
      .at_file(path);
}

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  Status write(std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t written = ::write(descriptor_, data.data(), data.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        return errno_error("write", path_);
      }
      data = data.subspan(static_cast<size_t>(written));
      begin_writeback(static_cast<uint64_t>(written));
    }
    return {};
  }

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t read = ::pread(descriptor_, buffer.data() + done, buffer.size() - done,
                                   static_cast<off_t>(offset + done));
      if (read < 0) {
        if (errno == EINTR) continue;
        return errno_error("read", path_);
      }
      if (read == 0) break;
      done += static_cast<size_t>(read);
    }
    return done;
  }

  Status sync() override {
    if (sync_failed_) {
      return Error(Code::kDataLoss, "An earlier sync of this file failed; its content is unknown.",
                   "Discard the file and write it again.")
          .at_file(path_);
    }
    if (::fsync(descriptor_) != 0) {
      sync_failed_ = true;  // the kernel may have dropped the dirty pages: never try again
      return errno_error("sync", path_);
    }
    return {};
  }

  Status truncate(uint64_t size_bytes) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(size_bytes)) != 0) {
      return errno_error("truncate", path_);
    }
    return {};
  }

  Result<uint64_t> size() override {
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0) return errno_error("read the size of", path_);
    return static_cast<uint64_t>(facts.st_size);
  }

  Status close() override {
    const int descriptor = std::exchange(descriptor_, -1);
    if (descriptor >= 0 && ::close(descriptor) != 0) return errno_error("close", path_);
    return {};
  }

  int descriptor() const override { return descriptor_; }

 private:
  // The disk begins while more bytes are made, so that the sync at the end waits less. It promises
  // nothing and, without a flag to wait, takes no error from the sync.
  void begin_writeback(uint64_t written) {
    constexpr uint64_t kBytes = 8u << 20;
    unsent_bytes_ += written;
    if (unsent_bytes_ < kBytes) return;
    unsent_bytes_ = 0;
    (void)::sync_file_range(descriptor_, 0, 0, SYNC_FILE_RANGE_WRITE);
  }

  int descriptor_;
  std::string path_;
  uint64_t unsent_bytes_ = 0;
  bool sync_failed_ = false;
};

class PosixFileOps final : public FileOps {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_NOFOLLOW;
    switch (mode) {
      case OpenMode::kRead:
        flags |= O_RDONLY;
        break;
      case OpenMode::kCreateNew:
      case OpenMode::kCreateSecret:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
      case OpenMode::kAppend:
        flags |= O_RDWR | O_CREAT | O_APPEND;
        break;
      case OpenMode::kTruncate:
        flags |= O_RDWR | O_CREAT | O_TRUNC;
        break;
      case OpenMode::kOverwrite:
        flags |= O_RDWR;
        (void)::chmod(path.c_str(), 0600);  // what fails here fails at open, with the reason
        break;
    }
    const mode_t permissions = mode == OpenMode::kCreateSecret ? 0400 : 0600;
    int descriptor = -1;
    do {
      descriptor = ::open(path.c_str(), flags, permissions);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return errno_error("open", path);
    struct stat facts {};
    if (::fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode)) {
      ::close(descriptor);
      return Error(Code::kInvalidArgument, "This is a folder, not a file.").at_file(path);
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(descriptor, path));
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("rename", from + " to " + to);
    return {};
  }

  Status link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return errno_error("link", from + " to " + to);
    return {};
  }

  Status remove(const std::string& path) override {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) return errno_error("remove", path);
    const int result = S_ISDIR(facts.st_mode) ? ::rmdir(path.c_str()) : ::unlink(path.c_str());
    if (result != 0) return errno_error("remove", path);
    return {};
  }

  Status make_folder(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) == 0) return {};
    if (errno != EEXIST) return errno_error("make the folder", path);
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode)) return {};
    return Error(Code::kAlreadyExists, "A file has the name of the folder to be made.",
                 "Move it away.")
        .at_file(path);
  }

  Status sync_folder(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return errno_error("open the folder", path);
    const int result = ::fsync(descriptor);
    const int number = errno;
    ::close(descriptor);
    errno = number;
    if (result != 0) return errno_error("sync the folder", path);
    return {};
  }

  Result<std::vector<FileInfo>> list(const std::string& path) override {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) return errno_error("list", path);
    std::vector<FileInfo> found;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat facts {};
      if (::fstatat(::dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
      found.push_back({std::string(name), static_cast<uint64_t>(facts.st_size),
                       S_ISDIR(facts.st_mode),
                       facts.st_ctim.tv_sec * INT64_C(1'000'000'000) + facts.st_ctim.tv_nsec,
                       facts.st_mode & 0777,
                       facts.st_mtim.tv_sec * INT64_C(1'000'000'000) + facts.st_mtim.tv_nsec,
                       S_ISREG(facts.st_mode)});
    }
    ::closedir(folder);
    std::sort(found.begin(), found.end(),
              [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
    return found;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return errno_error("look at", path);
  }

  Result<bool> is_network(const std::string& path) override {
    struct statfs facts {};
    if (::statfs(path.c_str(), &facts) != 0) return errno_error("look at the file system of", path);
    // NFS, SMB, CIFS, SMB2, 9P, AFS, Ceph, Coda, Lustre, GPFS, OCFS2, GFS2, FUSE (sshfs, s3fs).
    static constexpr uint32_t kMagic[] = {
        0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x01021997, 0x5346414f, 0x00c36400,
        0x73757245, 0x0bd00bd0, 0x47504653, 0x7461636f, 0x01161970, 0x65735546};
    return std::ranges::find(kMagic, static_cast<uint32_t>(facts.f_type)) != std::end(kMagic);
  }
};

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<DiskSpace> disk_space(const std::string& path) {
  struct statvfs facts {};
  if (::statvfs(path.c_str(), &facts) != 0) return errno_error("measure the disk", path);
  return DiskSpace{static_cast<uint64_t>(facts.f_blocks) * facts.f_frsize,
                   static_cast<uint64_t>(facts.f_bavail) * facts.f_frsize};
}

FileOps& posix_file_ops() {
  static PosixFileOps instance;
  return instance;
}

Result<std::string> read_file(FileOps& files, const std::string& path, uint64_t size_bytes_max) {
  MORTISE_ASSIGN(auto file, files.open(path, OpenMode::kRead));
  MORTISE_ASSIGN(const uint64_t size, file->size());
  const auto too_large = [&](uint64_t found) {
    return Error(Code::kResourceExhausted, "The file has " + std::to_string(found) +
                                               " bytes; at most " + std::to_string(size_bytes_max) +
                                               " are read.")
        .at_file(path);
  };
  if (size > size_bytes_max) return too_large(size);
  // Files of /proc say 0 and still have content, so the end is what read_at says it is.
  std::string text(std::max<uint64_t>(size, 4096), '\0');
  size_t done = 0;
  while (true) {
    MORTISE_ASSIGN(const size_t read,
                   file->read_at(done, std::as_writable_bytes(std::span(text)).subspan(done)));
    done += read;
    if (done < text.size()) break;
    if (done > size_bytes_max) break;
    text.resize(text.size() + 65536);
  }
  if (done > size_bytes_max) return too_large(done);
  text.resize(done);
  return text;
}

Status write_file_durably(FileOps& files, const std::string& path, std::string_view data) {
  static std::atomic<uint64_t> counter{0};
  const std::string temporary =
      path + ".new." + std::to_string(::getpid()) + "." + std::to_string(counter.fetch_add(1));
  const auto write_all = [&]() -> Status {
    MORTISE_ASSIGN(auto file, files.open(temporary, OpenMode::kCreateNew));
    MORTISE_TRY(file->write(std::as_bytes(std::span(data))));
    MORTISE_TRY(file->sync());
    MORTISE_TRY(file->close());
    return files.rename(temporary, path);
  };
  if (Status written = write_all(); !written.ok()) {
    (void)files.remove(temporary);
    return written;
  }
  return files.sync_folder(parent_of(path));
}

Status make_folders(FileOps& files, const std::string& path) {
  if (path.empty() || path == "/" || path == ".") return {};
  MORTISE_ASSIGN(const bool there, files.exists(path));
  if (there) return files.make_folder(path);
  MORTISE_TRY(make_folders(files, parent_of(path)));
  MORTISE_TRY(files.make_folder(path));
  return files.sync_folder(parent_of(path));
}

Status remove_tree(FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const bool there, files.exists(path));
  if (!there) return {};
  // A file or a link goes at once; a folder that is not empty says so.
  if (files.remove(path).ok()) return {};
  MORTISE_ASSIGN(const auto entries, files.list(path));
  for (const FileInfo& entry : entries)
    MORTISE_TRY(remove_tree(files, join_path(path, entry.name)));
  return files.remove(path);
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  std::string out(folder);
  if (out.back() != '/') out += '/';
  out += name;
  return out;
}

Status check_relative_path(std::string_view path) {
  const auto refuse = [&](const char* why) -> Status {
    return Error(Code::kInvalidArgument, std::string("The name ") + why + ".",
                 "Use a relative path such as images/0001.png.")
        .at_file(std::string(path.substr(0, 256)));
  };
  if (path.empty()) return refuse("is empty");
  if (path.size() > 4096) return refuse("has more than 4096 bytes");
  if (path.front() == '/') return refuse("is absolute");
  if (path.find('\0') != std::string_view::npos) return refuse("holds a NUL");
  if (path.find('\\') != std::string_view::npos) return refuse("holds a backslash");
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty()) return refuse("has an empty part");
    if (part == ".") return refuse("has the part \".\"");
    if (part == "..") return refuse("has the part \"..\"");
    begin = end + 1;
  }
  return {};
}

}  // namespace mortise::base
