// Grants, cancel, deadline, and the small services: log, progress, pool. See host_services.h.
#include "plugin/host_services.h"

#include <mortise/service/config.h>
#include <mortise/service/files.h>
#include <mortise/service/log.h>
#include <mortise/service/memory.h>
#include <mortise/service/pool.h>
#include <mortise/service/progress.h>
#include <mortise/service/rng.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "plugin/error_box.h"
#include "plugin/guard.h"
#include "plugin/host_state.h"
#include "plugin/keep.h"
#include "plugin/trace.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Status;

constexpr uint32_t kLogLinesPerSecond = 100;

uint32_t cores_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<uint32_t>(std::max(1, CPU_COUNT(&set)));
}

// Whether this line may be written; the first one too many says so.
bool takes_line(mortise_host* host, bool& is_first_refused) {
  const std::lock_guard lock(host->mutex);
  const int64_t now = host->state->clock->monotonic_ns();
  if (now - host->log_window_ns >= 1'000'000'000) {
    host->log_window_ns = now;
    host->log_lines = 0;
  }
  ++host->log_lines;
  is_first_refused = host->log_lines == kLogLinesPerSecond + 1;
  return host->log_lines <= kLogLinesPerSecond;
}

base::LogLevel level_of(int32_t level) {
  switch (level) {
    case MORTISE_LOG_DEBUG:
      return base::LogLevel::kDebug;
    case MORTISE_LOG_INFO:
      return base::LogLevel::kInfo;
    case MORTISE_LOG_ERROR:
      return base::LogLevel::kError;
    default:
      return base::LogLevel::kWarning;
  }
}

void log_write(mortise_host* host, int32_t level, mortise_text message,
               const mortise_log_field* fields, uint32_t fields_count) {
  host->check_thread();
  bool is_first_refused = false;
  const bool is_taken = takes_line(host, is_first_refused);
  if (!is_taken && !is_first_refused) return;
  std::string text(is_taken ? view_of(message).substr(0, 4096)
                            : "Further lines of this second are left out.");
  if (level == MORTISE_LOG_PLUGIN_MISBEHAVING) host->blame(text);
  if (host->state->options.on_log) {
    host->state->options.on_log(level, host->label, text);
    return;
  }
  base::LogFields values = {{"pack", host->label}};
  for (uint32_t i = 0; is_taken && fields != nullptr && i < std::min(fields_count, 16u); ++i) {
    values.emplace_back(view_of(fields[i].key).substr(0, 64),
                        std::string(view_of(fields[i].value).substr(0, 1024)));
  }
  base::log(level_of(level), text, values);
}

int32_t log_is_enabled(mortise_host* host, int32_t level) {
  return host->state->options.on_log || base::log_enabled(level_of(level)) ? 1 : 0;
}

void progress_report(mortise_host* host, uint64_t done, uint64_t total, mortise_text unit) {
  const auto& tell = host->state->options.on_progress;
  if (tell) tell(done, total, view_of(unit).substr(0, 32));
}

int32_t progress_is_cancelled(mortise_host* host) {
  return host->state->is_cancelled.load(std::memory_order_relaxed);
}

int64_t progress_remaining_ns(mortise_host*) {
  return INT64_MAX;  // this host sets no deadline: who waits too long cancels
}

uint32_t pool_threads_count(mortise_host* host) {
  return host->state->pool->threads_count();
}

void pool_parallel_for(mortise_host* host, uint64_t count, uint64_t grain,
                       void (*body)(void* user, uint64_t begin, uint64_t end), void* user) {
  host->state->pool->parallel_for(count, grain, body, user);
}

const mortise_log_service kLog = {sizeof kLog, 0, &log_write, &log_is_enabled};
const mortise_progress_service kProgress = {sizeof kProgress, 0, &progress_report,
                                            &progress_is_cancelled, &progress_remaining_ns};
const mortise_pool_service kPool = {sizeof kPool, 0, &pool_threads_count, &pool_parallel_for};

}  // namespace

