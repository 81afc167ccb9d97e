// Sidecars are looked for in the medium's own folder first, then anywhere by a stem that is unique.
#include "folder.h"

#include <mortise/cpp/media_rows.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace mortise::format_mediafolder {
namespace {

constexpr size_t kFilesMax = 1'000'000;
constexpr int kDepthMax = 32;

std::string base_of(std::string_view name) {
  return std::string(name.substr(name.rfind('/') + 1));  // npos + 1 is 0
}

std::string stem_of(std::string_view name) {
  const std::string base = base_of(name);
  return base.substr(0, base.rfind('.'));
}

void list_tree(const std::string& folder, int depth, std::vector<std::string>* out) {
  if (depth > kDepthMax) throw sdk::resource_exhausted("Folders lie too deep.").at(folder);
  for (const std::string& entry : sdk::list_files(folder)) {
    if (entry.starts_with('.')) continue;
    const std::string name = sdk::name_in(folder, entry);
    if (name.ends_with('/')) {
      list_tree(name.substr(0, name.size() - 1), depth + 1, out);
    } else {
      out->push_back(name);
    }
    if (out->size() > kFilesMax) {
      throw sdk::resource_exhausted("The folder has more than " + std::to_string(kFilesMax) +
                                    " files.")
          .at(folder);
    }
  }
}

bool is_split(std::string_view part) {
  for (const char* known : {"train", "val", "valid", "validation", "dev", "test", "eval"}) {
    if (part == known) return true;
  }
  return false;
}

// Files by base name; a name that occurs twice is no neighbour of anything elsewhere.
class Neighbours {
 public:
  explicit Neighbours(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      names_.insert(name);
      const auto [at, is_new] = by_base_.emplace(base_of(name), name);
      if (!is_new) at->second.clear();
    }
  }
  std::string find(const std::string& folder, const std::string& base) const {
    const std::string beside = sdk::name_in(folder, base);
    if (names_.contains(beside)) return beside;
    const auto found = by_base_.find(base);
    return found == by_base_.end() ? std::string() : found->second;
  }

 private:
  std::set<std::string> names_;
  std::map<std::string, std::string> by_base_;
};

std::string replace_stem(std::string pattern, const std::string& stem) {
  const size_t at = pattern.find("{stem}");
  return at == pattern.npos ? pattern : pattern.replace(at, 6, stem);
}

// Split and class from the folders between the root and the file.
void name_folders(const std::string& root, MediaFile* file) {
  std::string below = file->name.substr(root.empty() ? 0 : root.size() + 1);
  const size_t first = below.find('/');
  if (first != below.npos && is_split(below.substr(0, first))) {
    file->split = below.substr(0, first);
    below.erase(0, first + 1);
  }
  const std::string folder = sdk::folder_of(below);
  file->label = base_of(folder);
}

}  // namespace

bool is_metadata(std::string_view name) {
  const std::string base = base_of(name);
  return base == "metadata.csv" || base == "metadata.jsonl";
}

Folder list_folder(const std::string& root, const FolderOptions& options) {
  Folder folder;
  folder.root = root;
  std::vector<std::string> names;
  list_tree(root, 0, &names);
  if (names.empty()) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "There is no file or folder \"" + root + "\".")
        .at(root);
  }
  std::sort(names.begin(), names.end());
  std::copy_if(names.begin(), names.end(), std::back_inserter(folder.metadata), is_metadata);
  if (!folder.metadata.empty()) return folder;
  const Neighbours neighbours(names);
  std::set<std::string> labels;
  bool has_sidecars = false;
  for (const std::string& name : names) {
    if (sdk::media_kind(sdk::ending_of(name)).empty()) continue;
    MediaFile file;
    file.name = name;
    const std::string own = sdk::folder_of(name), stem = stem_of(name);
    for (const std::string& pattern : options.sidecars) {
      if (file.text_file.empty()) {
        file.text_file = neighbours.find(own, replace_stem(pattern, stem));
      }
    }
    file.json_file = neighbours.find(own, stem + ".json");
    if (file.json_file.empty()) file.json_file = neighbours.find(own, base_of(name) + ".json");
    has_sidecars = has_sidecars || !file.text_file.empty() || !file.json_file.empty();
    name_folders(root, &file);
    labels.insert(file.label);
    folder.media.push_back(std::move(file));
  }
  const bool is_classes = options.label == "folder" || (options.label == "auto" && !has_sidecars &&
                                                        labels.size() > 1 && !labels.contains(""));
  if (!is_classes) {
    for (MediaFile& file : folder.media) file.label.clear();
  }
  return folder;
}

}  // namespace mortise::format_mediafolder
