// What lies beside a file of segments: the names of labels, and the clips.
//
// Called by plugin.cpp at open; read by segment_reader.cpp. Names of clips are relative to the
// folder of the segments.
#pragma once

#include <mortise/cpp/format_rows.hpp>

#include <string>
#include <string_view>
#include <unordered_map>

namespace mortise::format_audioset {

struct Folder {
  std::unordered_map<std::string, std::string> labels;  // "/m/09x0r" -> "Speech"
  std::unordered_map<std::string, std::string> clips;   // name without extension -> relative name

  // The clip of a segment; "" when there is none. Knows YTID, YTID_30, YTID_30_40, YTID_30000,
  // YTID_30000_40000 and YTID_30.000_40.000, each also behind a "Y".
  std::string find_clip(std::string_view ytid, double start, double end) const;
};

// labels, audio_folder: as configured, "" when not. Throws NOT_FOUND when there are no names of
// labels, INVALID_ARGUMENT with file and byte for a line of them that cannot be read.
Folder read_folder(const std::string& segments, const std::string& labels,
                   const std::string& audio_folder);

}  // namespace mortise::format_audioset
