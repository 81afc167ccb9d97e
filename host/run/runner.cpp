// See runner.h.
#include "run/runner.h"

#include <signal.h>

#include "base/log.h"
#include "job/channel.h"
#include "job/death_record.h"
#include "job/error_json.h"
#include "job/launch.h"
#include "run/pipeline.h"
#include "run/publish.h"

namespace mortise::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

constexpr int64_t kProgressIntervalNs = 500'000'000;
constexpr int64_t kChannelTimeoutMs = 1000;

void log_problem(const char* what, const std::string& job, const Status& status) {
  if (status.ok()) return;
  base::log(base::LogLevel::kWarning, what, {{"job", job}, {"error", status.error().text()}});
}

// A short question to a worker; a worker that does not listen yet or any more is no error here.
void ask(const std::string& folder, const Json& request) {
  auto client = job::ChannelClient::connect(folder);
  if (client.ok()) (void)(*client)->call(request, kChannelTimeoutMs);
}

}  // namespace

struct Runner::Watch {
  hub::Job job;
  std::string folder;
  base::ProcessIdentity process;
  job::StatusReader status;
  job::StatusLine last{};       // the newest line
  std::string endpoint{};       // sticky: "ready" stays when a later line says nothing
  bool is_new = false;          // last has not been reported
  int exit_code = -1;           // of our own child
  std::string ended_because{};  // why this server killed it
  int64_t reported_ns = 0, leased_ns = 0, cancelled_ns = 0, signalled_ns = 0, final_ns = 0;
};

Runner::Runner(hub::Hub& hub, base::Process& processes, base::Clock& clock, RunnerOptions options)
    : hub_(&hub), processes_(&processes), clock_(&clock), options_(std::move(options)) {}

Runner::~Runner() {
  stop();
}

void Runner::watch(const hub::Job& job, const base::ProcessIdentity& process) {
  const std::string folder = hub_->task_folder(job.id, job.attempt);
  watches_[job.id] = std::unique_ptr<Watch>(new Watch{
      .job = job, .folder = folder, .process = process, .status = {hub_->files(), folder}});
}

Status Runner::adopt() {
  hub::PageRequest page{1000, ""};
  do {
    MORTISE_ASSIGN(const auto found, hub_->jobs().list({"running", "", ""}, page));
    for (const hub::Job& job : found.items) {
      if (job.kind == "pipeline") continue;
      base::ProcessIdentity process = job.process;
      if (process.pid == 0) {
        // The server ended between starting the worker and writing its number down: ask for it.
        auto client = job::ChannelClient::connect(hub_->task_folder(job.id, job.attempt));
        if (client.ok()) {
          const auto answer = (*client)->call(Json::object({{"verb", "ping"}}), kChannelTimeoutMs);
          if (answer.ok()) {
            if (auto known = base::identify_process((*answer)["pid"].as_int()); known.ok()) {
              process = *known;
              log_problem("process not recorded", job.id, hub_->jobs().set_process(job, process));
            }
          }
        }
      }
      base::log(base::LogLevel::kInfo, "job found again",
                {{"job", job.id}, {"alive", processes_->is_alive(process) ? "yes" : "no"}});
      watch(job, process);
    }
    page.cursor = found.next_cursor;
  } while (!page.cursor.empty());
  return {};
}

void Runner::start() {
  thread_ = std::jthread([this](std::stop_token stopping) { loop(stopping); });
}

void Runner::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Runner::loop(std::stop_token stopping) {
  while (!stopping.stop_requested()) {
    step();
    clock_->sleep_ms(options_.poll_ms);
  }
}

void Runner::step() {
  for (auto it = watches_.begin(); it != watches_.end();) {
    it = observe(*it->second) ? std::next(it) : watches_.erase(it);
  }
  advance_pipelines();
  start_queued();
}

void Runner::start_queued() {
  int compute = 0, ingest = 0, search = 0, serve = 0;
  for (const auto& [id, watched] : watches_) {
    int& used = watched->job.kind == "ingest"   ? ingest
                : watched->job.kind == "search" ? search
                : watched->job.kind == "serve"  ? serve
                                                : compute;
    ++used;
  }
  std::vector<std::string> kinds;
  if (compute < options_.compute_slots) kinds = {"train", "evaluate", "export"};
  if (ingest < options_.ingest_slots) kinds.emplace_back("ingest");
  if (search < options_.search_slots) kinds.emplace_back("search");
  if (serve < options_.serve_slots) kinds.emplace_back("serve");
  kinds.emplace_back("pipeline");
  const auto next = hub_->jobs().next(kinds);
  if (next.ok()) start_job(*next);
}

base::Result<base::ProcessIdentity> Runner::launch(const hub::Job& job) {
  MORTISE_ASSIGN(const job::Task task, prepare_task(*hub_, job, options_.task));
  job::LaunchOptions options;
  options.worker_program = options_.worker_program;
  options.task_folder = hub_->task_folder(job.id, job.attempt);
  MORTISE_ASSIGN(options.keys, keys_of(*hub_, task));
  auto process = job::launch_worker(*processes_, options);
  base::wipe(options.keys);
  return process;
}

