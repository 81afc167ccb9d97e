// Loads shared libraries and keeps them. Why compare the file before and after instead of loading
// through /proc/self/fd: that breaks the $ORIGIN of packs with private libraries. See library.h.
#include "plugin/library.h"

#define BOOST_DLL_USE_STD_FS
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/dll/shared_library.hpp>

#include <filesystem>
#include <map>
#include <mutex>

#include "base/crypto.h"
#include "plugin/keep.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr const char* kEntry = "mortise_entry_1";

// What tells one file from another, and the file now from the file before.
struct Stamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};

  explicit Stamp(const struct stat& facts)
      : device(facts.st_dev), inode(facts.st_ino), size(facts.st_size), changed(facts.st_ctim) {}
  bool operator==(const Stamp& other) const {
    return device == other.device && inode == other.inode && size == other.size &&
           changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
  }
};

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

Status check_file(int descriptor, const std::string& path) {
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return Error(Code::kPermissionDenied, "The library is not a plain file.").at_file(path);
  }
  if ((facts.st_mode & S_IWOTH) != 0) {
    return Error(Code::kPermissionDenied, "Everybody may write the library.",
                 "Take the right away: chmod o-w.")
        .at_file(path);
  }
  return {};
}

Result<std::string> hash_of(int descriptor, const std::string& path) {
  base::Sha256 hash;
  std::vector<std::byte> buffer(1u << 20);
  for (off_t offset = 0;;) {
    const ssize_t size = ::pread(descriptor, buffer.data(), buffer.size(), offset);
    if (size < 0) {
      return Error(Code::kDataLoss, "The library cannot be read.").at_file(path);
    }
    if (size == 0) break;
    hash.update(std::span<const std::byte>(buffer).first(static_cast<size_t>(size)));
    offset += size;
  }
  return base::to_hex(hash.finish());
}

// Why RTLD_DEEPBIND: libtorch exports templates of std that it instantiated for its own oneDNN. A
// pack's oneDNN would bind to them, run libtorch's initialiser in place of its own and refuse every
// product (docs/log.md). Deep binding makes a pack and its libraries look among themselves first.
// The sanitizers' run times refuse to open a library so.
constexpr auto kLoadMode = boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
                           | boost::dll::load_mode::rtld_deepbind
#endif
    ;

Result<EntryFunction> map_library(const std::string& path) {
  // Never destroyed: a library that is unloaded takes code along that somebody may still call.
  auto* library = keep_forever(new boost::dll::shared_library());
  try {
    library->load(path, kLoadMode);
    if (!library->has(kEntry)) {
      return Error(Code::kInvalidArgument,
                   std::string("The library exports no ") + kEntry + ", so it is no plugin.",
                   "Build it with mortise_add_plugin() and define the entry.")
          .at_file(path);
    }
    return &library->get<mortise_status(const mortise_hello*, mortise_hello_reply*)>(kEntry);
  } catch (const std::exception& failure) {
    return Error(Code::kFailedPrecondition,
                 std::string("The library does not load: ") + failure.what(),
                 "Install what is missing, or ask the vendor for a build for this system.")
        .at_file(path);
  }
}

}  // namespace

Status check_library(const std::string& path, const std::string& sha256) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.number() < 0) {
    const bool is_link = errno == ELOOP;
    return Error(is_link ? Code::kPermissionDenied : Code::kNotFound,
                 is_link ? "The library is a symbolic link; a pack holds plain files."
                         : "The library cannot be opened.",
                 "Build or install the pack again.")
        .at_file(path);
  }
  MORTISE_TRY(check_file(file.number(), path));
  MORTISE_ASSIGN(const std::string found, hash_of(file.number(), path));
  if (found == sha256) return {};
  return Error(Code::kDataLoss,
               "The library has the SHA-256 " + found + ", the manifest says " + sha256 +
                   ": it was changed after the pack was made or installed.",
               "Install the pack again, and find out who changed it.")
      .at_file(path);
}

Result<EntryFunction> open_library(const std::string& path, const std::string& sha256) {
  static std::mutex mutex;
  static auto* opened = new std::map<std::pair<std::string, std::string>, EntryFunction>();
  const std::lock_guard lock(mutex);

  // Hashed at each load, also when the library is mapped already.
  MORTISE_TRY(check_library(path, sha256));
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) {
    return Error(Code::kNotFound, "The library is gone.").at_file(path);
  }
  const Stamp before(facts);
  if (const auto known = opened->find({path, sha256}); known != opened->end()) {
    return known->second;
  }
  for (const auto& [key, value] : *opened) {
    if (key.first != path) continue;
    return Error(Code::kFailedPrecondition,
                 "Another version of this library is loaded in this process, and libraries are "
                 "never unloaded.",
                 "Start a new worker.")
        .at_file(path);
  }
  auto entry = map_library(path);
  if (!entry.ok()) return entry;
  // The hash was of what lay at the path before; the same file, unchanged, must lie there now.
  const bool is_there = ::lstat(path.c_str(), &facts) == 0;
  MORTISE_TRY(check_library(path, sha256));
  if (!is_there || !(Stamp(facts) == before)) {
    return Error(Code::kDataLoss, "The library was exchanged while it was being opened.",
                 "Install the pack again, and find out who changed it.")
        .at_file(path);
  }
  opened->emplace(std::pair(path, sha256), *entry);
  return entry;
}

}  // namespace mortise::plugin
