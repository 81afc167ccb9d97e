// mortise.files/1: names inside granted roots. Plain files are opened one folder at a time with
// O_NOFOLLOW, so neither ".." nor a link leads out. A new file is written beside its name and gets
// it at close, after an fsync.
#include <fcntl.h>
#include <mortise/service/files.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/clock.h"
#include "plugin/error_box.h"
#include "plugin/host_state.h"

// One open file: one to read, or a new one to write.
struct mortise_file {
  mortise_host* host = nullptr;
  std::string name;
  std::unique_ptr<mortise::base::File> file;
  std::string temporary_path, final_path;  // of a new file
};

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

mortise_status fail(mortise_error* error, const Error& reason, const std::string& name) {
  const auto code = static_cast<mortise_status>(reason.code);
  error->set(error, code, text_of(reason.message));
  error->locate(error, text_of(name), reason.row, reason.byte_offset, text_of(reason.field));
  if (!reason.hint.empty()) error->detail(error, text_of("hint"), text_of(reason.hint));
  return code;
}

Error not_granted(const std::string& name) {
  return Error(Code::kNotFound, "No file of this name is granted.").at_file(name);
}

// A granted root and what of the name lies inside it.
struct Place {
  GrantedRoot root;
  std::string rest;
};

std::optional<Place> find_root(HostServices::State& state, const std::string& name) {
  const std::lock_guard lock(state.mutex);
  const size_t slash = name.find('/');
  if (const auto named = state.roots.find(name.substr(0, slash)); named != state.roots.end()) {
    return Place{named->second, slash == std::string::npos ? "" : name.substr(slash + 1)};
  }
  if (const auto whole = state.roots.find(""); whole != state.roots.end()) {
    return Place{whole->second, name};
  }
  return std::nullopt;
}

// Whether every part on the way is a folder (the last one: or a file) and no link. maker: makes the
// folders that are missing. Errors: NOT_FOUND, PERMISSION_DENIED.
Status check_way(const std::string& root, const std::string& rest, const std::string& name,
                 base::FileOps* maker = nullptr) {
  std::string path = root;
  for (size_t begin = 0; begin < rest.size();) {
    const size_t end = std::min(rest.find('/', begin), rest.size());
    path = base::join_path(path, rest.substr(begin, end - begin));
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) {
      if (maker == nullptr) return not_granted(name);
      MORTISE_TRY(maker->make_folder(path));
      if (::lstat(path.c_str(), &facts) != 0) return not_granted(name);
    }
    if (S_ISLNK(facts.st_mode)) {
      return Error(Code::kPermissionDenied, "This name goes through a symbolic link.",
                   "Replace the link by what it points to.")
          .at_file(name);
    }
    if (!S_ISDIR(facts.st_mode) && (end < rest.size() || !S_ISREG(facts.st_mode))) {
      return Error(Code::kInvalidArgument, "This name is neither a plain file nor a folder.")
          .at_file(name);
    }
    begin = end + 1;
  }
  return {};
}

Result<std::unique_ptr<mortise_file>> open_read(mortise_host* host, const std::string& name) {
  HostServices::State& state = *host->state;
  auto opened = std::make_unique<mortise_file>();
  opened->host = host;
  opened->name = name;
  const auto place = find_root(state, name);
  if (!place || place->rest.empty()) return not_granted(name);
  base::FileOps* files = state.files;
  std::string path = place->rest;
  if (place->root.files != nullptr) {
    files = place->root.files;
  } else {
    MORTISE_TRY(check_way(place->root.folder, place->rest, name));
    path = base::join_path(place->root.folder, place->rest);
  }
  auto file = files->open(path, base::OpenMode::kRead);
  if (!file.ok()) return Error(std::move(file).error()).at_file(name);
  opened->file = std::move(*file);
  return opened;
}

Result<std::unique_ptr<mortise_file>> open_new(mortise_host* host, const std::string& name) {
  HostServices::State& state = *host->state;
  const auto place = find_root(state, name);
  if (!place || place->rest.empty()) return not_granted(name);
  if (place->root.access != Access::kReadWrite) {
    return Error(Code::kPermissionDenied, "This folder is granted for reading only.").at_file(name);
  }
  const size_t slash = place->rest.rfind('/');
  const std::string inside = slash == std::string::npos ? "" : place->rest.substr(0, slash);
  MORTISE_TRY(check_way(place->root.folder, inside, name, state.files));
  auto opened = std::make_unique<mortise_file>();
  opened->host = host;
  opened->name = name;
  opened->final_path = base::join_path(place->root.folder, place->rest);
  MORTISE_ASSIGN(const bool there, state.files->exists(opened->final_path));
  if (there) {
    return Error(Code::kAlreadyExists, "A file of this name is there.").at_file(name);
  }
  opened->temporary_path =
      opened->final_path + ".new-" + base::random_hex(base::system_random(), 8);
  MORTISE_ASSIGN(opened->file,
                 state.files->open(opened->temporary_path, base::OpenMode::kCreateNew));
  return opened;
}

