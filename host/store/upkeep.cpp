// Compaction and scrubbing of segments. See upkeep.h.
#include "store/upkeep.h"

#include <algorithm>
#include <map>
#include <set>

#include "store/domain_state.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

struct Candidate {
  uint32_t number = 0;
  std::string path;
  int64_t touched_ns = 0;
  std::vector<SegmentEntry> live;
  bool is_damaged = false;
};

struct Move {
  uint32_t from_segment = 0;
  uint64_t from_offset = 0;
  SegmentEntry entry;  // at its new place
};

// One run of compact().
class Compaction {
 public:
  Compaction(DomainState& state, const ClosedSegments& closed,
             const std::function<bool(const ChunkId&)>& is_live, const CompactOptions& options)
      : state_(state), closed_(closed), is_live_(is_live), options_(options) {}

  Result<CompactFacts> run() {
    MORTISE_TRY(state_.check_writable());
    MORTISE_TRY(choose());
    const Status copied = copy_live();
    if (!copied.ok()) {
      if (writer_ != nullptr) writer_->abandon(true);
      return Error(copied.error());
    }
    if (options_.may_remove && !options_.may_remove()) return drop_output();
    MORTISE_TRY(swap());
    return facts_;
  }

 private:
  Status choose();
  Status judge(const ClosedSegments::One& segment);
  Status copy_live();
  Status copy_record(const Candidate& from, base::File& file, SegmentEntry entry);
  Status close_output();
  Result<CompactFacts> drop_output();
  Status swap();

  DomainState& state_;
  const ClosedSegments& closed_;
  const std::function<bool(const ChunkId&)>& is_live_;
  const CompactOptions& options_;
  CompactFacts facts_;
  std::vector<Candidate> chosen_;
  std::unique_ptr<SegmentWriter> writer_;
  std::vector<std::unique_ptr<SegmentWriter>> outputs_;  // closed and durable
  std::vector<std::pair<size_t, Move>> moves_;           // with the number of their output
  Bytes record_, stored_;
};

Status Compaction::choose() {
  std::map<std::string, int64_t> changed;
  MORTISE_ASSIGN(const auto found, state_.files.list(state_.folders.write));
  for (const base::FileInfo& file : found) changed[file.name] = file.changed_ns;
  const int64_t now = state_.clock.now_ns();
  for (const ClosedSegments::One& segment : closed_.segments) {
    const auto at = changed.find(segment.path.substr(segment.path.rfind('/') + 1));
    if (at == changed.end()) continue;  // an earlier compaction removed it
    const int64_t used = std::max(segment.touched_ns, at->second);
    if (now - used < options_.grace_ns) {
      ++facts_.segments_young;
    } else {
      MORTISE_TRY(judge(segment));
    }
  }
  return {};
}

Status Compaction::judge(const ClosedSegments::One& segment) {
  MORTISE_ASSIGN(auto file, state_.files.open(segment.path, base::OpenMode::kRead));
  const auto content = read_segment(state_.secrets, *file, segment.path);
  if (!content.ok()) {
    if (content.error().code != Code::kDataLoss) return content.error();
    ++facts_.segments_damaged;
    return {};
  }
  Candidate candidate{.number = segment.number,
                      .path = segment.path,
                      .touched_ns = segment.touched_ns,
                      .live = {},
                      .is_damaged = false};
  uint64_t live_bytes = 0, all_bytes = 0;
  for (const SegmentEntry& entry : content->entries) {
    all_bytes += entry.record_size();
    {
      const std::lock_guard lock(state_.mutex);
      const auto place = state_.index.find(entry.id);  // a second copy of a chunk is dead too
      if (!place || place->segment != segment.number || place->offset != entry.offset) continue;
    }
    if (!is_live_(entry.id)) continue;
    live_bytes += entry.record_size();
    candidate.live.push_back(entry);
  }
  const auto dead = static_cast<double>(all_bytes - live_bytes);
  if (dead <= options_.dead_share_max * static_cast<double>(all_bytes)) return {};
  facts_.chunks_dropped += content->entries.size() - candidate.live.size();
  chosen_.push_back(std::move(candidate));
  return {};
}

Status Compaction::copy_live() {
  for (Candidate& candidate : chosen_) {
    MORTISE_ASSIGN(auto file, state_.files.open(candidate.path, base::OpenMode::kRead));
    for (const SegmentEntry& entry : candidate.live) {
      const Status copied = copy_record(candidate, *file, entry);
      if (!copied.ok() && copied.error().code == Code::kDataLoss) candidate.is_damaged = true;
      if (!copied.ok() && copied.error().code != Code::kDataLoss) return copied;
    }
  }
  return close_output();
}

