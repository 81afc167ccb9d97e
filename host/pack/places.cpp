// Where packs lie on an ordinary system. See usual_search in find.h.
#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "pack/find.h"

namespace mortise::pack {
namespace {

std::string executable_folder() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) return {};
  const std::string whole(path, static_cast<size_t>(size));
  const size_t slash = whole.find_last_of('/');
  return slash == std::string::npos ? std::string() : whole.substr(0, slash);
}

std::string parent(const std::string& folder) {
  const size_t slash = folder.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : folder.substr(0, slash);
}

// MORTISE_PACK_PATH: absolute folders, separated by colons. A relative one would depend on the
// working directory, so it is an error.
base::Status add_developer_places(Search& search) {
  const char* value = std::getenv("MORTISE_PACK_PATH");
  if (value == nullptr || ::getauxval(AT_SECURE) != 0) return {};
  std::string_view rest = value;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string folder(rest.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    if (folder.empty()) continue;
    if (folder.front() != '/') {
      return base::Error(base::Code::kInvalidArgument,
                         "MORTISE_PACK_PATH holds \"" + folder + "\", which is not absolute.",
                         "Write the whole path, beginning with \"/\".");
    }
    search.places.push_back({Tier::kDeveloper, folder});
  }
  return {};
}

}  // namespace

base::Result<Search> usual_search(base::FileOps& files, const std::string& home,
                                  bool developer_mode) {
  Search search;
  if (const std::string folder = executable_folder(); !folder.empty()) {
    search.places.push_back({Tier::kSystem, base::join_path(parent(folder), "packs")});
    search.places.push_back({Tier::kSystem, base::join_path(parent(folder), "lib/mortise/packs")});
  }
  search.places.push_back({Tier::kOpt, "/opt/mortise/packs"});
  if (!home.empty()) {
    search.places.push_back({Tier::kUser, base::join_path(home, "packs")});
    const std::string lock = base::join_path(home, "mortise.lock");
    MORTISE_ASSIGN(const bool is_locked, files.exists(lock));
    if (is_locked) {
      MORTISE_ASSIGN(search.lock, read_lock(files, lock));
    }
    const std::string keys = base::join_path(home, "keyring.json");
    MORTISE_ASSIGN(const bool has_keys, files.exists(keys));
    if (has_keys) {
      MORTISE_ASSIGN(search.keyring, read_keyring(files, keys));
    }
  }
  if (developer_mode) MORTISE_TRY(add_developer_places(search));
  return search;
}

}  // namespace mortise::pack
