// See choose_rows.h.
#include "ingest/choose_rows.h"

#include <algorithm>
#include <array>
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

struct Candidate {
  std::string name;
  std::vector<FormatGuess> guesses;  // not empty
};

// Pictures, sound and films are never rows; a folder may hold a million of them.
bool is_media(const std::string& name) {
  static constexpr std::array<std::string_view, 23> endings = {
      ".png", ".jpg", ".jpeg", ".gif",  ".webp", ".bmp",  ".tif", ".tiff",
      ".dcm", ".wav", ".mp3",  ".flac", ".ogg",  ".opus", ".m4a", ".aac",
      ".pcm", ".mp4", ".mkv",  ".webm", ".mov",  ".avi",  ".npy"};
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  std::string ending = name.substr(dot);
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
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

}  // namespace

Result<RowsFiles> choose_rows(const std::vector<std::string>& names,
                              const std::vector<std::string>& wanted, const ProbeFile& probe) {
  if (!wanted.empty()) return take_wanted(names, wanted, probe);
  std::vector<Candidate> candidates;
  for (const std::string& name : names) {
    if (is_media(name)) continue;
    MORTISE_ASSIGN(auto guesses, probe(name));
    if (!guesses.empty()) candidates.push_back({name, std::move(guesses)});
  }
  drop_companions(candidates);
  const auto is_sure = [](const Candidate& one) { return one.guesses[0].score >= kSureScore; };
  if (std::any_of(candidates.begin(), candidates.end(), is_sure)) {
    std::erase_if(candidates, [&](const Candidate& one) { return !is_sure(one); });
  }
  if (candidates.size() == 1)
    return RowsFiles{{candidates[0].name}, candidates[0].guesses[0].format_id};
  if (candidates.empty()) {
    return Error(Code::kNotFound, "The upload holds no file of rows that a format knows.",
                 "Add a file of rows, such as a .jsonl file with one JSON object a line.");
  }
  return Error(Code::kInvalidArgument,
               "The upload holds " + std::to_string(candidates.size()) +
                   " files that could be the rows: " + shown(candidates) + ".",
               "Say which with --rows FILE (in a manifest: ingest.rows). Several files of one set: "
               "--rows 'train-*.jsonl', or --rows more than once.");
}

}  // namespace mortise::ingest