// The sealed record as it is, after it was seen to authenticate.
Status Compaction::copy_record(const Candidate& from, base::File& file, SegmentEntry entry) {
  record_.resize(entry.record_size());
  MORTISE_ASSIGN(const size_t got, file.read_at(entry.offset, record_));
  if (got != record_.size()) return Error(Code::kDataLoss, "A segment ends in a record.");
  MORTISE_TRY(open_record(state_.secrets, entry, record_, stored_));
  if (writer_ == nullptr) {
    MORTISE_ASSIGN(writer_, SegmentWriter::create(state_.files, state_.random, state_.secrets,
                                                  state_.folders.write));
  }
  Move move{.from_segment = from.number, .from_offset = entry.offset, .entry = entry};
  if (Status appended = writer_->append(move.entry, record_); !appended.ok()) {
    // Not the segment's fault, so never taken for a damaged record.
    if (appended.error().code == Code::kDataLoss) appended.error().code = Code::kUnavailable;
    return appended;
  }
  moves_.emplace_back(outputs_.size(), move);
  if (writer_->size_bytes() >= kSegmentSizeClosed) return close_output();
  return {};
}

Status Compaction::close_output() {
  if (writer_ == nullptr) return {};
  if (Status closed = writer_->close(); !closed.ok()) {
    if (closed.error().code == Code::kDataLoss) closed.error().code = Code::kUnavailable;
    return closed;
  }
  outputs_.push_back(std::move(writer_));
  return {};
}

// The old segments stay, so the copies are not wanted.
Result<CompactFacts> Compaction::drop_output() {
  for (const auto& output : outputs_) MORTISE_TRY(state_.files.remove(output->path()));
  MORTISE_TRY(state_.files.sync_folder(state_.folders.write));
  return CompactFacts{.segments_young = facts_.segments_young + chosen_.size(),
                      .segments_damaged = facts_.segments_damaged};
}

// The new segments are durable: the index turns to them, then the old ones go.
Status Compaction::swap() {
  std::vector<std::string> removed;
  {
    const std::lock_guard lock(state_.mutex);
    std::vector<uint32_t> numbers;
    for (const auto& output : outputs_) {
      const auto known = state_.number_of(output->name());  // a rescan may have seen it
      numbers.push_back(known.value_or(static_cast<uint32_t>(state_.segments.size())));
      if (known) continue;
      SegmentInfo info;
      info.path = output->path();
      info.is_own = true;
      info.size_bytes = output->size_bytes();
      info.chunks = output->entries().size();
      state_.segments.push_back(std::move(info));
    }
    std::set<uint32_t> leaving;
    for (const Candidate& candidate : chosen_) {
      const SegmentInfo& segment = state_.segments[candidate.number];
      // Answered a put meanwhile: a chunk that was dead is wanted again.
      if (candidate.is_damaged) ++facts_.segments_damaged;
      if (candidate.is_damaged || segment.path != candidate.path ||
          segment.touched_ns != candidate.touched_ns) {
        continue;
      }
      leaving.insert(candidate.number);
    }
    for (const auto& [output, move] : moves_) {
      if (!leaving.contains(move.from_segment)) continue;
      state_.index.replace(move.entry.id, {.segment = numbers[output],
                                           .offset = static_cast<uint32_t>(move.entry.offset),
                                           .plain_size = move.entry.plain_size,
                                           .stored_size = move.entry.stored_size,
                                           .flags = move.entry.flags});
      ++facts_.chunks_kept;
    }
    state_.index.erase_if([&](const ChunkPlace& p) { return leaving.contains(p.segment); });
    for (const uint32_t number : leaving) {
      facts_.bytes_freed += state_.segments[number].size_bytes;
      removed.push_back(state_.segments[number].path);
      state_.segments[number] = SegmentInfo{};
    }
  }
  facts_.segments_rewritten = outputs_.size();
  for (const auto& output : outputs_) {
    facts_.bytes_freed -= std::min(facts_.bytes_freed, output->size_bytes());
  }
  for (const std::string& path : removed) {
    MORTISE_TRY(state_.files.remove(path));
    ++facts_.segments_removed;
  }
  if (removed.empty()) return {};
  return state_.files.sync_folder(state_.folders.write);
}

// "ID:RECORD": the next record to read, counted in the order of offsets.
struct Cursor {
  std::string segment;
  size_t record = 0;
};

Result<Cursor> parse_cursor(const std::string& text) {
  if (text.empty()) return Cursor{};
  const size_t colon = text.find(':');
  const bool is_right = colon == 32 && text.size() > 33 && text.size() < 44 &&
                        text.find_first_not_of("0123456789", 33) == std::string::npos;
  if (is_right) return Cursor{.segment = text.substr(0, 32), .record = std::stoul(text.substr(33))};
  return Error(Code::kInvalidArgument, "\"" + text + "\" is not a cursor of a scrub.",
               "Give the one of the last report, or an empty one to begin.");
}

