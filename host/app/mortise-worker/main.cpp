// mortise-worker TASK_FOLDER: does the one task that task.json describes, tells of it in
// status.jsonl, answers on control.sock, and ends. Started by job/launch. Nothing of a task
// outlives the process.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "app/mortise-worker/context.h"
#include "base/log.h"
#include "base/version.h"
#include "job/death_record.h"
#include "job/exit_code.h"
#include "pack/find.h"
#include "plugin/guard.h"
#include "store/sealed_files.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

#ifdef NDEBUG
constexpr bool kIsDevBuild = false;
#else
constexpr bool kIsDevBuild = true;  // the checks of plugin/guard.h at every call of a pack
#endif

// The usual places, and the task's own pack folders where they are not among them.
Result<pack::Search> search_of(const job::Task& task) {
  const char* home = ::getenv("MORTISE_HOME");
  const bool developer = ::getenv("MORTISE_PACK_PATH") != nullptr;
  MORTISE_ASSIGN(pack::Search search, pack::usual_search(base::posix_file_ops(),
                                                         home == nullptr ? "" : home, developer));
  for (const std::string& folder : task.pack_folders) {
    const bool is_known =
        std::any_of(search.places.begin(), search.places.end(),
                    [&](const pack::Place& place) { return place.folder == folder; });
    if (!is_known) search.places.push_back({pack::Tier::kSystem, folder});
  }
  return search;
}

Result<Json> answer(Context& context, const Json& request, job::ChannelReply& reply) {
  const std::string& verb = request["verb"].as_string();
  if (verb == "cancel") {
    context.is_cancelled = true;
    context.services.cancel();
    return Json::object({{"cancelling", true}});
  }
  if (verb == "checkpoint") {
    context.checkpoint_asked = true;
    return Json::object({{"asked", true}});
  }
  if (const auto handler = context.on_request()) return handler(request, reply);
  return Error(Code::kUnimplemented, "This task does not answer \"" + verb + "\".");
}

// A worker whose lease was lost ends itself: another may already do its work.
void watch_lease(Context& context, const job::ChannelServer& channel, std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (channel.lease_lost() && !context.is_cancelled.exchange(true)) context.services.cancel();
    base::system_clock().sleep_ms(50);
  }
}

job::StatusLine last_line(const Result<job::TaskResult>& result, bool was_cancelled) {
  job::StatusLine line;
  line.state = job::State::kDone;
  if (!result.ok()) {
    const bool cancelled = was_cancelled && result.error().code == Code::kCancelled;
    line.state = cancelled ? job::State::kCancelled : job::State::kFailed;
    line.error = result.error();
    line.message = result.error().text();
  } else {
    line.message = result->summary;
    if (!result->ok) line.state = job::State::kFailed;
  }
  return line;
}

Result<store::DomainKey> key_of(const std::vector<store::DomainKey>& keys, const std::string& id) {
  const auto key = std::ranges::find(keys, id, &store::DomainKey::domain_id);
  if (key != keys.end()) return *key;
  return Error(Code::kFailedPrecondition,
               "The key of the domain " + id + " was not handed to this worker.");
}

// Takes the keys that were handed over, opens the domains and the sealed folders with them.
base::Status open_sealed(Context& context, store::SealedFiles& files) {
  const job::TaskInputs& inputs = context.task.inputs;
  if (inputs.domains.empty() && inputs.sealed_folders.empty()) return {};
  MORTISE_ASSIGN(const auto keys, store::DomainKey::take_from(job::kKeysDescriptor));
  for (const job::SealedFolder& sealed : inputs.sealed_folders) {
    MORTISE_ASSIGN(const store::DomainKey key, key_of(keys, sealed.domain));
    files.add(sealed.folder, key);
  }
  for (const job::DomainInput& input : inputs.domains) {
    MORTISE_ASSIGN(store::DomainKey key, key_of(keys, input.id));
    MORTISE_ASSIGN(auto domain,
                   store::Domain::open(files, base::system_random(), base::system_clock(), key,
                                       {input.write_folder, {input.read_folder}}));
    context.domains.push_back({std::move(key), std::move(domain)});
  }
  return {};
}

