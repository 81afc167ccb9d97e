// The entry call by hand, for checks that are another host than the real one: older, newer, of
// another generation, with longer structs. What a plugin is given here is never freed.
#pragma once

#include <mortise/entry.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "plugin/kit/case.h"

namespace mortise::plugin::kit {

struct Handshake {
  uint32_t host_minor = MORTISE_ABI_MINOR;
  uint32_t generation = MORTISE_ABI_GENERATION;
  uint32_t tail_bytes = 0;  // 0xA5 behind both structs, counted in struct_size

  // Filled by shake.
  mortise_status status = MORTISE_STATUS_OK;
  mortise_hello_reply* reply = nullptr;
  int64_t wall_ns = 0, cpu_ns = 0;  // of the call, of this thread
  int64_t waits_count = 0;          // times the thread went to sleep in it
  int threads_started = 0;
  bool is_tail_touched = false;

  bool is_accepted() const {
    return status == MORTISE_STATUS_OK && reply->needs_minor <= host_minor &&
           reply->generation == generation;
  }
};

// Opens the library and calls its entry once. Errors: of open_library; INTERNAL when an exception
// came out.
base::Status shake(const Case& at, Handshake& hands);

// The interface ids that this host knows.
std::vector<std::string> known_interfaces();

}  // namespace mortise::plugin::kit
