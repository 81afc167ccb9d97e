// See made_files.h.
#include "hub/made_files.h"

namespace mortise::hub {

using base::Result;

Result<std::string> domain_of_job(Hub& hub, const std::string& job_id) {
  return hub.domains().id_of("job:" + job_id);  // no data set has a name with a colon
}

Result<MadeFiles> files_of_attempt(Hub& hub, const std::string& job_id, int64_t attempt) {
  const std::string folder = hub.task_folder(job_id, attempt);
  MORTISE_ASSIGN(const job::Task task, job::read_task(hub.files(), folder));
  MadeFiles made{store::SealedFiles(hub.files(), base::system_random()),
                 job::domain_of(task.inputs, task.output_folder)};
  if (made.domain.empty()) return made;
  MORTISE_ASSIGN(const store::DomainKey key, hub.store().key_of(made.domain));
  for (const std::string_view name : job::kMadeFolders) {
    made.files.add(base::join_path(folder, name), key);
  }
  return made;
}

Result<store::SealedFiles> files_of_model(Hub& hub, const Model& model) {
  store::SealedFiles files(hub.files(), base::system_random());
  if (model.domain.empty()) return files;
  MORTISE_ASSIGN(const store::DomainKey key, hub.store().key_of(model.domain));
  files.add(model.folder, key);
  return files;
}

}  // namespace mortise::hub