mortise_status open(mortise_host* host, mortise_text name, int32_t mode, mortise_file** out_file,
                    mortise_error* error) {
  host->check_thread();
  *out_file = nullptr;
  const std::string text(view_of(name));
  if (Status inside = base::check_relative_path(text); !inside.ok()) {
    return fail(error, inside.error(), text);
  }
  if (mode != MORTISE_FILE_READ && mode != MORTISE_FILE_WRITE_NEW) {
    return fail(error,
                Error(Code::kInvalidArgument, "Mode " + std::to_string(mode) + " is unknown."),
                text);
  }
  auto opened = mode == MORTISE_FILE_READ ? open_read(host, text) : open_new(host, text);
  if (!opened.ok()) return fail(error, opened.error(), text);
  *out_file = opened->release();
  return MORTISE_STATUS_OK;
}

mortise_status size(mortise_file* file, uint64_t* out_size_bytes, mortise_error* error) {
  auto result = file->file->size();
  if (!result.ok()) return fail(error, result.error(), file->name);
  *out_size_bytes = *result;
  return MORTISE_STATUS_OK;
}

mortise_status read_at(mortise_file* file, uint64_t offset, void* buffer, uint64_t size_bytes,
                       uint64_t* out_read, mortise_error* error) {
  *out_read = 0;
  const std::span<std::byte> room(static_cast<std::byte*>(buffer), size_bytes);
  auto result = file->file->read_at(offset, room);
  if (!result.ok()) return fail(error, result.error(), file->name);
  *out_read = *result;
  return MORTISE_STATUS_OK;
}

mortise_status write(mortise_file* file, const void* data, uint64_t size_bytes,
                     mortise_error* error) {
  if (file->temporary_path.empty()) {
    return fail(error, Error(Code::kFailedPrecondition, "The file was opened for reading."),
                file->name);
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(data), size_bytes);
  Status written = file->file->write(bytes);
  return written.ok() ? MORTISE_STATUS_OK : fail(error, written.error(), file->name);
}

// link and not rename: a name that somebody took meanwhile is not replaced.
Status publish(mortise_file& file) {
  base::FileOps& files = *file.host->state->files;
  MORTISE_TRY(file.file->sync());
  MORTISE_TRY(file.file->close());
  MORTISE_TRY(files.link(file.temporary_path, file.final_path));
  MORTISE_TRY(files.remove(file.temporary_path));
  return files.sync_folder(file.final_path.substr(0, file.final_path.rfind('/')));
}

mortise_status close(mortise_file* file, mortise_error* error) {
  const std::unique_ptr<mortise_file> owned(file);
  if (file->temporary_path.empty()) return MORTISE_STATUS_OK;
  Status published = publish(*file);
  if (published.ok()) return MORTISE_STATUS_OK;
  (void)file->host->state->files->remove(file->temporary_path);
  return fail(error, published.error(), file->name);
}

void discard(mortise_file* file) {
  const std::unique_ptr<mortise_file> owned(file);
  if (file == nullptr || file->temporary_path.empty()) return;
  (void)file->file->close();
  (void)file->host->state->files->remove(file->temporary_path);
}

// Names directly below `folder`: of the root that holds it, and of all roots when it is "".
Result<std::set<std::string>> names_below(HostServices::State& state, const std::string& folder) {
  std::set<std::string> names;
  {
    const std::lock_guard lock(state.mutex);
    for (const auto& [name, root] : state.roots) {
      if (folder.empty() && !name.empty()) names.insert(name + "/");
    }
  }
  const auto place = find_root(state, folder);
  if (!place) {
    if (!folder.empty()) return not_granted(folder);
    return names;
  }
  base::FileOps* files = place->root.files != nullptr ? place->root.files : state.files;
  if (!place->rest.empty() && place->root.files == nullptr) {
    MORTISE_TRY(check_way(place->root.folder, place->rest, folder));
  }
  MORTISE_ASSIGN(
      const auto entries,
      files->list(place->root.files != nullptr ? place->rest
                                               : base::join_path(place->root.folder, place->rest)));
  for (const base::FileInfo& entry : entries) {
    names.insert(entry.is_folder ? entry.name + "/" : entry.name);
  }
  return names;
}

mortise_status list(mortise_host* host, mortise_text folder,
                    mortise_status (*sink_name)(void* user, mortise_text name), void* user,
                    mortise_error* error) {
  std::string text(view_of(folder));
  if (text.ends_with('/')) text.pop_back();
  if (!text.empty()) {
    if (Status inside = base::check_relative_path(text); !inside.ok()) {
      return fail(error, inside.error(), text);
    }
  }
  auto names = names_below(*host->state, text);
  if (!names.ok()) return fail(error, names.error(), text);
  for (const std::string& name : *names) {
    const mortise_status status = sink_name(user, text_of(name));
    if (status != MORTISE_STATUS_OK) return status;
  }
  return MORTISE_STATUS_OK;
}

const mortise_files_service kFilesTable = {
    sizeof kFilesTable, 0, &open, &size, &read_at, &write, &close, &discard, &list};

}  // namespace

const void* files_service() {
  return &kFilesTable;
}

}  // namespace mortise::plugin
