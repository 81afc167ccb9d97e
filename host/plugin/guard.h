// What stands between host and plugin at every slot call: a trace of the last calls, always on, and
// the guard's checks, on in the dev build and in the kit.
//
// Trace. Each thread writes the slot that it is in into a small file mapped into memory; when the
// worker dies, the file says which pack, slot and input it died in. The cost is a few stores.
// Guard. Checks thread words ([serial] instance entered twice), handles (used after destroy, or
// destroyed twice), reserved bytes, double release of Arrow structs, writes into an error from
// another thread. A broken rule becomes a Violation and the call answers INTERNAL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortise::plugin {

struct Violation {
  std::string pack;  // label of the plugin, "com.example.f1 1.0.0"
  std::string slot;  // "mortise.metric/1 update"
  std::string rule;  // "serial", "handle", "reserved", "release", "error_thread", "service", ...
  std::string text;  // one sentence
};

// Starts the record in `path` (a new file of about 230 KiB, mapped) and installs handlers for
// SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, which mark it and then let the process die as it
// would. Once a process; before, calls are traced into memory only. Errors: of opening the file.
base::Status start_death_record(const std::string& path);

// What the calling thread works on, shown in the record: "rows 17..32 of train.jsonl". Cut at 119
// bytes. Restores the previous text at its end. [any]
class InputNote {
 public:
  explicit InputNote(std::string_view text);
  ~InputNote();
  InputNote(const InputNote&) = delete;
  InputNote& operator=(const InputNote&) = delete;

 private:
  char previous_[120];
};

// Violations of one pack so far, oldest first; all packs when the label is empty. [any]
std::vector<Violation> violations_of(std::string_view pack_label);
// Adds one; at most 1,000 are kept. [any]
void report_violation(Violation violation);
void forget_violations();  // for the kit, between checks

}  // namespace mortise::plugin