HostServices::State::State(HostOptions options_in)
    : options(std::move(options_in)),
      files(options.files != nullptr ? options.files : &base::posix_file_ops()),
      clock(options.clock != nullptr ? options.clock : &base::system_clock()),
      pool(std::make_unique<Pool>(options.threads_count != 0 ? options.threads_count
                                                             : cores_count())) {}

HostServices::HostServices(HostOptions options)
    : state_(std::make_shared<State>(std::move(options))) {}
HostServices::~HostServices() = default;

Status HostServices::grant(std::string_view name, const std::string& folder, Access access) {
  if (name.find('/') != std::string_view::npos || name == "." || name == "..") {
    return Error(Code::kInvalidArgument,
                 "The name of a granted folder is one part without \"/\", not \"" +
                     std::string(name) + "\".");
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    return Error(Code::kNotFound, "The folder does not exist.").at_file(folder);
  }
  const std::lock_guard lock(state_->mutex);
  state_->roots[std::string(name)] = {folder, access, nullptr};
  return {};
}

Status HostServices::grant_files(std::string_view name, base::FileOps& files) {
  MORTISE_TRY(base::check_relative_path(name));
  const std::lock_guard lock(state_->mutex);
  state_->roots[std::string(name)] = {"", Access::kRead, &files};
  return {};
}

void HostServices::cancel() {
  state_->is_cancelled.store(1, std::memory_order_relaxed);
}

bool HostServices::is_cancelled() const {
  return state_->is_cancelled.load(std::memory_order_relaxed) != 0;
}

Pool& HostServices::pool() {
  return *state_->pool;
}

const HostOptions& HostServices::options() const {
  return state_->options;
}

void HostServices::watch_threads(const std::string& pack_label) {
  open_host(pack_label)->is_watched.store(true);
}

mortise_host* HostServices::open_host(const std::string& pack_label) {
  const std::lock_guard lock(state_->mutex);
  mortise_host*& host = state_->hosts[pack_label];
  if (host == nullptr) {
    host =
        keep_forever(new mortise_host);  // stays for the life of the process, as entry.h promises
    host->state = state_;
    host->label = pack_label;
    host->memory.budget_bytes = state_->options.memory_budget_bytes;
  }
  return host;
}

const void* HostServices::get_service(mortise_host* host, mortise_text id) {
  const std::string_view name = view_of(id);
  if (host->state->options.withheld.contains(std::string(name))) return nullptr;
  if (name == MORTISE_SERVICE_LOG) return &kLog;
  if (name == MORTISE_SERVICE_MEMORY) return memory_service();
  if (name == MORTISE_SERVICE_PROGRESS) return &kProgress;
  if (name == MORTISE_SERVICE_FILES) return files_service();
  if (name == MORTISE_SERVICE_CONFIG) return config_service();
  if (name == MORTISE_SERVICE_RNG) return rng_service();
  if (name == MORTISE_SERVICE_POOL) return &kPool;
  return nullptr;
}

MemoryUse HostServices::memory_use(const std::string& pack_label) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->hosts.find(pack_label);
  if (found == state_->hosts.end()) return {};
  const std::lock_guard inner(found->second->mutex);
  return found->second->memory;
}

void HostServices::fail_allocation(const std::string& pack_label, uint64_t n) {
  mortise_host* host = open_host(pack_label);
  const std::lock_guard lock(host->mutex);
  host->allocations_seen = 0;
  host->failing_allocation = n;
}

}  // namespace mortise::plugin

void mortise_host::check_thread() {
  // A thread that is in no call of a plugin and in no body of the pool is the plugin's own.
  if (!is_watched.load(std::memory_order_relaxed)) return;
  if (mortise::plugin::this_trace()->depth > 0 || mortise::plugin::Pool::is_inside_body()) return;
  mortise::plugin::report_violation({label, "service", "thread",
                                     "It called the host from a thread of its own, and its "
                                     "manifest does not say starts_threads."});
}

void mortise_host::blame(const std::string& text) {
  mortise::plugin::report_violation({label, "service", "service", text});
}
