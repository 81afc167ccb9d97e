// See home_files.h.
#include "hub/home_files.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "hub/models.h"
#include "job/death_record.h"
#include "job/task.h"
#include "store/sealed_files.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::join_path;
using base::Result;
using base::Status;

using Sizes = std::map<std::string, uint64_t>;  // of files, by their path in a folder

// What an attempt says of itself, in the order of copying: a status that says "done" comes last.
struct Spoken {
  std::string_view name;
  bool is_of_the_end;  // left out while the attempt is under way
};
constexpr Spoken kSpoken[] = {{job::kTaskFile, false},       {job::kLogFile, false},
                              {job::kMetricsFile, false},    {"eval.jsonl", false},
                              {job::kDeathRecordFile, true}, {job::kResultFile, true},
                              {job::kStatusFile, true}};
// A worker that drops checkpoints as fast as they are copied is not followed for ever.
constexpr int kCheckpointTriesMax = 5;

// Steps in their order, with leading zeros or without.
struct ByStep {
  bool operator()(const std::string& a, const std::string& b) const {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  }
};
using Checkpoints = std::set<std::string, ByStep>;

bool is_checkpoint(std::string_view name) {
  constexpr std::string_view kPrefix = "checkpoint-";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

uint64_t size_on_disk(const job::Artifact& file, const std::string& domain) {
  return domain.empty() ? file.size_bytes : store::sealed_file_size(file.size_bytes);
}

// What is in a folder; nothing when it is absent.
Result<std::vector<base::FileInfo>> entries_of(base::FileOps& files, const std::string& folder) {
  auto found = files.list(folder);
  const bool is_absent = !found.ok() && found.error().code == Code::kNotFound;
  return is_absent ? Result<std::vector<base::FileInfo>>(std::vector<base::FileInfo>())
                   : std::move(found);
}

Result<std::set<std::string>> folders_in(base::FileOps& files, const std::string& folder) {
  MORTISE_ASSIGN(const auto entries, entries_of(files, folder));
  std::set<std::string> names;
  for (const base::FileInfo& entry : entries) {
    if (entry.is_folder) names.insert(entry.name);
  }
  return names;
}

Status add_sizes(base::FileOps& files, const std::string& folder, const std::string& prefix,
                 Sizes& sizes) {
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    if (!entry.is_folder) sizes[prefix + entry.name] = entry.size_bytes;
    if (!entry.is_folder) continue;
    MORTISE_TRY(add_sizes(files, join_path(folder, entry.name), prefix + entry.name + "/", sizes));
  }
  return {};
}

Result<Sizes> sizes_in(base::FileOps& files, const std::string& folder) {
  Sizes sizes;
  MORTISE_TRY(add_sizes(files, folder, "", sizes));
  return sizes;
}

