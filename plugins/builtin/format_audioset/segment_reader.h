// Rows of AudioSet: a segment of a clip with its labels, from the weak CSV or the strong TSV.
//
// Called by plugin.cpp. Weak: YTID, start, end, "mid,mid", with or without lines that begin "#" or
// a header before. Strong: segment_id, start, end, mid between tabs under a header; segment_id is
// YTID_{start of the clip in ms}, times are from there.
#pragma once

#include <mortise/cpp/byte_reader.hpp>

#include "folder.h"

namespace mortise::format_audioset {

// What the first lines of a file say it is.
enum class Layout { kNone, kWeak, kStrong };
Layout layout_of(std::string_view head);

class SegmentReader : public sdk::RowReader {
 public:
  // folder must outlive the reader.
  SegmentReader(const std::string& name, Layout layout, const Folder& folder,
                const sdk::RowPosition* from);

  bool next(sdk::JsonRow* out) override;
  sdk::RowPosition position() const override { return position_; }

 private:
  bool next_line();
  std::string weak_row() const;
  std::string strong_row() const;
  const std::string& label(std::string_view mid) const;

  sdk::ByteReader bytes_;
  Layout layout_;
  const Folder& folder_;
  std::string line_;
  uint64_t line_begin_ = 0;
  sdk::RowPosition position_;  // at: the byte behind the last line
};

}  // namespace mortise::format_audioset