class Scrub {
 public:
  Scrub(DomainState& state, const ScrubLimits& limits)
      : state_(state), limits_(limits), begun_ns_(state.clock.monotonic_ns()) {}

  Result<ScrubReport> run(const Cursor& from) {
    std::map<std::string, std::string> paths;  // by id, so in one order for ever
    {
      const std::lock_guard lock(state_.mutex);
      for (const SegmentInfo& segment : state_.segments) {
        if (segment.path.empty() || segment.is_open) continue;
        paths.emplace(segment_id(segment.path), segment.path);
      }
    }
    for (auto at = paths.lower_bound(from.segment); at != paths.end(); ++at) {
      const size_t first = at->first == from.segment ? from.record : 0;
      MORTISE_ASSIGN(const bool is_done, read_all(at->first, at->second, first));
      if (!is_done) break;
    }
    return std::move(report_);
  }

 private:
  Result<bool> read_all(const std::string& id, const std::string& path, size_t first);
  Status check(base::File& file, const SegmentEntry& entry);
  void keep_rate();

  DomainState& state_;
  const ScrubLimits limits_;
  const int64_t begun_ns_;
  ScrubReport report_;
  Bytes record_, stored_;
};

// False: the limit came first, and the cursor says where.
Result<bool> Scrub::read_all(const std::string& id, const std::string& path, size_t first) {
  const std::string name = path.substr(path.rfind('/') + 1);
  auto file = state_.files.open(path, base::OpenMode::kRead);
  const bool says_nothing = !file.ok() && file.error().code == Code::kResourceExhausted;
  if (says_nothing) return std::move(file).error();
  auto content =
      file.ok() ? read_segment(state_.secrets, **file, path) : Result<SegmentContent>(file.error());
  if (!content.ok()) {
    if (first == 0) {
      report_.findings.push_back({.segment = name,
                                  .is_missing = content.error().code == Code::kNotFound,
                                  .message = content.error().text()});
    }
    return true;
  }
  std::ranges::sort(content->entries, {}, &SegmentEntry::offset);
  for (size_t i = first; i < content->entries.size(); ++i) {
    if (report_.bytes_read >= limits_.bytes_max) {
      report_.cursor = id + ":" + std::to_string(i);
      return false;
    }
    const SegmentEntry& entry = content->entries[i];
    const Status checked = check(**file, entry);
    if (checked.ok()) {
      ++report_.chunks_ok;
    } else if (checked.error().code == Code::kDataLoss) {
      report_.findings.push_back({.segment = name,
                                  .chunk = entry.id,
                                  .byte_offset = entry.offset,
                                  .is_missing = false,
                                  .message = checked.error().text()});
      // Forgotten, so that the same bytes can be stored again.
      const std::lock_guard lock(state_.mutex);
      const auto number = state_.number_of(id);
      state_.index.erase_if([&](const ChunkPlace& place) {
        return number == place.segment && place.offset == entry.offset;
      });
    } else {
      return checked.error();
    }
    keep_rate();
  }
  return true;
}

Status Scrub::check(base::File& file, const SegmentEntry& entry) {
  record_.resize(entry.record_size());
  MORTISE_ASSIGN(const size_t got, file.read_at(entry.offset, record_));
  report_.bytes_read += record_.size();
  if (got != record_.size()) return Error(Code::kDataLoss, "A segment ends in a record.");
  return open_record(state_.secrets, entry, record_, stored_);
}

void Scrub::keep_rate() {
  if (limits_.bytes_per_second == 0) return;
  const auto due_ms = static_cast<int64_t>(report_.bytes_read * 1000 / limits_.bytes_per_second);
  const int64_t spent_ms = (state_.clock.monotonic_ns() - begun_ns_) / 1'000'000;
  if (due_ms > spent_ms) state_.clock.sleep_ms(due_ms - spent_ms);
}

}  // namespace

ClosedSegments closed_segments(Domain& domain) {
  DomainState& state = domain.state();
  ClosedSegments closed;
  const std::lock_guard lock(state.mutex);
  for (uint32_t number = 0; number < state.segments.size(); ++number) {
    const SegmentInfo& segment = state.segments[number];
    if (segment.path.empty() || segment.is_open || !segment.is_own) continue;
    closed.segments.push_back({number, segment.path, segment.touched_ns});
  }
  return closed;
}

Result<CompactFacts> compact(Domain& domain, const ClosedSegments& closed,
                             const std::function<bool(const ChunkId&)>& is_live,
                             const CompactOptions& options) {
  return Compaction(domain.state(), closed, is_live, options).run();
}

Result<ScrubReport> scrub(Domain& domain, const std::string& cursor, const ScrubLimits& limits) {
  MORTISE_ASSIGN(const Cursor from, parse_cursor(cursor));
  return Scrub(domain.state(), limits).run(from);
}

}  // namespace mortise::store
