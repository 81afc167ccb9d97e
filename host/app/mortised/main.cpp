// mortised: the control server. Opens the data root, finds running workers again, listens, and ends
// at SIGTERM or SIGINT; workers go on. Never loads a pack, libtorch or a user's media.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "app/mortised/home_lock.h"
#include "app/mortised/restore_home.h"
#include "app/mortised/settings.h"
#include "base/log.h"
#include "base/version.h"
#include "hub/hub.h"
#include "job/exit_code.h"
#include "job/launch.h"
#include "run/runner.h"
#include "server/server.h"

namespace mortise::daemon {
namespace {

using base::Status;

constexpr int64_t kIdleEndNs = INT64_C(600) * 1'000'000'000;

const char* variable(const char* name) {
  return std::getenv(name);
}

// Packs beside the programs: build/packs for build/bin, PREFIX/lib/mortise/packs when installed.
std::vector<std::string> pack_folders(const Settings& settings) {
  std::vector<std::string> folders = settings.packs;
  const auto own = job::sibling_program("mortised");
  if (!own.ok()) return folders;
  const std::string bin = own->substr(0, own->rfind('/'));
  const std::string prefix = bin.substr(0, bin.rfind('/'));
  for (const std::string& folder : {prefix + "/packs", prefix + "/lib/mortise/packs"}) {
    const auto there = base::posix_file_ops().exists(folder);
    if (there.ok() && *there) folders.push_back(folder);
  }
  return folders;
}

run::RunnerOptions runner_options(const Settings& settings) {
  run::RunnerOptions options;
  options.worker_program = settings.worker;
  options.task.pack_folders = pack_folders(settings);
  options.task.threads = settings.threads > 0
                             ? settings.threads
                             : static_cast<int>(std::thread::hardware_concurrency());
  options.task.lease_ms = settings.lease_ms;
  options.task.log_level = settings.log_level;
  options.compute_slots = settings.compute_slots;
  options.ingest_slots = settings.ingest_slots;
  options.search_slots = settings.search_slots;
  options.serve_slots = settings.serve_slots;
  return options;
}

bool has_work(hub::Hub& hub) {
  const auto counts = hub.jobs().counts();
  return !counts.ok() || (*counts)["queued"].as_int() + (*counts)["running"].as_int() > 0;
}

// Waits for a signal; with --private also for ten idle minutes without a job. Jobs start when the
// keys are unlocked: nothing of a job can be read or kept before.
Status wait_for_end(const sigset_t& signals, const Settings& settings, hub::Hub& hub,
                    const server::Server& server, run::Runner& runner) {
  bool runs_jobs = hub.key_lock().is_unlocked();
  if (runs_jobs) runner.start();
  for (;;) {
    if (!runs_jobs && hub.key_lock().is_unlocked()) {
      MORTISE_TRY(runner.adopt());
      runner.start();
      runs_jobs = true;
    }
    const timespec second{runs_jobs ? 1 : 0, runs_jobs ? 0 : 50'000'000};
    const int number = ::sigtimedwait(&signals, nullptr, &second);
    if (number == SIGTERM || number == SIGINT) return {};
    if (!settings.ends_when_idle) continue;
    const int64_t idle_ns = base::system_clock().monotonic_ns() - server.http().last_request_ns();
    if (idle_ns > kIdleEndNs && !has_work(hub)) return {};
  }
}

Status serve(const Settings& settings, const sigset_t& signals) {
  base::FileOps& files = base::posix_file_ops();
  MORTISE_ASSIGN(HomeLock lock, HomeLock::take(files, settings.home));
  MORTISE_ASSIGN(auto hub, hub::Hub::open(files, base::system_clock(), base::system_random(),
                                          settings.home, settings.database, settings.root_key));
  server::ServerOptions options;
  options.http.address = settings.address;
  options.http.port = settings.port;
  if (!settings.hosts.empty()) {
    options.http.hosts = settings.hosts;
    options.http.hosts.push_back(settings.address);
  }
  options.version = base::kVersion;
  options.device = settings.device;
  options.headroom_bytes = settings.headroom_bytes;
  MORTISE_ASSIGN(const std::string token,
                 server::owner_token(files, base::system_random(), settings.home));
  if (settings.has_auth) options.token = token;
  run::Runner runner(*hub, base::system_process(), base::system_clock(), runner_options(settings));
  if (hub->key_lock().is_unlocked()) MORTISE_TRY(runner.adopt());
  MORTISE_ASSIGN(auto server, server::Server::start(*hub, options));
  const std::string shown = settings.address.find(':') == std::string::npos
                                ? settings.address
                                : "[" + settings.address + "]";
  const std::string url = "http://" + shown + ":" + std::to_string(server->port());
  MORTISE_TRY(lock.write_address(url));
  base::log(base::LogLevel::kInfo, hub->key_lock().is_unlocked() ? "ready" : "locked",
            {{"address", url}, {"home", settings.home}});
  const Status ended = wait_for_end(signals, settings, *hub, *server, runner);
  base::log(base::LogLevel::kInfo, "ending");
  runner.stop();
  server.reset();
  return ended;
}

}  // namespace
}  // namespace mortise::daemon

int main(int count, char** arguments) {
  using namespace mortise;
  // Blocked before the first thread starts, so that only the wait at the end sees them.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const auto settings = daemon::read_settings(base::posix_file_ops(),
                                              {arguments + 1, arguments + count}, daemon::variable);
  if (!settings.ok()) {
    std::fprintf(stderr, "mortised: %s\n", settings.error().text().c_str());
    return static_cast<int>(job::ExitCode::kUsage);
  }
  base::start_log(settings->log_level);
  int code = 0;
  const base::Status status = settings->restore_from.empty()
                                  ? daemon::serve(*settings, signals)
                                  : daemon::restore_home(*settings, code);
  if (status.ok()) return code;
  std::fprintf(stderr, "mortised: %s\n", status.error().text().c_str());
  return static_cast<int>(job::exit_code_of(status.error()));
}
