// The trace: which slot each thread is in, kept where it survives the process. TraceScope costs a
// few stores; the records lie in one area that start_death_record (guard.h) moves into a file.
// Used by wrap.h and by the typed wrappers for calls that go through no table (streams).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "job/death_record.h"

namespace mortise::plugin {

using job::ThreadTrace;

// Number for a pair of names, 1 or more; the same pair gives the same number. 0 when the tables are
// full (1,024 pairs). Takes a lock: once a slot, not once a call.
uint32_t trace_id(std::string_view pack_label, std::string_view slot);

ThreadTrace* claim_trace();  // slow path of this_trace
inline thread_local ThreadTrace* own_trace = nullptr;
inline ThreadTrace* this_trace() {
  return own_trace != nullptr ? own_trace : claim_trace();
}

class TraceScope {
 public:
  explicit TraceScope(uint32_t id) : trace_(this_trace()), id_(id) {
    const uint32_t depth = trace_->depth;
    volatile uint32_t& place = trace_->calls[depth % ThreadTrace::kDepthMax];
    place = id;
    volatile uint32_t& mark = trace_->depth;
    mark = depth + 1;
  }
  ~TraceScope() {
    volatile uint32_t& last = trace_->last;
    last = id_;
    volatile uint32_t& mark = trace_->depth;
    mark = trace_->depth - 1;
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  ThreadTrace* trace_;
  uint32_t id_;
};

}  // namespace mortise::plugin
