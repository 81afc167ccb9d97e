// What stands behind a mortise_host: the shared state of the worker's services and the account of
// one pack. Private to the service_*.cpp files of this folder. Never freed: plugins keep pointers.
#pragma once

#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/host_services.h"
#include "plugin/pool.h"

namespace mortise::plugin {

struct GrantedRoot {
  std::string folder;
  Access access = Access::kRead;
  base::FileOps* files = nullptr;  // instead of a folder: all files of these
};

// Shared by the HostServices object and by every mortise_host that it made.
struct HostServices::State {
  explicit State(HostOptions options_in);

  HostOptions options;
  base::FileOps* files;
  base::Clock* clock;
  std::atomic<int32_t> is_cancelled{0};
  std::unique_ptr<Pool> pool;

  std::mutex mutex;  // guards what follows
  std::map<std::string, GrantedRoot> roots;
  std::map<std::string, mortise_host*> hosts;  // by pack label
};

// Tables of the services, one object each for the life of the process.
const void* memory_service();
const void* files_service();
const void* config_service();
const void* rng_service();

}  // namespace mortise::plugin

// The host as one pack sees it.
struct mortise_host {
  std::shared_ptr<mortise::plugin::HostServices::State> state;  // shared: outlives HostServices
  std::string label;
  std::atomic<bool> is_watched{false};  // guarded, and the manifest says starts_threads false

  std::mutex mutex;  // guards what follows
  std::unordered_map<void*, uint64_t> blocks;
  mortise::plugin::MemoryUse memory;
  uint64_t allocations_seen = 0, failing_allocation = 0;
  int64_t log_window_ns = 0;  // start of the present second
  uint32_t log_lines = 0;     // in it

  // Keeps a broken rule for the guard's report.
  void blame(const std::string& text);
  // Blames a watched pack whose own thread calls a service.
  void check_thread();
};
