// See choose_rows.h.
#include "ingest/choose_rows.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Result;

bool matches_pattern(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = pattern.npos, star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
    } else if (p < pattern.size() &&
               (pattern[p] == name[n] || (pattern[p] == '?' && name[n] != '/'))) {
      ++p;
      ++n;
    } else if (star != pattern.npos && name[star_name] != '/') {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

namespace {

constexpr uint32_t kSureScore = 50;   // below, a format takes the file only if nothing is better
constexpr uint32_t kBesideScore = 1;  // the format reads this file beside others
constexpr size_t kShownMax = 6;
constexpr size_t kAlikeMax = 500;  // files of one ending that are asked about in vain

struct Candidate {
  std::string name;
  std::vector<FormatGuess> guesses;  // not empty
};

// The ending in lower case, with its dot; "" for none.
std::string ending_of(std::string_view name) {
  const size_t slash = name.rfind('/'), dot = name.rfind('.');
  if (dot == name.npos || (slash != name.npos && dot < slash)) return {};
  std::string ending(name.substr(dot));
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return ending;
}

std::string_view stem_of(std::string_view name) {
  return name.substr(0, name.size() - ending_of(name).size());
}

std::string_view folder_of(std::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == name.npos ? std::string_view() : name.substr(0, slash);
}

std::string shown(const std::vector<Candidate>& candidates) {
  std::string text;
  for (size_t i = 0; i < std::min(candidates.size(), kShownMax); ++i) {
    const FormatGuess& best = candidates[i].guesses[0];
    text += (i == 0 ? "" : ", ") + candidates[i].name + " (" + best.format_id + ")";
  }
  if (candidates.size() > kShownMax) text += ", ...";
  return text;
}

Result<RowsFiles> take_wanted(const std::vector<std::string>& names,
                              const std::vector<std::string>& wanted, const ProbeFile& probe) {
  RowsFiles files;
  std::set<std::string> taken;
  for (const std::string& pattern : wanted) {
    std::vector<std::string> found;
    const bool is_name = std::find(names.begin(), names.end(), pattern) != names.end();
    std::copy_if(names.begin(), names.end(), std::back_inserter(found), [&](const auto& name) {
      return is_name ? name == pattern : matches_pattern(pattern, name);
    });
    if (found.empty()) {
      return Error(Code::kNotFound, "The upload has no file " + pattern + ".").at_file(pattern);
    }
    std::sort(found.begin(), found.end());
    for (std::string& name : found) {
      if (taken.insert(name).second) files.names.push_back(std::move(name));
    }
  }
  for (const std::string& name : files.names) {
    MORTISE_ASSIGN(const auto guesses, probe(name));
    if (guesses.empty()) {
      return Error(Code::kInvalidArgument, "No format takes " + name + ".",
                   "Look at its first lines; name the format yourself with --format, or install a"
                   " pack for it.")
          .at_file(name);
    }
    if (files.format_id.empty()) files.format_id = guesses[0].format_id;
    if (guesses[0].format_id == files.format_id) continue;
    return Error(Code::kInvalidArgument,
                 files.names[0] + " is " + files.format_id + " and " + name + " is " +
                     guesses[0].format_id + ": files that are read together have one format.",
                 "Name files of one format, or make two data sets.")
        .at_file(name);
  }
  return files;
}

// Files that another candidate's format reads beside it.
void drop_companions(std::vector<Candidate>& candidates) {
  std::set<std::string> formats;
  for (const Candidate& candidate : candidates) {
    if (candidate.guesses[0].score > kBesideScore) formats.insert(candidate.guesses[0].format_id);
  }
  std::erase_if(candidates, [&](const Candidate& candidate) {
    return std::any_of(candidate.guesses.begin(), candidate.guesses.end(), [&](const auto& guess) {
      return guess.score == kBesideScore && formats.contains(guess.format_id);
    });
  });
}

bool is_folder_format(std::string_view format_id) {
  return format_id == kMediaFolderFormat || format_id == kDicomFormat;
}

// What the names alone tell of a folder of media; views of the names, which may be a million.
struct Media {
  std::set<std::string_view> folders;
  std::set<std::string_view>
      sidecars;  // texts and JSON files that stand beside a medium of their stem
};

Media media_among(const std::vector<std::string>& names) {
  Media media;
  std::vector<std::string_view> stems;
  for (const std::string& name : names) {
    if (!is_media_name(name)) continue;
    stems.push_back(stem_of(name));
    media.folders.insert(folder_of(name));
  }
  std::sort(stems.begin(), stems.end());
  for (const std::string& name : names) {
    const std::string ending = ending_of(name);
    if ((ending == ".txt" || ending == ".json") &&
        std::binary_search(stems.begin(), stems.end(), stem_of(name))) {
      media.sidecars.insert(name);
    }
  }
  if (media.sidecars.size() < 2) media.sidecars.clear();  // one may be anything
  return media;
}

// Every file that a format takes. Of an ending that is no format's only some are asked about.
Result<std::vector<Candidate>> candidates_among(const std::vector<std::string>& names,
                                                const Media& media, const ProbeFile& probe) {
  std::vector<Candidate> candidates;
  struct Asked {
    size_t in_vain = 0, folder = 0;
    bool is_taken = false;
  };
  std::map<std::string, Asked> endings;
  for (const std::string& name : names) {
    if (is_media_name(name) || media.sidecars.contains(name)) continue;
    Asked& asked = endings[ending_of(name)];
    if (asked.folder >= kAlikeMax || (!asked.is_taken && asked.in_vain >= kAlikeMax)) continue;
    MORTISE_ASSIGN(auto guesses, probe(name));
    asked.in_vain += guesses.empty() ? 1 : 0;
    if (guesses.empty()) continue;
    asked.is_taken = true;
    asked.folder += guesses[0].format_id == kDicomFormat ? 1 : 0;
    candidates.push_back({name, std::move(guesses)});
  }
  return candidates;
}

// The surest alone; DICOM files beside a file of rows are what it names.
void drop_unsure(std::vector<Candidate>& candidates) {
  drop_companions(candidates);
  const auto is_sure = [](const Candidate& one) { return one.guesses[0].score >= kSureScore; };
  const auto is_dicom = [](const Candidate& one) {
    return one.guesses[0].format_id == kDicomFormat;
  };
  const auto is_rows = [&](const Candidate& one) { return is_sure(one) && !is_dicom(one); };
  if (std::any_of(candidates.begin(), candidates.end(), is_sure)) {
    std::erase_if(candidates, [&](const Candidate& one) { return !is_sure(one); });
  }
  if (std::any_of(candidates.begin(), candidates.end(), is_rows))
    std::erase_if(candidates, is_dicom);
}

// Which format reads the folder itself; "" when none does.
std::string format_of_folder(const std::vector<Candidate>& candidates, const Media& media,
                             const std::string& wanted) {
  if (candidates.empty()) {
    if (!wanted.empty()) return wanted;
    const bool is_told = media.folders.size() > 1 || !media.sidecars.empty();
    return is_told ? std::string(kMediaFolderFormat) : std::string();
  }
  const std::string& first = candidates[0].guesses[0].format_id;
  const bool is_one_set =
      std::all_of(candidates.begin(), candidates.end(),
                  [&](const Candidate& one) { return one.guesses[0].format_id == first; });
  return candidates.size() > 1 && is_one_set && is_folder_format(first) ? first : std::string();
}

}  // namespace

bool is_media_name(std::string_view name) {
  static constexpr std::array<std::string_view, 23> endings = {
      ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif",        ".tiff",
      ".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac",        ".pcm",
      ".mp4", ".mkv", ".webm", ".mov", ".avi",  ".npy", ".safetensors"};
  return std::find(endings.begin(), endings.end(), ending_of(name)) != endings.end();
}

Result<RowsFiles> choose_rows(const std::vector<std::string>& names,
                              const std::vector<std::string>& wanted, const ProbeFile& probe,
                              const std::string& format_id) {
  if (!wanted.empty()) return take_wanted(names, wanted, probe);
  const Media media = media_among(names);
  MORTISE_ASSIGN(std::vector<Candidate> candidates, candidates_among(names, media, probe));
  drop_unsure(candidates);
  if (candidates.size() == 1)
    return RowsFiles{{candidates[0].name}, candidates[0].guesses[0].format_id};
  if (std::string folder = format_of_folder(candidates, media, format_id); !folder.empty()) {
    return RowsFiles{{""}, std::move(folder)};
  }
  if (candidates.empty()) {
    return Error(Code::kNotFound, "The upload holds no file of rows that a format knows.",
                 "Add a file of rows, such as a .jsonl file with one JSON object a line, or name "
                 "it with --rows FILE. Media need none when each class has a folder of its own, or "
                 "each medium a text beside it (1.png, 1.txt).");
  }
  return Error(Code::kInvalidArgument,
               "The upload holds " + std::to_string(candidates.size()) +
                   " files that could be the rows: " + shown(candidates) + ".",
               "Say which with --rows FILE (in a manifest: ingest.rows). Several files of one set: "
               "--rows 'train-*.jsonl', or --rows more than once.");
}

}  // namespace mortise::ingest
