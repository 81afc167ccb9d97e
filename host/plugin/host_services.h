// What a plugin may ask of the host: log, memory, progress, files, config, rng, pool. One
// HostServices a worker; each loaded plugin sees it through a mortise_host of its own, with its own
// name in the log and its own memory account. Never destroyed before the last plugin call.
#pragma once

#include <mortise/entry.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::plugin {

class Pool;  // pool.h

enum class Access { kRead, kReadWrite };

struct HostOptions {
  uint64_t seed = 0;                          // of mortise.rng/1
  uint64_t memory_budget_bytes = UINT64_MAX;  // a plugin
  uint32_t threads_count = 0;                 // of mortise.pool/1; 0: all cores of this process
  std::function<void(uint64_t done, uint64_t total, std::string_view unit)> on_progress;
  // Receives what plugins log, with the pack's name, instead of base::log. [any]
  std::function<void(int32_t level, std::string_view pack, std::string_view message)> on_log;
  std::set<std::string> withheld;  // service ids that are not given (tests, kit)
  base::FileOps* files = nullptr;  // nullptr: posix_file_ops()
  base::Clock* clock = nullptr;    // nullptr: system_clock()
};

struct MemoryUse {
  uint64_t used_bytes = 0, peak_bytes = 0, budget_bytes = 0, allocations_count = 0;
};

class HostServices {
 public:
  explicit HostServices(HostOptions options = {});
  ~HostServices();
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  // Grants a folder under a name: "data" makes data/train.jsonl readable. An empty name grants the
  // folder's own names directly (one such folder; named roots win). Symbolic links inside are not
  // followed. Errors: NOT_FOUND; INVALID_ARGUMENT for a name with "/". [serial]
  base::Status grant(std::string_view name, const std::string& folder,
                     Access access = Access::kRead);
  // Grants the files of another FileOps (sealed objects) under a name; read only. They outlive the
  // grant and know no links. [serial]
  base::Status grant_files(std::string_view name, base::FileOps& files);

  void cancel();  // from any thread or a signal handler
  bool is_cancelled() const;

  Pool& pool();
  const HostOptions& options() const;

  // For plugin.cpp: the handle that goes into a plugin's hello. Lives as long as the process.
  mortise_host* open_host(const std::string& pack_label);
  // A service call from a thread that the host does not know is a violation from now on.
  void watch_threads(const std::string& pack_label);
  static const void* get_service(mortise_host* host, mortise_text id);

  // Memory that the pack holds now. Zero bytes for an unknown label.
  MemoryUse memory_use(const std::string& pack_label) const;
  // Test seam of the kit: allocation n (from 1) of this pack returns NULL; 0: none fails.
  void fail_allocation(const std::string& pack_label, uint64_t n);

  struct State;

 private:
  std::shared_ptr<State> state_;  // shared with the handles of the plugins, which outlive this
};

}  // namespace mortise::plugin