void Runner::start_job(const hub::Job& queued) {
  const auto started = hub_->jobs().start(queued.id);
  if (!started.ok()) return;  // cancelled in between
  const hub::Job& job = *started;
  if (job.kind == "pipeline") return;
  const auto process = launch(job);
  if (!process.ok()) {
    log_problem("job not ended", job.id,
                hub_->jobs().finish(job, "failed", process.error().message,
                                    job::problem_of(process.error())));
    return;
  }
  watch(job, *process);
  log_problem("process not recorded", job.id, hub_->jobs().set_process(job, *process));
  base::log(base::LogLevel::kInfo, "worker started",
            {{"job", job.id}, {"kind", job.kind}, {"pid", std::to_string(process->pid)}});
}

void Runner::read_status(Watch& watched) {
  const auto lines = watched.status.read();
  if (!lines.ok()) return log_problem("status not read", watched.job.id, lines.error());
  for (const job::StatusLine& line : *lines) {
    // A line that only speaks of state keeps the counters of the one before.
    const job::StatusLine before = std::exchange(watched.last, line);
    if (line.step < 0) {
      watched.last.step = before.step;
      watched.last.steps_total = before.steps_total;
    }
    if (line.phase.empty()) watched.last.phase = before.phase;
    if (!line.endpoint.empty()) watched.endpoint = line.endpoint;
    watched.is_new = true;
  }
}

void Runner::report_progress(Watch& watched) {
  const int64_t now = clock_->monotonic_ns();
  const bool is_due = now - watched.reported_ns >= kProgressIntervalNs ||
                      watched.last.endpoint == "ready" || job::is_final(watched.last.state);
  if (!watched.is_new || !is_due) return;
  Json progress = watched.last.to_json();
  progress.erase("error");
  if (!watched.endpoint.empty()) progress["endpoint"] = watched.endpoint;
  const Status told = hub_->jobs().set_progress(watched.job, progress);
  log_problem("progress not recorded", watched.job.id, told);
  watched.is_new = false;
  watched.reported_ns = now;
}

void Runner::pass_cancellation(Watch& watched) {
  const auto job = hub_->jobs().get(watched.job.id);
  if (!job.ok() || !job->cancel_wanted) return;
  const int64_t now = clock_->monotonic_ns();
  if (watched.cancelled_ns == 0) {
    watched.cancelled_ns = now;
    watched.job.cancel_wanted = true;
    ask(watched.folder, Json::object({{"verb", "cancel"}}));
    return;
  }
  const int64_t waited_ms = (now - watched.cancelled_ns) / 1'000'000;
  if (waited_ms > 2 * options_.term_after_ms) {
    (void)processes_->signal(watched.process, SIGKILL);
  } else if (waited_ms > options_.term_after_ms && watched.signalled_ns == 0) {
    watched.signalled_ns = now;
    (void)processes_->signal(watched.process, SIGTERM);
  }
}

void Runner::renew_lease(Watch& watched) {
  if (options_.task.lease_ms <= 0) return;
  const int64_t now = clock_->monotonic_ns();
  if (now - watched.leased_ns < options_.task.lease_ms * 1'000'000 / 4) return;
  watched.leased_ns = now;
  ask(watched.folder, Json::object({{"verb", "lease"}, {"lease_ms", options_.task.lease_ms}}));
}

// resources.memory_bytes, watched from outside: a worker that holds more is ended.
void Runner::bound_memory(Watch& watched) {
  const uint64_t most = watched.job.manifest["resources"]["memory_bytes"].as_uint(0);
  if (most == 0 || !watched.ended_because.empty()) return;
  const auto held = processes_->private_bytes(watched.process);
  if (!held.ok() || *held <= most) return;
  watched.ended_because = "The worker held " + std::to_string(*held) +
                          " bytes of memory, resources.memory_bytes allows " + std::to_string(most);
  (void)processes_->signal(watched.process, SIGKILL);
}

bool Runner::observe(Watch& watched) {
  const bool alive = processes_->is_alive(watched.process);
  read_status(watched);
  if (alive) {
    if (!job::is_final(watched.last.state)) {
      report_progress(watched);
      pass_cancellation(watched);
      renew_lease(watched);
      bound_memory(watched);
      return true;
    }
    const int64_t now = clock_->monotonic_ns();
    if (watched.final_ns == 0) watched.final_ns = now;
    if (now - watched.final_ns > options_.grace_ms * 1'000'000) {
      (void)processes_->signal(watched.process, SIGKILL);
    }
    return true;
  }
  const auto code = processes_->poll_exit(watched.process);
  if (code.ok()) watched.exit_code = *code;
  // Its main thread is gone, others are still ending: how it ended is known when all have.
  if (!code.ok() && code.error().code == Code::kUnavailable) return true;
  read_status(watched);  // what it wrote between the two looks
  report_progress(watched);
  const Status concluded = conclude(watched);
  log_problem("job not ended", watched.job.id, concluded);
  // A store that is not to be reached for a moment gets another chance; anything else does not.
  return !concluded.ok() && concluded.error().code == Code::kUnavailable;
}