Result<Sizes> sizes_if_there(base::FileOps& files, const std::string& folder) {
  MORTISE_ASSIGN(const bool is_there, files.exists(folder));
  return is_there ? sizes_in(files, folder) : Result<Sizes>(Sizes());
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

Error lost(std::string whose, const std::string& name, const std::string& path, bool is_there) {
  return Error(Code::kDataLoss,
               std::move(whose) +
                   (is_there ? " has another size of its file \"" : " has lost its file \"") +
                   name + "\".")
      .at_file(path);
}

class Copy {  // [serial]
 public:
  Copy(base::FileOps& files, const std::string& from, const std::string& to, Missing missing,
       BackupFacts& facts)
      : files_(files), from_(from), to_(to), missing_(missing), facts_(facts) {}

  Status run(const HomeFiles& named) {
    MORTISE_ASSIGN(const auto models, folders_in(files_, join_path(from_, "models")));
    MORTISE_ASSIGN(const auto jobs, folders_in(files_, join_path(from_, "jobs")));
    for (const ModelFiles& one : named.models) {
      MORTISE_TRY(model(one, models.contains(one.id)));
      ++facts_.models;
    }
    for (const JobFiles& one : named.jobs) {
      std::set<std::string> attempts;
      if (jobs.contains(one.id)) {
        MORTISE_ASSIGN(attempts, folders_in(files_, join_path(from_, "jobs/" + one.id)));
      }
      for (int64_t number = 1; number <= one.attempt; ++number) {
        MORTISE_TRY(attempt(one, number, attempts.contains(std::to_string(number))));
      }
      ++facts_.jobs;
    }
    return {};
  }

 private:
  Status put(const std::string& name, uint64_t size, const Sizes& there, const std::string& folder);
  Status sync_touched();
  Status model(const ModelFiles& model, bool is_there);
  Status attempt(const JobFiles& job, int64_t number, bool is_there);
  Status artifacts(const JobFiles& job, const std::string& folder, bool is_there);
  Status checkpoints(const std::string& folder, bool is_still);
  Result<bool> checkpoint(const std::string& folder, const std::string& name, bool is_still);
  Status drop_old(const std::string& folder, const Checkpoints& here);
  Result<Checkpoints> whole_checkpoints(const std::string& root, const std::string& folder);

  base::FileOps& files_;
  const std::string &from_, &to_;
  const Missing missing_;
  BackupFacts& facts_;
  std::set<std::string> touched_;             // folders whose names may not be durable yet
  std::map<std::string, std::string> twins_;  // JOB DIGEST -> the same file of a model
};

// The file `name` of `folder`; `there` is what the other side's folder holds.
Status Copy::put(const std::string& name, uint64_t size, const Sizes& there,
                 const std::string& folder) {
  const std::string path = join_path(folder, name);
  MORTISE_TRY(base::check_relative_path(path));
  const std::string target = join_path(to_, path);
  const bool is_new_folder = touched_.insert(parent_of(target)).second;
  const auto at = there.find(name);
  if (at != there.end() && at->second == size) {  // perhaps by a run that was cut before its sync
    ++facts_.files_kept;
    return {};
  }
  if (is_new_folder) MORTISE_TRY(base::make_folders(files_, parent_of(target)));
  MORTISE_TRY(store::copy_file(files_, join_path(from_, path), target));
  ++facts_.files_copied;
  facts_.bytes_copied += size;
  return {};
}

Status Copy::sync_touched() {
  for (const std::string& folder : touched_) MORTISE_TRY(files_.sync_folder(folder));
  touched_.clear();
  return {};
}

Status Copy::model(const ModelFiles& model, bool is_there) {
  Sizes here;
  if (is_there) {
    MORTISE_ASSIGN(here, sizes_in(files_, join_path(from_, model.folder())));
  }
  MORTISE_ASSIGN(const Sizes there, sizes_if_there(files_, join_path(to_, model.folder())));
  for (const job::Artifact& file : model.files) {
    const auto at = here.find(file.name);
    const bool is_right = at != here.end() && at->second == size_on_disk(file, model.domain);
    if (!is_right && missing_ == Missing::kError) {
      Error error = lost("The model " + model.reference, file.name,
                         join_path(join_path(from_, model.folder()), file.name), at != here.end());
      error.hint =
          "Put it back from an earlier backup, which stays as it is, or delete the model:"
          " mortise model delete " +
          model.reference + ".";
      return error;
    }
    if (at == here.end()) continue;
    MORTISE_TRY(put(file.name, at->second, there, model.folder()));
    if (is_right && !model.job_id.empty()) {
      twins_[model.job_id + " " + file.sha256] = join_path(model.folder(), file.name);
    }
  }
  return sync_touched();
}

// A model that the job made is the same files under a second name, and stays so.
Status Copy::artifacts(const JobFiles& job, const std::string& folder, bool is_there) {
  if (job.artifacts.empty()) return {};
  Sizes here;
  if (is_there) {
    MORTISE_ASSIGN(here, sizes_in(files_, join_path(from_, folder)));
  }
  MORTISE_ASSIGN(const Sizes there, sizes_if_there(files_, join_path(to_, folder)));
  for (const job::Artifact& file : job.artifacts) {
    const auto at = here.find(file.path);
    const bool is_right = at != here.end() && at->second == size_on_disk(file, job.domain);
    if (!is_right && missing_ == Missing::kError) {
      Error error = lost("The job " + job.id, file.path,
                         join_path(join_path(from_, folder), file.path), at != here.end());
      error.hint =
          "Put it back from an earlier backup, which stays as it is, or give up what the"
          " job made: mortise store shred job:" +
          job.id + ".";
      return error;
    }
    if (at == here.end()) continue;
    const auto twin = twins_.find(job.id + " " + file.sha256);
    const std::string target = join_path(join_path(to_, folder), file.path);
    if (twin != twins_.end() && !there.contains(file.path)) {
      MORTISE_TRY(base::check_relative_path(file.path));
      MORTISE_TRY(base::make_folders(files_, parent_of(target)));
      touched_.insert(parent_of(target));
      if (files_.link(join_path(to_, twin->second), target).ok()) {
        ++facts_.files_copied;
        continue;
      }
    }
    MORTISE_TRY(put(file.path, at->second, there, folder));
  }
  return {};
}

Status Copy::attempt(const JobFiles& job, int64_t number, bool is_there) {
  const std::string folder = job.folder(number);
  const bool is_over = number < job.attempt || !job.is_running;
  std::vector<base::FileInfo> entries;
  if (is_there) {
    MORTISE_ASSIGN(entries, entries_of(files_, join_path(from_, folder)));
  }
  const auto find = [&entries](std::string_view name) {
    return std::ranges::find(entries, name, &base::FileInfo::name);
  };
  const auto has_folder = [&](std::string_view name) {
    const auto at = find(name);
    return at != entries.end() && at->is_folder;
  };
  if (!job.is_shredded && has_folder(job::kCheckpointsFolder)) {
    MORTISE_TRY(checkpoints(join_path(folder, job::kCheckpointsFolder), is_over));
  }
  if (!job.is_shredded && number == job.attempt) {
    MORTISE_TRY(artifacts(job, join_path(folder, job::kArtifactsFolder),
                          has_folder(job::kArtifactsFolder)));
  }
  MORTISE_ASSIGN(const auto found, entries_of(files_, join_path(to_, folder)));
  Sizes there;
  for (const base::FileInfo& entry : found) there[entry.name] = entry.size_bytes;
  for (const Spoken& spoken : kSpoken) {
    const auto at = find(spoken.name);
    if (at == entries.end() || at->is_folder || (spoken.is_of_the_end && !is_over)) continue;
    MORTISE_TRY(put(at->name, at->size_bytes, there, folder));
  }
  return sync_touched();
}

Result<Checkpoints> Copy::whole_checkpoints(const std::string& root, const std::string& folder) {
  MORTISE_ASSIGN(const auto names, folders_in(files_, join_path(root, folder)));
  Checkpoints found;
  std::ranges::copy_if(names, std::inserter(found, found.end()), is_checkpoint);
  return found;
}

// `is_still`: the attempt is over. Else its worker adds checkpoints and drops old ones.
Status Copy::checkpoints(const std::string& folder, bool is_still) {
  MORTISE_ASSIGN(auto here, whole_checkpoints(from_, folder));
  if (is_still) {
    for (const std::string& name : here) MORTISE_TRY(checkpoint(folder, name, true));
  }
  for (int tries = 0; !is_still && !here.empty() && tries < kCheckpointTriesMax; ++tries) {
    MORTISE_ASSIGN(const bool is_whole, checkpoint(folder, *here.rbegin(), false));
    if (is_whole) break;
    MORTISE_ASSIGN(here, whole_checkpoints(from_, folder));
  }
  return drop_old(folder, here);
}

// False: it went, or began to go, before it was copied. The newest is never dropped, so a list of
// its files that was made while it was the newest is the list of all.
Result<bool> Copy::checkpoint(const std::string& folder, const std::string& name, bool is_still) {
  const std::string path = join_path(folder, name), target = join_path(to_, path);
  MORTISE_ASSIGN(const bool is_kept, files_.exists(target));
  const auto listed = sizes_in(files_, join_path(from_, path));
  if (!listed.ok() && listed.error().code == Code::kNotFound) return false;
  MORTISE_ASSIGN(const Sizes here, listed);
  if (!is_still) {
    MORTISE_ASSIGN(const auto now, whole_checkpoints(from_, folder));
    if (now.empty() || *now.rbegin() != name) return false;
  }
  if (is_kept) {
    facts_.files_kept += here.size();
    MORTISE_TRY(files_.sync_folder(parent_of(target)));
    return true;
  }
  const std::string partial = target + ".partial";
  MORTISE_TRY(base::remove_tree(files_, partial));
  std::set<std::string> folders = {partial};
  MORTISE_TRY(base::make_folders(files_, partial));
  for (const auto& [file, size] : here) {
    const std::string copy = join_path(partial, file);
    if (folders.insert(parent_of(copy)).second) {
      MORTISE_TRY(base::make_folders(files_, parent_of(copy)));
    }
    const Status copied = store::copy_file(files_, join_path(join_path(from_, path), file), copy);
    if (!copied.ok() && copied.error().code == Code::kNotFound) {
      MORTISE_TRY(base::remove_tree(files_, partial));
      return false;
    }
    MORTISE_TRY(copied);
    ++facts_.files_copied;
    facts_.bytes_copied += size;
  }
  for (const std::string& one : folders) MORTISE_TRY(files_.sync_folder(one));
  MORTISE_TRY(files_.rename(partial, target));
  MORTISE_TRY(files_.sync_folder(parent_of(target)));
  return true;
}

// Older than the newest, which is on both sides. Never half of one under its name.
Status Copy::drop_old(const std::string& folder, const Checkpoints& here) {
  MORTISE_ASSIGN(const auto there, whole_checkpoints(to_, folder));
  if (here.empty() || !there.contains(*here.rbegin())) return {};
  for (const std::string& name : there) {
    if (here.contains(name) || ByStep()(*here.rbegin(), name)) continue;
    const std::string path = join_path(join_path(to_, folder), name);
    MORTISE_TRY(base::remove_tree(files_, path + ".partial"));
    MORTISE_TRY(files_.rename(path, path + ".partial"));
    MORTISE_TRY(base::remove_tree(files_, path + ".partial"));
  }
  return {};
}

}  // namespace

