// Which files of an upload hold the rows, and in which format? Called by the worker before it opens
// them. Knows nothing of what rows say.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortise::ingest {

struct FormatGuess {
  std::string format_id;
  uint32_t score = 0;  // 0 .. 100, as the format's probe says
};

// The guesses of every format about one file, the best first; formats that say 0 are left out.
using ProbeFile = std::function<base::Result<std::vector<FormatGuess>>(const std::string& name)>;

struct RowsFiles {
  std::vector<std::string> names;  // in the order in which they are read; one "": the folder itself
  std::string format_id;
};

// Formats that read a folder as one set, and not only the one file that they are named.
inline constexpr std::string_view kMediaFolderFormat = "mortise.format_mediafolder";
inline constexpr std::string_view kDicomFormat = "mortise.format_dicom";

// Whether the name is that of a picture, a sound, a film or an array, by its ending: no file of
// rows, and not opened to find that out. DICOM is none of them: its files are rows. [any]
bool is_media_name(std::string_view name);

// wanted: names, or patterns with * and ? (which stop at "/"), in the order in which they are read;
// empty: the one file that a format knows. A file about which a format is 1 sure is read beside its
// other files (AudioSet's labels) and is no candidate when that format has one.
// Without a file of rows the folder itself is read: as DICOM when it holds several such files; as
// media when they lie in folders of classes or have texts beside them; by the format that the user
// named (format_id, else ""; probe gives its guesses only) when that takes none or several files.
// Errors: NOT_FOUND when nothing fits; INVALID_ARGUMENT naming the files when several could be
// meant, or when the wanted ones are of different formats.
base::Result<RowsFiles> choose_rows(const std::vector<std::string>& names,
                                    const std::vector<std::string>& wanted, const ProbeFile& probe,
                                    const std::string& format_id = {});

// * is any run of characters but "/", ? any one but "/". [any]
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace mortise::ingest
