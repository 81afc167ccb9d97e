// Care for the segments of a domain: compaction (mark and sweep), scrubbing. Called by hub's
// housekeeping, a piece at a time; the domain stays in use meanwhile.
#pragma once

#include <functional>

#include "store/domain.h"

namespace mortise::store {

struct CompactOptions {
  // A closed segment is rewritten when more than this share of its bytes is dead.
  double dead_share_max = 0.3;
  // Segments whose file changed, or that answered a repeated put, within this time are left: their
  // objects may not be in the database yet.
  int64_t grace_ns = INT64_C(86'400'000'000'000);
  // Asked last, before the old segments go; false leaves them all. Empty: they go.
  std::function<bool()> may_remove = {};
};

struct CompactFacts {
  uint64_t segments_rewritten = 0, segments_removed = 0, segments_young = 0;
  uint64_t chunks_kept = 0, chunks_dropped = 0, bytes_freed = 0;
  uint64_t segments_damaged = 0;  // a live record did not authenticate: left for scrub and backup
};

// The segments that a compaction may touch: those that are closed now. Taken before what is live is
// looked up, so that what is stored meanwhile is left alone.
struct ClosedSegments {
  struct One {
    uint32_t number = 0;
    std::string path;
    int64_t touched_ns = 0;
  };
  std::vector<One> segments;
};
ClosedSegments closed_segments(Domain& domain);

// Live chunks are copied sealed as they are into new segments; the old ones go when the new ones
// are durable. `is_live` is asked once a chunk (recipes too). A segment that answered a put since
// `closed` was taken stays. Errors: of the disk; nothing is lost then. [any], one at a time a
// domain.
base::Result<CompactFacts> compact(Domain& domain, const ClosedSegments& closed,
                                   const std::function<bool(const ChunkId&)>& is_live,
                                   const CompactOptions& options = {});

struct ScrubFinding {
  std::string segment;  // file name
  ChunkId chunk{};      // zero when the segment as a whole is damaged or missing
  uint64_t byte_offset = 0;
  bool is_missing = false;  // else corrupt
  std::string message;
};

struct ScrubReport {
  std::string cursor;  // give it to the next call; "" when all was read
  uint64_t chunks_ok = 0, bytes_read = 0;
  std::vector<ScrubFinding> findings;
};

struct ScrubLimits {
  uint64_t bytes_max = UINT64_C(256) << 20;  // of one call
  uint64_t bytes_per_second = 0;             // 0: as fast as it goes
};

// Reads and authenticates every record of the closed segments from `cursor` ("": the first) on.
base::Result<ScrubReport> scrub(Domain& domain, const std::string& cursor,
                                const ScrubLimits& limits = {});

}  // namespace mortise::store
