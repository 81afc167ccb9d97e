// See archive.h. Only the readers of zip and tar and the filters gzip and zstd are switched on.
#include "cli/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "base/file_ops.h"
#include "base/json.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr size_t kReadBytes = 256u << 10;

struct Suffix {
  std::string_view end;
  bool is_zip;
  int (*filter)(struct archive*);  // nullptr: bare
};
constexpr Suffix kSuffixes[] = {
    {".zip", true, nullptr},
    {".tar", false, nullptr},
    {".tar.gz", false, archive_read_support_filter_gzip},
    {".tgz", false, archive_read_support_filter_gzip},
    {".tar.zst", false, archive_read_support_filter_zstd},
    {".tzst", false, archive_read_support_filter_zstd},
};

const Suffix* suffix_of(std::string_view path) {
  for (const Suffix& suffix : kSuffixes) {
    if (path.size() > suffix.end.size() && path.ends_with(suffix.end)) return &suffix;
  }
  return nullptr;
}

// libarchive turns names into the locale's bytes; here they are UTF-8 whatever LANG says.
class Utf8Names {
 public:
  Utf8Names()
      : ours_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(::uselocale(ours_)) {}
  ~Utf8Names() {
    ::uselocale(before_);
    if (ours_ != nullptr) ::freelocale(ours_);
  }

 private:
  locale_t ours_, before_;
};