Result<HomeFiles> read_home_files(Connection& connection) {
  HomeFiles named;
  MORTISE_TRY(connection.run(
      "SELECT id, name, number, job_id, domain, files FROM models WHERE state = 'ready'"
      " AND (domain = '' OR domain IN (SELECT id FROM domains)) ORDER BY id",
      {}, [&](const Row& row) {
        named.models.push_back({.id = row.text(0),
                                .reference = row.text(1) + "@" + std::to_string(row.integer(2)),
                                .job_id = row.text(3),
                                .domain = row.text(4),
                                .files = model_files_of(row.text(5))});
      }));
  std::map<std::string, size_t> places;
  MORTISE_TRY(
      connection.run("SELECT j.id, coalesce(d.id, ''), j.attempt, j.state,"
                     " (SELECT count(*) FROM shreds s WHERE s.dataset = 'job:' || j.id)"
                     " FROM jobs j LEFT JOIN domains d ON d.name = 'job:' || j.id"
                     " WHERE j.attempt > 0 AND j.kind <> 'pipeline' ORDER BY j.id",
                     {}, [&](const Row& row) {
                       places[row.text(0)] = named.jobs.size();
                       const bool has_key = !row.text(1).empty();
                       named.jobs.push_back({.id = row.text(0),
                                             .domain = row.text(1),
                                             .attempt = row.integer(2),
                                             .is_running = row.text(3) == "running",
                                             .is_shredded = !has_key && row.integer(4) > 0,
                                             .artifacts = {}});
                     }));
  MORTISE_TRY(connection.run(
      "SELECT job_id, name, path, sha256, size_bytes FROM artifacts ORDER BY job_id, path", {},
      [&](const Row& row) {
        const auto at = places.find(row.text(0));
        if (at == places.end() || named.jobs[at->second].is_shredded) return;
        named.jobs[at->second].artifacts.push_back(
            {row.text(1), row.text(2), row.text(3), static_cast<uint64_t>(row.integer(4))});
      }));
  return named;
}

Status copy_home_files(base::FileOps& files, const HomeFiles& named, const std::string& from,
                       const std::string& to, Missing missing, BackupFacts& facts) {
  return Copy(files, from, to, missing, facts).run(named);
}

}  // namespace mortise::hub