Status Runner::conclude(Watch& watched) {
  base::log(base::LogLevel::kInfo, "worker ended",
            {{"job", watched.job.id},
             {"state", job::state_name(watched.last.state)},
             {"exit", std::to_string(watched.exit_code)}});
  if (const auto fresh = hub_->jobs().get(watched.job.id); fresh.ok()) {
    watched.job.cancel_wanted = fresh->cancel_wanted;
  }
  switch (watched.last.state) {
    case job::State::kDone:
      return conclude_done(watched);
    case job::State::kFailed:
      return conclude_failed(watched);
    case job::State::kCancelled:
      return hub_->jobs().finish(watched.job, "cancelled",
                                 watched.job.cancel_wanted ? "asked for" : "the worker gave up",
                                 Json());
    default:
      return conclude_lost(watched);
  }
}

Status Runner::conclude_done(Watch& watched) {
  const auto result = job::read_result(hub_->files(), watched.folder);
  const Status published =
      result.ok() ? publish_result(*hub_, watched.job, *result) : Status(result.error());
  if (published.ok() || published.error().code == Code::kAborted ||
      published.error().code == Code::kUnavailable) {
    return published;
  }
  return hub_->jobs().finish(watched.job, "failed", published.error().message,
                             job::problem_of(published.error()));
}

Status Runner::conclude_failed(Watch& watched) {
  const auto result = job::read_result(hub_->files(), watched.folder);
  Error error(Code::kFailedPrecondition, watched.last.message.empty()
                                             ? "The worker failed without a reason."
                                             : watched.last.message);
  if (watched.last.error.has_value()) error = *watched.last.error;
  const Json problem = job::problem_of(error);
  std::string report;
  if (watched.job.kind == "ingest" && result.ok()) {
    auto adopted = adopt_report(*hub_, watched.job, *result);
    if (adopted.ok()) report = std::move(*adopted);
    if (!adopted.ok()) log_problem("report not adopted", watched.job.id, adopted.error());
  }
  return hub_->jobs().finish(
      watched.job, "failed", error.message, problem, [&](hub::Connection& connection) -> Status {
        if (watched.job.kind != "ingest") return {};
        return hub_->uploads().set_failed(connection,
                                          watched.job.manifest["ingest"]["upload"].as_string(),
                                          Json::object({{"error", problem}}), report);
      });
}

// The process is gone and never said how it ended.
Status Runner::conclude_lost(Watch& watched) {
  if (watched.job.cancel_wanted) {
    return hub_->jobs().finish(watched.job, "cancelled", "asked for", Json());
  }
  // The server ended between the job's start and the worker's first word. Should the worker live
  // all the same, it works for an attempt that is over and gets no lease.
  if (watched.process.pid == 0 && watched.last.at_ns == 0 &&
      watched.job.attempt < options_.attempts_max) {
    return hub_->jobs().requeue(watched.job, "the server ended before the worker was heard of");
  }
  std::string how = "The worker ended without saying why";
  if (watched.exit_code > 128) {
    how = "The worker was ended by signal " + std::to_string(watched.exit_code - 128);
  } else if (watched.exit_code >= 0) {
    how += " (exit code " + std::to_string(watched.exit_code) + ")";
  }
  if (!watched.ended_because.empty()) how = watched.ended_because;
  const bool rebooted = watched.process.pid == 0;
  if (rebooted) how = "The worker was lost when the server or the machine stopped";
  const auto checkpoint = checkpoint_to_resume(*hub_, watched.job);
  const bool can_resume = checkpoint.ok() && !checkpoint->empty();
  const Error error = job::death_error(
      hub_->files(), watched.folder, how,
      can_resume ? "Continue from its last checkpoint: mortise job resume " + watched.job.id + "."
                 : "Read its log: mortise job logs " + watched.job.id + ".");
  if (watched.job.kind == "serve" && watched.job.attempt < options_.attempts_max) {
    return hub_->jobs().requeue(watched.job, error.message + " It is started again.");
  }
  return hub_->jobs().finish(watched.job, "failed", error.message, job::problem_of(error));
}

void Runner::advance_pipelines() {
  const auto found = hub_->jobs().list({"running", "pipeline", ""}, {1000, ""});
  if (!found.ok()) return log_problem("pipelines not read", "", found.error());
  for (const hub::Job& pipeline : found->items) {
    log_problem("pipeline not advanced", pipeline.id, advance_pipeline(*hub_, pipeline));
  }
}

}  // namespace mortise::run
