// See context.h.
#include "app/mortise-worker/context.h"

#include <utility>

#include "base/log.h"
#include "job/launch.h"

namespace mortise::worker {

void Context::progress(std::string_view phase, int64_t step, int64_t steps_total) const {
  job::StatusLine line;
  line.state = job::State::kRunning;
  line.phase = phase;
  line.step = step;
  line.steps_total = steps_total;
  {
    const std::lock_guard lock(progress_mutex);
    if (phase_seen != phase) base::log(base::LogLevel::kInfo, "phase", {{"phase", line.phase}});
    phase_seen = phase;
  }
  // A status line that cannot be written must not end the work; the final one is checked.
  (void)status.write(std::move(line));
}

base::Result<const OpenDomain*> Context::sealed() const {
  if (!domains.empty()) return &domains[0];
  return base::Error(base::Code::kFailedPrecondition, "This task was given no domain of the store.",
                     "Install mortised and mortise-worker of the same release.");
}

std::string Context::output_path(std::string_view name) const {
  return base::join_path(task.output_folder, name);
}

job::TaskResult done(std::string summary) {
  job::TaskResult result;
  result.ok = true;
  result.summary = std::move(summary);
  return result;
}

std::string Context::tokenizer_id() const {
  const std::string& id = task.manifest["plugins"]["tokenizer"]["id"].as_string();
  return id.empty() ? "mortise.tokenizer_bpe" : id;
}

void Context::set_on_request(RequestHandler handler) {
  const std::lock_guard lock(request_mutex);
  request_handler = std::move(handler);
}

Context::RequestHandler Context::on_request() const {
  const std::lock_guard lock(request_mutex);
  return request_handler;
}

base::Status Context::print(std::string_view text) const {
  MORTISE_ASSIGN(auto file,
                 files.open(base::join_path(task_folder, "output"), base::OpenMode::kAppend));
  MORTISE_TRY(file->write(std::as_bytes(std::span(text))));
  return file->close();
}

base::Status list_files(base::FileOps& files, const std::string& root, const std::string& below,
                        std::vector<std::string>& out) {
  const std::string folder = below.empty() ? root : base::join_path(root, below);
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    const std::string name = below.empty() ? entry.name : base::join_path(below, entry.name);
    if (entry.is_folder) {
      MORTISE_TRY(list_files(files, root, name, out));
    } else {
      out.push_back(name);
    }
  }
  return {};
}

base::Result<std::string> shared_path(std::string_view name) {
  MORTISE_ASSIGN(const std::string program, job::sibling_program("mortise-worker"));
  const std::string bin = program.substr(0, program.rfind('/'));
  return base::join_path(bin.substr(0, bin.rfind('/')) + "/share/mortise", name);
}

TaskFunction task_of(std::string_view kind) {
  static constexpr std::pair<std::string_view, TaskFunction> kTasks[] = {
      {"ingest", task_ingest},
      {"train", task_train},
      {"evaluate", task_evaluate},
      {"export", task_export},
      {"serve", task_serve},
      {"search", task_search},
      {"dataset.check", dataset_check},
      {"bench.check", bench_check},
      {"dataset.write", dataset_write},
      {"dataset.catalog", dataset_catalog},
      {"dataset.import", dataset_import},
      {"tokenizer.encode", tokenizer_encode},
      {"tokenizer.decode", tokenizer_decode},
      {"tokenizer.show", tokenizer_show},
      {"tokenizer.train", tokenizer_train},
      {"template.render", template_render},
      {"metric.score", metric_score},
      {"bench.ingest", bench_ingest},
      {"media.preprocess", media_preprocess},
      {"model.check", model_check},
      {"model.new", model_new},
      {"model.forward", model_forward},
      {"model.generate", model_generate},
      {"plugin.new", plugin_new},
      {"plugin.list", plugin_list},
      {"plugin.show", plugin_show},
      {"plugin.why", plugin_why},
      {"plugin.pack", plugin_pack},
      {"plugin.sign", plugin_sign},
      {"plugin.install", plugin_install},
      {"plugin.remove", plugin_remove},
      {"plugin.lock", plugin_lock},
      {"plugin.check", plugin_check},
  };
  for (const auto& [name, function] : kTasks) {
    if (name == kind) return function;
  }
  return nullptr;
}

}  // namespace mortise::worker
