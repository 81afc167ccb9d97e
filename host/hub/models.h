// Models and adapters: folders in Hugging Face or PEFT layout that never change once they have a
// number. Made from an upload (import) or from what a job left. Called by run and server. Knows
// nothing of what the files mean beyond which of two layouts they follow.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/page.h"
#include "job/manifest.h"
#include "job/result.h"
#include "store/name_table.h"

namespace mortise::hub {

struct Model {
  std::string id, name, kind, base, state;  // kind: model | adapter; base: of an adapter
  int64_t number = 0;
  std::string folder;  // absolute; HOME/models/ID, so it is not stored
  std::string domain;  // that the files are sealed in (made_files.h); empty: they are readable
  std::vector<job::Artifact> files;
  std::string description, job_id;
  int64_t created_ns = 0;
  std::string reference() const { return name + "@" + std::to_string(number); }
  base::Json to_json() const;
};

// The column `files` of the table of models.
std::vector<job::Artifact> model_files_of(const std::string& text);

// A folder that is durable and waits for its row; see prepare_*.
struct PreparedModel {
  std::string id, name, kind, base, description, job_id, folder, domain;
  std::vector<job::Artifact> files;
};

class Models {  // [any]
 public:
  Models(Database& database, base::FileOps& files, base::Clock& clock, base::Random& random,
         std::string root)
      : database_(&database),
        files_(&files),
        clock_(&clock),
        random_(&random),
        root_(std::move(root)) {}

  // Copies the files of an upload into a folder of the model store, where weights can be mapped,
  // and syncs it. A crash before add() leaves a folder that remove_orphans() takes away. Errors:
  // INVALID_ARGUMENT when there is neither config.json nor adapter_config.json.
  base::Result<PreparedModel> prepare_upload(store::Domain& domain, const store::NameTable& files);
  // output.folder below output_folder, whose artifacts were checked; they stay sealed as they are.
  base::Result<PreparedModel> prepare_output(const std::string& output_folder,
                                             const job::ModelOutput& output,
                                             const std::vector<job::Artifact>& artifacts);
  // In a transaction of the caller; answers "name@n".
  base::Result<std::string> add(Connection& connection, const PreparedModel& model);
  // add in a transaction of its own. Errors: those of resolve for an adapter's base, and
  // INVALID_ARGUMENT when it has none or an adapter.
  base::Result<Model> import(PreparedModel model);
  void discard(const PreparedModel& model);
  // At start, before anything is prepared. Folders of deleted models stay while a job is running:
  // its worker may outlive the server and still read them.
  base::Status remove_orphans();

  base::Result<Page<Model>> list(const std::string& query, const PageRequest& page);
  // "name" (newest) or "name@n". Errors: NOT_FOUND, also for a deleted one.
  base::Result<Model> resolve(const std::string& reference);
  // Errors: NOT_FOUND; FAILED_PRECONDITION while an adapter or an endpoint needs it, naming them.
  base::Status remove(const std::string& reference);

 private:
  base::Status fix_base(PreparedModel& model);
  base::Status check_unused(Connection& connection, const job::Reference& wanted);
  // Puts one file of the model at `path`, whose folder is there.
  using Placer =
      std::function<base::Result<job::Artifact>(const std::string& name, const std::string& path)>;
  base::Result<PreparedModel> prepare(const std::vector<std::string>& names, const Placer& place);
  Database* database_;
  base::FileOps* files_;
  base::Clock* clock_;
  base::Random* random_;
  std::string root_;
};

}  // namespace mortise::hub
