// What a dead worker leaves: in which pack, slot and input each of its threads was. The worker
// writes it through plugin/trace.h; run, cli and the conformance kit read it. Knows the layout of
// the file and nothing of plugins.
//
// Layout, all little-endian, the whole a multiple of 4 KiB: head (magic, size, signal, culprit,
// counts), names (1,024 pairs of pack and slot), threads (256 ThreadTrace). The worker maps the
// file shared, so what was stored is in it even when the process ends by SIGKILL.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::job {

inline constexpr std::string_view kDeathRecordFile = "death_record";  // in a task folder

// One thread's part. Written by its thread only, read after death.
struct ThreadTrace {
  static constexpr uint32_t kDepthMax = 8;
  int64_t thread = 0;              // kernel's id; 0: not in use
  uint32_t depth = 0;              // calls that have not returned; may exceed kDepthMax
  uint32_t last = 0;               // call that returned last; 0: none
  uint32_t calls[kDepthMax] = {};  // numbers of names from 1 on, the outermost first
  char input[120] = {};            // what it works on; ends in zeros
};

struct alignas(4096) DeathArea {
  static constexpr uint64_t kMagic = 0x3148544145444d00;  // "\0MDEATH1"
  static constexpr uint32_t kSlotsMax = 1024;
  static constexpr uint32_t kThreadsMax = 256;
  struct SlotName {
    char pack[96];
    char slot[80];
  };
  uint64_t magic = kMagic;
  uint32_t struct_size = sizeof(DeathArea);
  volatile int32_t signal = 0;   // 0: no handler ran
  volatile int64_t culprit = 0;  // the thread that got it
  std::atomic<uint32_t> slots_count{0};
  std::atomic<uint32_t> threads_count{0};
  SlotName slots[kSlotsMax] = {};
  ThreadTrace threads[kThreadsMax] = {};
};

struct DeathCall {
  std::string pack, slot, input;
  int64_t thread = 0;       // kernel's id
  bool is_culprit = false;  // the thread that got the signal
};

struct DeathRecord {
  int signal = 0;                 // 0: no handler ran (killed, or still alive)
  std::vector<DeathCall> inside;  // calls that had not returned, the culprit's first
  std::vector<DeathCall> last;    // the last call of each thread that was in none

  // "mortise.metric_bleu 1.0.0 died with SIGSEGV in mortise.metric/1 update on rows 1..32."
  std::string text() const;
};
// Reads what a dead (or living) worker left. Errors: NOT_FOUND; DATA_LOSS when it is not a record.
base::Result<DeathRecord> read_death_record(base::FileOps& files, const std::string& path);

// The error of a worker that ended without a word: `how` ("The worker was ended by signal 11"),
// then what its death record in task_folder says, with pack, slot and input as details, and a hint
// that names the pack. Without a plugin call in the record: `how` and `hint`.
base::Error death_error(base::FileOps& files, const std::string& task_folder,
                        const std::string& how, const std::string& hint);

}  // namespace mortise::job
