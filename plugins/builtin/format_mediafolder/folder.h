// What lies in a folder of media, and what the names of its files say: labels, splits, neighbours.
//
// Called by plugin.cpp and folder_rows.cpp. Lists names only; no file is opened here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mortise::format_mediafolder {

struct FolderOptions {
  std::string label = "auto";  // folder: always the parent's name; none: never
  std::vector<std::string> sidecars = {"{stem}.txt"};  // names of files with the text of a medium
};

// One medium and what stands beside it. Names are as mortise.files/1 knows them.
struct MediaFile {
  std::string name;
  std::string label, split;  // empty: none
  std::string text_file, json_file;
};

struct Folder {
  std::string root;                   // "" when single files were given
  std::vector<std::string> metadata;  // sorted; when there are any, they alone give the rows
  std::vector<MediaFile> media;       // sorted by name
};

// Is this a file that lists media, by its name: metadata.csv, metadata.jsonl?
bool is_metadata(std::string_view name);

// Throws NOT_FOUND when there is no such folder, RESOURCE_EXHAUSTED above a million files.
Folder list_folder(const std::string& root, const FolderOptions& options);

}  // namespace mortise::format_mediafolder
