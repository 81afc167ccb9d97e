// fake_worker TASK_FOLDER: speaks the worker's protocol and does what the manifest's "x-fake" says:
// done (the default), refuse, fail, crash, wait (until cancelled), stubborn (never ends by itself),
// greedy (holds 64 MiB and waits), lie (an artifact that is not what it records). A serve task
// echoes (or calls the first tool that it is given) until it is cancelled.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "job/channel.h"
#include "job/death_record.h"
#include "job/result.h"
#include "job/status.h"
#include "job/task.h"
#include "store/name_table.h"
#include "store/row_table.h"
#include "store/sealed_files.h"

namespace mortise::tests {
namespace {

using base::Json;

std::atomic<bool> cancelled{false};

base::Result<Json> echo(const Json& request, job::ChannelReply& reply) {
  const Json& messages = request["messages"];
  const Json& last = messages.at(messages.size() - 1)["content"];
  if (last.as_string() == "refuse") {
    return base::Error(base::Code::kInvalidArgument, "The prompt is too long.");
  }
  const Json usage =
      Json::object({{"prompt_tokens", 1}, {"completion_tokens", 2}, {"total_tokens", 3}});
  if (request["tools"].size() > 0) {  // calls the first one, with the text as its argument
    const Json call = Json::object({{"index", 0},
                                    {"name", request["tools"].at(0)["function"]["name"]},
                                    {"arguments", Json::object({{"text", last}}).dump()}});
    (void)reply.send(Json::object({{"tool_calls", Json::array({call})}}));
    return Json::object({{"finish_reason", "tool_calls"}, {"usage", usage}});
  }
  const std::string text = "echo " + (last.is_string() ? last.as_string() : last.dump());
  for (const char c : text) {
    if (!reply.send(Json::object({{"delta", std::string(1, c)}}))) break;
  }
  return Json::object({{"finish_reason", "stop"}, {"usage", usage}});
}

base::Result<Json> answer(const Json& request, job::ChannelReply& reply) {
  const std::string& verb = request["verb"].as_string();
  if (verb == "cancel") {
    cancelled = true;
    return Json::object();
  }
  if (verb == "generate") return echo(request, reply);
  return base::Error(base::Code::kUnimplemented, "The fake worker does not know this verb.");
}

void wait_for_cancel(const job::ChannelServer& channel) {
  while (!cancelled && !channel.lease_lost()) base::system_clock().sleep_ms(5);
}

// Those that were handed over; set once, before the work begins.
std::vector<store::DomainKey> keys;

const store::DomainKey& key_of(const std::string& domain) {
  const auto key = std::ranges::find(keys, domain, &store::DomainKey::domain_id);
  if (key == keys.end()) std::_Exit(6);
  return *key;
}

base::Status write_text(const std::string& path, std::string_view text) {
  return base::write_file_durably(base::posix_file_ops(), path, text);
}

base::Result<std::shared_ptr<store::Domain>> open_domain(const job::DomainInput& input) {
  return store::Domain::open(base::posix_file_ops(), base::system_random(), base::system_clock(),
                             key_of(input.id), {input.write_folder, {input.read_folder}});
}

// What is searched for, as if it were what was found.
base::Status seal_matches(const job::Task& task, job::TaskResult& result) {
  const job::DomainInput& input = task.inputs.domains.at(0);
  MORTISE_ASSIGN(const auto domain, open_domain(input));
  MORTISE_ASSIGN(const auto query,
                 store::parse_object_ref(task.manifest["search"]["query"].as_string()));
  MORTISE_ASSIGN(const std::string text, domain->read_all(query));
  MORTISE_ASSIGN(const auto matches, domain->put(base::as_bytes(text)));
  MORTISE_TRY(domain->finish_segment());
  result.record["objects"] = Json::array({Json::object(
      {{"name", "matches.jsonl"}, {"domain", input.id}, {"object", to_text(matches)}})});
  return {};
}

// Two rows, the upload's pictures as media, a report; sealed with the key that was handed over.
base::Status seal_version(const job::Task& task, bool is_refused, job::TaskResult& result) {
  const job::DomainInput& input = task.inputs.domains.at(0);
  MORTISE_ASSIGN(const auto domain, open_domain(input));
  store::RowTableWriter table(domain, key_of(input.id));
  MORTISE_TRY(table.add("{\"n\":1}"));
  MORTISE_TRY(table.add("{\"n\":2}"));
  MORTISE_ASSIGN(const auto rows, table.finish());
  MORTISE_ASSIGN(const auto uploaded, store::parse_object_ref(task.inputs.upload_files));
  MORTISE_ASSIGN(const auto names, store::NameTable::open(domain, uploaded));
  store::NameTableWriter media(domain);
  MORTISE_TRY(names.visit([&](const store::NamedObject& entry) -> base::Status {
    return entry.name.ends_with(".png") ? media.add(entry.name, entry.ref) : base::Status();
  }));
  MORTISE_ASSIGN(const auto pictures, media.finish());
  const char* findings = is_refused ? R"({"findings":["row 1"]})" : "{}";
  MORTISE_ASSIGN(const auto report, domain->put(base::as_bytes(findings)));
  MORTISE_TRY(domain->finish_segment());
  result.record["sealed"] = Json::object(
      {{"rows", to_text(rows)}, {"media", to_text(pictures)}, {"report", to_text(report)}});
  result.record["counts"] = Json::object({{"rows_count", 2}, {"bad_rows_count", 0}});
  return {};
}

base::Status make_artifacts(const job::Task& task, job::TaskResult& result) {
  store::SealedFiles files(base::posix_file_ops(), base::system_random());
  for (const job::SealedFolder& sealed : task.inputs.sealed_folders) {
    files.add(sealed.folder, key_of(sealed.domain));
  }
  const std::string out = task.output_folder;
  if (task.kind == "ingest") {
    MORTISE_TRY(seal_version(task, !result.ok, result));
  } else if (task.kind == "train") {
    MORTISE_TRY(base::make_folders(files, out + "/adapter"));
    MORTISE_TRY(base::write_file_durably(files, out + "/adapter/adapter_config.json", "{}"));
    MORTISE_TRY(base::write_file_durably(files, out + "/adapter/adapter_model.safetensors", "W"));
    result.models = {{"adapter", "adapter", ""}};
  } else if (task.kind == "search") {
    MORTISE_TRY(seal_matches(task, result));
  } else if (task.kind == "evaluate") {
    result.scores = Json::array({Json::object({{"metric", "mortise.metric_bleu"},
                                               {"name", "bleu"},
                                               {"value", 10.0},
                                               {"of", "base"},
                                               {"group", ""}}),
                                 Json::object({{"metric", "mortise.metric_bleu"},
                                               {"name", "bleu"},
                                               {"value", 30.0},
                                               {"of", "tuned"},
                                               {"group", ""}})});
  }
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(files, out));
  return {};
}

job::StatusLine line(job::State state, const char* message = "") {
  job::StatusLine made;
  made.state = state;
  made.message = message;
  return made;
}

int end(job::StatusWriter& status, const job::StatusLine& last, int code) {
  return status.write(last).ok() ? code : 9;
}

// As a worker that dies inside a metric leaves it.
base::Status leave_death_record(const std::string& folder) {
  const auto area = std::make_unique<job::DeathArea>();
  std::strcpy(area->slots[0].pack, "com.example.f1 1.0.0");
  std::strcpy(area->slots[0].slot, "mortise.metric/1 update");
  area->slots_count = area->threads_count = 1;
  area->signal = SIGSEGV;
  area->culprit = 7;
  area->threads[0] = {.thread = 7, .depth = 1, .last = 0, .calls = {1}, .input = "rows 1..32"};
  return write_text(base::join_path(folder, job::kDeathRecordFile),
                    {reinterpret_cast<const char*>(area.get()), sizeof(job::DeathArea)});
}

int work(const job::Task& task, const std::string& folder, job::StatusWriter& status,
         const job::ChannelServer& channel) {
  const std::string what = task.manifest["x-fake"].as_string();
  job::StatusLine running = line(job::State::kRunning);
  running.phase = task.kind;
  running.step = 1;
  running.steps_total = 2;
  if (task.kind == "serve") running.endpoint = "ready";
  if (!status.write(running).ok()) return 9;
  (void)write_text(folder + "/metrics.jsonl", "{\"step\":1,\"loss\":2.5}\n");
  if (what == "crash") {
    if (!leave_death_record(folder).ok()) return 9;
    ::signal(SIGSEGV, SIG_DFL);  // a sanitizer would turn it into an exit
    ::raise(SIGSEGV);
  }
  if (what == "stubborn") {
    ::signal(SIGTERM, SIG_IGN);
    for (;;) ::pause();
  }
  if (what == "wait" || task.kind == "serve") {
    wait_for_cancel(channel);
    return end(status, line(job::State::kCancelled), 1);
  }
  if (what == "greedy") {
    const std::vector<char> held(64u << 20, 'x');
    wait_for_cancel(channel);
    return held.back() == 'x' ? 1 : 2;
  }
  if (what == "slow") base::system_clock().sleep_ms(300);
  if (what == "fail") {
    job::StatusLine failed = line(job::State::kFailed, "It went wrong.");
    failed.error = base::Error(base::Code::kInvalidArgument, "It went wrong.").at_row(7);
    return end(status, failed, 1);
  }
  job::TaskResult result;
  result.ok = what != "refuse";
  result.summary = result.ok ? "It is done." : "1 of 2 rows is bad.";
  if (!make_artifacts(task, result).ok()) return 9;
  if (what == "lie") result.artifacts[0].sha256 = std::string(64, '0');
  if (!job::write_result(base::posix_file_ops(), folder, result).ok()) return 9;
  return end(status,
             line(result.ok ? job::State::kDone : job::State::kFailed, result.summary.c_str()),
             result.ok ? 0 : 1);
}

}  // namespace
}  // namespace mortise::tests

int main(int, char** arguments) {
  using namespace mortise;
  const std::string folder = arguments[1];
  const auto task = job::read_task(base::posix_file_ops(), folder);
  auto status = job::StatusWriter::open(base::posix_file_ops(), base::system_clock(), folder);
  if (!task.ok() || !status.ok()) return 8;
  if (!task->inputs.domains.empty() || !task->inputs.sealed_folders.empty()) {
    auto taken = store::DomainKey::take_from(job::kKeysDescriptor);
    if (!taken.ok()) return 6;
    tests::keys = std::move(*taken);
  }
  auto channel = job::ChannelServer::start(folder, tests::answer, task->lease_ms);
  if (!channel.ok()) return 7;
  return tests::work(*task, folder, **status, **channel);
}