Result<job::TaskResult> run_task(Context& context, store::SealedFiles& files) {
  MORTISE_TRY(open_sealed(context, files));
  const TaskFunction function = task_of(context.task.kind);
  if (function == nullptr) {
    return Error(Code::kUnimplemented,
                 "This worker does not know the task \"" + context.task.kind + "\".");
  }
  MORTISE_ASSIGN(job::TaskResult result, function(context));
  // What it sealed is durable and closed before the result says so.
  for (const OpenDomain& open : context.domains) MORTISE_TRY(open.domain->finish_segment());
  Json packs = Json::array();
  for (const plugin::UsedPlugin& used : context.registry.used()) {
    base::log(base::LogLevel::kInfo, "used", {{"plugin", used.id}, {"version", used.version}});
    packs.push_back(used.json());
  }
  result.record["packs"] = std::move(packs);
  return result;
}

void log_start(const job::Task& task) {
  base::log(base::LogLevel::kInfo, "task begins",
            {{"kind", task.kind},
             {"id", task.id},
             {"attempt", std::to_string(task.attempt)},
             {"threads", std::to_string(task.threads)},
             {"mortise", std::string(base::kVersion)}});
}

// A failure too is only information here: who started the task tells it, in the one form for
// errors.
void log_end(const job::StatusLine& line) {
  base::log(base::LogLevel::kInfo, "task ends",
            {{"state", std::string(job::state_name(line.state))}, {"message", line.message}});
}

// Returns the exit code, or an error that came before a status file was there to tell it.
Result<int> run(const std::string& task_folder) {
  // For the life of the process, as plugins keep what services gave them.
  static store::SealedFiles files(base::posix_file_ops(), base::system_random());
  MORTISE_ASSIGN(job::Task task, job::read_task(files, task_folder));
  MORTISE_ASSIGN(auto status, job::StatusWriter::open(files, base::system_clock(), task_folder));
  base::start_log(task.log_level);
  log_start(task);
  MORTISE_TRY(plugin::start_death_record(base::join_path(task_folder, job::kDeathRecordFile)));
  job::StatusLine starting;
  starting.state = job::State::kStarting;
  MORTISE_TRY(status->write(starting));
  plugin::HostOptions options;
  options.seed = task.seed;
  options.threads_count = static_cast<uint32_t>(std::max(task.threads, 1));
  options.files = &files;
  plugin::HostServices services(options);
  MORTISE_ASSIGN(pack::Search search, search_of(task));
  plugin::Registry registry(std::move(search), services, {.is_guarded = kIsDevBuild});
  const int64_t lease_ms = task.lease_ms;
  Context context{.task = std::move(task),
                  .task_folder = task_folder,
                  .files = files,
                  .status = *status,
                  .services = services,
                  .registry = registry};
  MORTISE_ASSIGN(auto channel, job::ChannelServer::start(
                                   task_folder,
                                   [&](const Json& request, job::ChannelReply& reply) {
                                     return answer(context, request, reply);
                                   },
                                   lease_ms));
  std::jthread lease([&](std::stop_token stop) { watch_lease(context, *channel, stop); });
  Result<job::TaskResult> result = run_task(context, files);
  if (result.ok()) {
    if (auto written = job::write_result(files, task_folder, *result); !written.ok()) {
      result = written.error();
    }
  }
  const job::StatusLine line = last_line(result, context.is_cancelled);
  log_end(line);
  MORTISE_TRY(status->write(line));
  if (!result.ok()) return static_cast<int>(job::exit_code_of(result.error()));
  return static_cast<int>(result->ok ? job::ExitCode::kDone : job::ExitCode::kFailed);
}

}  // namespace
}  // namespace mortise::worker

int main(int count, char** arguments) {
  ::signal(SIGPIPE, SIG_IGN);
  if (count != 2) {
    std::fputs("usage: mortise-worker TASK_FOLDER (started by mortised and mortise)\n", stderr);
    return static_cast<int>(mortise::job::ExitCode::kUsage);
  }
  const auto code = mortise::worker::run(arguments[1]);
  if (code.ok()) return *code;
  std::fprintf(stderr, "mortise-worker: %s\n", code.error().text().c_str());
  return static_cast<int>(mortise::job::exit_code_of(code.error()));
}
