// What every task of the worker shares: the task, its folder, the way to tell and to be told, the
// plugins. Made once by main.cpp; the tasks are functions over it, one file each.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "job/channel.h"
#include "job/result.h"
#include "job/status.h"
#include "job/task.h"
#include "plugin/host_services.h"
#include "plugin/registry.h"
#include "store/domain.h"

namespace mortise::worker {

// One domain of the task, opened with the key that was handed over.
struct OpenDomain {
  store::DomainKey key;
  std::shared_ptr<store::Domain> domain;
};

struct Context {
  job::Task task;
  std::string task_folder;
  base::FileOps& files;
  job::StatusWriter& status;
  plugin::HostServices& services;
  plugin::Registry& registry;
  std::vector<OpenDomain> domains{};  // as task.inputs.domains
  std::atomic<bool> is_cancelled{false};
  std::atomic<bool> checkpoint_asked{false};
  // Verbs of the channel beyond cancel and checkpoint; set, while requests may come, by the task
  // that answers them (serve). on_request must outlast every call that it has let in.
  using RequestHandler =
      std::function<base::Result<base::Json>(const base::Json&, job::ChannelReply&)>;
  void set_on_request(RequestHandler handler);
  RequestHandler on_request() const;

  mutable std::mutex progress_mutex{};
  mutable std::string phase_seen{};

  mutable std::mutex request_mutex{};
  RequestHandler request_handler{};

  // An argument of a local command; null when absent.
  const base::Json& argument(std::string_view name) const { return task.inputs.arguments[name]; }
  std::string text(std::string_view name) const { return argument(name).as_string(); }
  // Tells the watcher how far it is, and the log of each new phase; steps_total -1 when unknown.
  void progress(std::string_view phase, int64_t step, int64_t steps_total) const;
  std::string output_path(std::string_view name) const;
  // The domain that a data set or an upload lies in. Errors: FAILED_PRECONDITION when there is
  // none.
  base::Result<const OpenDomain*> sealed() const;
  std::shared_ptr<store::Domain> domain_or_null() const {
    return domains.empty() ? nullptr : domains[0].domain;
  }
  // The tokenizer plugin that the manifest names (plugins.tokenizer), or the one for everybody.
  std::string tokenizer_id() const;
  // What a local command prints goes into the file "output" of the task folder; cli copies it.
  base::Status print(std::string_view text) const;
};

// The result of a task that went well.
job::TaskResult done(std::string summary = {});

// Every file below a folder, as "a/b.png"; links are left alone. below is "" at first.
base::Status list_files(base::FileOps& files, const std::string& root, const std::string& below,
                        std::vector<std::string>& out);

// What is installed beside the programs: <prefix>/share/mortise/NAME.
base::Result<std::string> shared_path(std::string_view name);

// The tokenizer of a folder or file of this machine; granted as "tokenizer". Errors: those of the
// pack, with the path; NOT_FOUND when there is none.
base::Result<plugin::Tokenizer> open_local_tokenizer(Context& context, const std::string& path,
                                                     const base::Json& config);

using TaskFunction = base::Result<job::TaskResult> (*)(Context&);

// The tasks, by the kind in task.json. nullptr for an unknown one.
TaskFunction task_of(std::string_view kind);

base::Result<job::TaskResult> task_ingest(Context& context);
base::Result<job::TaskResult> task_train(Context& context);
base::Result<job::TaskResult> task_evaluate(Context& context);
base::Result<job::TaskResult> task_export(Context& context);
base::Result<job::TaskResult> task_serve(Context& context);
base::Result<job::TaskResult> task_search(Context& context);
base::Result<job::TaskResult> dataset_check(Context& context);
base::Result<job::TaskResult> bench_check(Context& context);
base::Result<job::TaskResult> dataset_write(Context& context);
base::Result<job::TaskResult> dataset_catalog(Context& context);
base::Result<job::TaskResult> dataset_import(Context& context);
base::Result<job::TaskResult> tokenizer_encode(Context& context);
base::Result<job::TaskResult> tokenizer_decode(Context& context);
base::Result<job::TaskResult> tokenizer_show(Context& context);
base::Result<job::TaskResult> tokenizer_train(Context& context);
base::Result<job::TaskResult> template_render(Context& context);
base::Result<job::TaskResult> metric_score(Context& context);
base::Result<job::TaskResult> bench_ingest(Context& context);
base::Result<job::TaskResult> media_preprocess(Context& context);
base::Result<job::TaskResult> model_check(Context& context);
base::Result<job::TaskResult> model_new(Context& context);
base::Result<job::TaskResult> model_forward(Context& context);
base::Result<job::TaskResult> model_generate(Context& context);
base::Result<job::TaskResult> plugin_new(Context& context);
base::Result<job::TaskResult> plugin_list(Context& context);
base::Result<job::TaskResult> plugin_show(Context& context);
base::Result<job::TaskResult> plugin_why(Context& context);
base::Result<job::TaskResult> plugin_pack(Context& context);
base::Result<job::TaskResult> plugin_sign(Context& context);
base::Result<job::TaskResult> plugin_install(Context& context);
base::Result<job::TaskResult> plugin_remove(Context& context);
base::Result<job::TaskResult> plugin_lock(Context& context);
base::Result<job::TaskResult> plugin_check(Context& context);

}  // namespace mortise::worker
