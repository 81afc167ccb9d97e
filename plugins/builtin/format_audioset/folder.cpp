// See folder.h.
#include "folder.h"

#include <cstdio>

namespace mortise::format_audioset {
namespace {

constexpr uint64_t kLabelBytesMax = uint64_t{16} << 20;
constexpr std::string_view kEndings[] = {".wav", ".flac", ".mp3", ".opus", ".ogg",
                                         ".m4a", ".webm", ".mp4", ".mkv"};

std::string unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string plain;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    plain += text[i];
    if (text[i] == '"' && text[i + 1] == '"') ++i;
  }
  return plain;
}

// index,mid,"display name" or mid<TAB>display name.
bool read_label(std::string_view line, Folder& folder) {
  const size_t tab = line.find('\t');
  if (tab != line.npos) {
    folder.labels.emplace(line.substr(0, tab), line.substr(tab + 1));
    return true;
  }
  const size_t first = line.find(',');
  const size_t second = first == line.npos ? first : line.find(',', first + 1);
  if (second == line.npos) return false;
  folder.labels.emplace(line.substr(first + 1, second - first - 1),
                        unquoted(line.substr(second + 1)));
  return true;
}

void read_labels(const std::string& name, Folder& folder) {
  const std::string text = sdk::File::open(name).read_all(kLabelBytesMax);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool is_header = begin == 0 && line.starts_with("index,");
    if (!line.empty() && !is_header && !read_label(line, folder)) {
      throw sdk::invalid_argument("The line is not \"index,mid,display_name\".")
          .at(name, -1, static_cast<int64_t>(begin));
    }
    begin = end + 1;
  }
}

void add_clips(const std::string& listed, const std::string& relative, Folder& folder) {
  for (const std::string& name : sdk::list_files(listed)) {
    for (const std::string_view ending : kEndings) {
      if (!name.ends_with(ending)) continue;
      folder.clips.emplace(name.substr(0, name.size() - ending.size()),
                           sdk::name_in(relative, name));
    }
  }
}

bool is_usual(const std::string& name, const std::string& segments) {
  for (const char* usual : {"audio", "audios", "audio_segments", "clips", "wav", "wavs"}) {
    if (name == usual) return true;
  }
  const std::string own = segments.substr(segments.rfind('/') + 1);  // "eval_segments.csv"
  return name == own.substr(0, own.rfind('.'));
}

}  // namespace

std::string Folder::find_clip(std::string_view ytid, double start, double end) const {
  if (clips.empty()) return {};
  const std::string id(ytid);
  char text[6][64];
  std::snprintf(text[0], sizeof(text[0]), "%s", "");
  std::snprintf(text[1], sizeof(text[1]), "_%.0f", start);
  std::snprintf(text[2], sizeof(text[2]), "_%.0f_%.0f", start, end);
  std::snprintf(text[3], sizeof(text[3]), "_%.0f", start * 1000);
  std::snprintf(text[4], sizeof(text[4]), "_%.0f_%.0f", start * 1000, end * 1000);
  std::snprintf(text[5], sizeof(text[5]), "_%.3f_%.3f", start, end);
  for (const char* ending : text) {
    for (const std::string& stem : {id + ending, "Y" + id + ending}) {
      if (const auto found = clips.find(stem); found != clips.end()) return found->second;
    }
  }
  return {};
}

Folder read_folder(const std::string& segments, const std::string& labels,
                   const std::string& audio_folder) {
  Folder folder;
  const std::string base = sdk::folder_of(segments);
  const std::vector<std::string> names = sdk::list_files(base);
  if (!labels.empty()) read_labels(sdk::name_in(base, labels), folder);
  for (const char* known : {"mid_to_display_name.tsv", "class_labels_indices.csv"}) {
    const bool is_there = std::find(names.begin(), names.end(), known) != names.end();
    if (labels.empty() && is_there) read_labels(sdk::name_in(base, known), folder);
  }
  if (folder.labels.empty()) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "The names of the labels are not there.")
        .at(segments)
        .with_hint(
            "Put class_labels_indices.csv, or for strong labels mid_to_display_name.tsv, "
            "beside the segments.");
  }
  if (!audio_folder.empty()) {
    add_clips(sdk::name_in(base, audio_folder), audio_folder, folder);
    return folder;
  }
  add_clips(base, "", folder);
  for (const std::string& name : names) {
    if (!name.ends_with('/')) continue;
    const std::string inner = name.substr(0, name.size() - 1);
    if (is_usual(inner, segments)) add_clips(sdk::name_in(base, inner), inner, folder);
  }
  return folder;
}

}  // namespace mortise::format_audioset
