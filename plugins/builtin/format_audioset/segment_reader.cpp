// See segment_reader.h.
#include "segment_reader.h"

#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/utf8.hpp>

namespace mortise::format_audioset {
namespace {

constexpr size_t kLineBytesMax = 1 << 20;
constexpr std::string_view kStrongHeader =
    "segment_id\tstart_time_seconds\tend_time_seconds\tlabel";
constexpr std::string_view kWeakHeader = "YTID";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// At most `count` parts; the last holds the rest.
std::vector<std::string_view> split(std::string_view text, char separator, size_t count) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const size_t end = text.find(separator);
    if (end == text.npos) break;
    parts.push_back(trimmed(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  parts.push_back(trimmed(text));
  return parts;
}

double seconds(std::string_view text, std::string_view field) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size() && value >= 0 &&
      value < 1e9) {
    return value;
  }
  throw sdk::invalid_argument("\"" + std::string(text.substr(0, 40)) + "\" is no time in seconds.")
      .at("", -1, -1, field);
}

struct Times {
  double start, end;
  Times(std::string_view start_text, std::string_view end_text)
      : start(seconds(start_text, "start_seconds")), end(seconds(end_text, "end_seconds")) {
    if (start <= end) return;
    throw sdk::invalid_argument("The segment ends before it starts.").at("", -1, -1, "end_seconds");
  }
};

// Whether the line begins as a segment of the weak CSV does: an id of eleven, two times, a label.
bool is_weak_line(std::string_view line) {
  const auto cells = split(line, ',', 4);
  if (cells.size() < 4 || cells[0].size() != 11) return false;
  const auto is_time = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789.") == text.npos;
  };
  const std::string_view labels = cells[3].substr(cells[3].starts_with('"') ? 1 : 0);
  return is_time(cells[1]) && is_time(cells[2]) && labels.starts_with('/');
}

}  // namespace

Layout layout_of(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  if (head.starts_with(kStrongHeader)) return Layout::kStrong;
  bool has_header = false;
  while (!head.empty()) {
    const size_t end = std::min(head.find('\n'), head.size());
    const std::string_view line = trimmed(head.substr(0, end));
    if (is_weak_line(line)) return Layout::kWeak;
    const bool is_header = line.starts_with('#') || (!has_header && line.starts_with(kWeakHeader));
    if (!is_header && !line.empty()) return Layout::kNone;
    has_header = has_header || is_header;
    head.remove_prefix(std::min(end + 1, head.size()));
  }
  return Layout::kNone;
}

SegmentReader::SegmentReader(const std::string& name, Layout layout, const Folder& folder,
                             const sdk::RowPosition* from)
    : bytes_(name, from == nullptr ? 0 : from->at), layout_(layout), folder_(folder) {
  bytes_.skip_mark();
  if (from != nullptr) position_ = *from;
}

// The next line that is not blank, without its end; false at the end of the file.
bool SegmentReader::next_line() {
  do {
    line_.clear();
    line_begin_ = bytes_.offset();
    bool is_ended = false;
    while (!is_ended) {
      const std::string_view window = bytes_.window();
      if (window.empty()) break;
      const size_t end = window.find('\n');
      is_ended = end != window.npos;
      line_.append(window.substr(0, end));
      bytes_.advance(is_ended ? end + 1 : window.size());
      if (line_.size() > kLineBytesMax) {
        throw sdk::resource_exhausted("The line is longer than " + std::to_string(kLineBytesMax) +
                                      " bytes.");
      }
    }
    if (!is_ended && line_.empty()) return false;
  } while (trimmed(line_).empty());
  return true;
}

const std::string& SegmentReader::label(std::string_view mid) const {
  const auto found = folder_.labels.find(std::string(mid));
  if (found != folder_.labels.end()) return found->second;
  throw sdk::invalid_argument("The label \"" + std::string(mid.substr(0, 40)) +
                              "\" has no name in the file of labels.")
      .at("", -1, -1, "labels")
      .with_hint(
          "Strong labels have names in mid_to_display_name.tsv: put it beside the segments.");
}

std::string SegmentReader::weak_row() const {
  const auto cells = split(line_, ',', 4);
  if (cells.size() != 4) {
    throw sdk::invalid_argument("The line is not \"YTID, start, end, labels\".");
  }
  const Times times(cells[1], cells[2]);
  std::string_view list = cells[3];
  if (list.size() >= 2 && list.front() == '"' && list.back() == '"') {
    list = list.substr(1, list.size() - 2);
  }
  std::string names = "[", ids = "[";
  for (const std::string_view mid : split(list, ',', list.size() + 1)) {
    if (ids.size() > 1) {
      names += ',';
      ids += ',';
    }
    sdk::append_json_text(&names, label(mid));
    sdk::append_json_text(&ids, mid);
  }
  sdk::JsonObject row;
  row.text("ytid", cells[0]);
  row.number("start_seconds", times.start);
  row.number("end_seconds", times.end);
  row.raw("labels", names + ']');
  row.raw("label_ids", ids + ']');
  const std::string clip = folder_.find_clip(cells[0], times.start, times.end);
  if (!clip.empty()) row.text("audio_path", clip);
  return row.finish();
}

std::string SegmentReader::strong_row() const {
  const auto cells = split(line_, '\t', 5);
  const size_t mark = cells[0].rfind('_');
  if (cells.size() != 4 || mark == std::string_view::npos) {
    throw sdk::invalid_argument("The line is not \"YTID_ms, start, end, label\" between tabs.");
  }
  const Times times(cells[1], cells[2]);
  const double clip_start = seconds(cells[0].substr(mark + 1), "segment_id") / 1000;
  const std::string_view ytid = cells[0].substr(0, mark);
  std::string names = "[", ids = "[";
  sdk::append_json_text(&names, label(cells[3]));
  sdk::append_json_text(&ids, cells[3]);
  sdk::JsonObject row;
  row.text("ytid", ytid);
  row.number("clip_start_seconds", clip_start);
  row.number("start_seconds", times.start);
  row.number("end_seconds", times.end);
  row.raw("labels", names + ']');
  row.raw("label_ids", ids + ']');
  const std::string clip = folder_.find_clip(ytid, clip_start, clip_start + 10);
  if (!clip.empty()) row.text("audio_path", clip);
  return row.finish();
}

bool SegmentReader::next(sdk::JsonRow* out) {
  try {
    do {
      if (!next_line()) return false;
      const int64_t invalid = sdk::find_invalid_utf8(line_);
      if (invalid < 0) continue;
      line_begin_ += static_cast<uint64_t>(invalid);
      throw sdk::invalid_argument("The line is not UTF-8.").with_hint("Save the file as UTF-8.");
    } while (position_.row == 1 && (line_.starts_with('#') || line_.starts_with(kStrongHeader) ||
                                    (line_.starts_with(kWeakHeader) && !is_weak_line(line_))));
    out->json = layout_ == Layout::kStrong ? strong_row() : weak_row();
  } catch (const sdk::Failure& failure) {
    throw failure.at(bytes_.name(), static_cast<int64_t>(position_.row),
                     static_cast<int64_t>(line_begin_), failure.field);
  }
  out->byte_offset = line_begin_;
  ++position_.row;
  position_.at = bytes_.offset();
  return true;
}

}  // namespace mortise::format_audioset