struct Closer {
  void operator()(struct archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<struct archive, Closer>;

class Unpacking {
 public:
  Unpacking(const std::string& archive, SealedScratch& scratch, const ArchiveLimits& limits)
      : archive_(archive), scratch_(scratch), limits_(limits) {}

  Result<std::vector<UnpackedFile>> run() {
    MORTISE_TRY(open());
    while (true) {
      struct archive_entry* entry = nullptr;
      const int code = archive_read_next_header(reader_.get(), &entry);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK) return damaged();
      MORTISE_TRY(take(entry));
    }
    MORTISE_TRY(scratch_.finish());
    return std::move(files_);
  }

 private:
  Status open() {
    const Suffix* suffix = suffix_of(archive_);
    if (suffix == nullptr)
      return fault("The name does not end in .zip, .tar, .tar.gz or .tar.zst.");
    MORTISE_ASSIGN(file_, base::posix_file_ops().open(archive_, base::OpenMode::kRead));
    MORTISE_ASSIGN(archive_bytes_, file_->size());
    reader_.reset(archive_read_new());
    if (!reader_) return Error(Code::kResourceExhausted, "There is no memory for the archive.");
    if (suffix->is_zip) {
      archive_read_support_format_zip_seekable(reader_.get());
    } else {
      archive_read_support_format_tar(reader_.get());
    }
    // A bare archive has no filter at all: what is packed twice is not looked into.
    if (suffix->filter != nullptr) suffix->filter(reader_.get());
    if (archive_read_open_fd(reader_.get(), file_->descriptor(), kReadBytes) != ARCHIVE_OK) {
      return damaged();
    }
    return {};
  }

  Error fault(std::string what, std::string hint = {}, Code code = Code::kInvalidArgument) const {
    Error error(code, std::move(what), std::move(hint));
    error.at_file(archive_);
    if (!entry_.empty()) error.at_field(entry_);
    return error;
  }
  Error over(std::string what) const {
    return fault(std::move(what), "Unpack it yourself, look at it, and upload the folder.",
                 Code::kResourceExhausted);
  }
  Error damaged() const {
    const char* why = archive_error_string(reader_.get());
    return fault("The archive cannot be read: " +
                     (why == nullptr ? std::string("it is damaged") : std::string(why)) + ".",
                 "Make it again as a plain zip or tar.");
  }

  Status take(struct archive_entry* entry) {
    const char* raw = archive_entry_pathname_utf8(entry);
    if (raw == nullptr) raw = archive_entry_pathname(entry);
    entry_ = raw == nullptr ? "" : raw;
    if (++entries_ > limits_.entries_max) {
      return over("It has more than " + std::to_string(limits_.entries_max) + " entries.");
    }
    const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    std::string name = entry_;
    while (is_folder && name.ends_with('/')) name.pop_back();
    if (is_folder && (name == "." || (name.empty() && entry_ == "./"))) return {};
    auto checked = checked_entry_name(name);
    if (!checked.ok()) {
      Error& error = checked.error();
      return std::move(error.at_file(archive_).at_field(base::json_quote(entry_)));
    }
    name = std::move(*checked);
    MORTISE_TRY(check_kind(entry));
    if (is_folder) return note_folder(name);
    if (folders_.contains(name) || !names_.insert(name).second) {
      return fault("The archive has this name twice.", "Keep one of the two.");
    }
    const size_t slash = name.rfind('/');
    if (slash != std::string::npos) MORTISE_TRY(note_folder(name.substr(0, slash)));
    return write(name, entry);
  }

  Status check_kind(struct archive_entry* entry) const {
    const char* what = nullptr;
    const auto type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) != nullptr || type == AE_IFLNK) what = "a link";
    if (what == nullptr && type != AE_IFREG && type != AE_IFDIR) what = "a device, pipe or socket";
    if (archive_entry_is_encrypted(entry) != 0) what = "locked with a password";
    if (archive_entry_sparse_count(entry) > 0) what = "a file with holes";
    if (what == nullptr) return {};
    return fault("The entry is " + std::string(what) + ".", "An archive holds plain files only.");
  }

  // The folder and those above it.
  Status note_folder(const std::string& name) {
    for (size_t end = 0; end != std::string::npos;) {
      end = name.find('/', end == 0 ? 0 : end + 1);
      const std::string part = name.substr(0, end);
      if (names_.contains(part)) {
        return fault("The archive has a file and a folder of one name.", "Rename one of them.");
      }
      if (!folders_.insert(part).second) continue;
      if (folders_.size() > limits_.entries_max) return over("It has too many folders.");
    }
    return {};
  }

  Status check_size(uint64_t bytes) const {
    if (bytes > limits_.entry_bytes_max) {
      return over("The entry has more than " + std::to_string(limits_.entry_bytes_max) + " bytes.");
    }
    if (bytes > limits_.total_bytes_max - total_) {
      return over("The archive holds more than " + std::to_string(limits_.total_bytes_max) +
                  " bytes.");
    }
    const uint64_t all = total_ + bytes;
    if (all > limits_.ratio_free &&
        (all - limits_.ratio_free) / limits_.ratio_max > archive_bytes_) {
      return over("The archive has " + std::to_string(archive_bytes_) +
                  " bytes and holds more than " + std::to_string(limits_.ratio_max) +
                  " times as many.");
    }
    return {};
  }

  Status write(const std::string& name, struct archive_entry* entry) {
    const bool is_said = archive_entry_size_is_set(entry) != 0;
    const la_int64_t said = is_said ? archive_entry_size(entry) : 0;
    if (said < 0) return fault("The entry has a size below 0.");
    MORTISE_TRY(check_size(static_cast<uint64_t>(said)));
    const uint64_t begin = scratch_.size_bytes();
    uint64_t bytes = 0;
    while (true) {
      const void* data = nullptr;
      size_t size = 0;
      la_int64_t offset = 0;
      const int code = archive_read_data_block(reader_.get(), &data, &size, &offset);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK) return damaged();
      if (offset != static_cast<la_int64_t>(bytes)) return fault("The entry has holes.");
      bytes += size;
      MORTISE_TRY(check_size(bytes));
      MORTISE_TRY(scratch_.append({static_cast<const std::byte*>(data), size}));
    }
    if (is_said && bytes != static_cast<uint64_t>(said)) {
      return fault("The entry has " + std::to_string(bytes) + " bytes, the archive says " +
                       std::to_string(said) + ".",
                   "The archive is damaged or made to deceive.");
    }
    total_ += bytes;
    files_.push_back({name, begin, bytes});
    return {};
  }

  const std::string& archive_;
  SealedScratch& scratch_;
  const ArchiveLimits& limits_;
  const Utf8Names utf8_;
  std::unique_ptr<base::File> file_;
  Reader reader_;
  uint64_t archive_bytes_ = 0, entries_ = 0, total_ = 0;
  std::string entry_;  // that is being looked at
  std::set<std::string> names_, folders_;
  std::vector<UnpackedFile> files_;
};

}  // namespace

bool is_archive_name(std::string_view path) {
  return suffix_of(path) != nullptr;
}

Result<std::vector<UnpackedFile>> unpack_archive(const std::string& archive, SealedScratch& scratch,
                                                 const ArchiveLimits& limits) {
  return Unpacking(archive, scratch, limits).run();
}

}  // namespace mortise::cli
