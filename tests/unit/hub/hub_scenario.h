// What the campaigns do to a whole hub: a home to begin with, acts that are cut at any storage
// call, and the judgement of what is there afterwards. An act notes what was acknowledged, a line
// each; only that must be there, and nothing may be there in half.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "hub/made_files.h"
#include "hub/restore.h"
#include "hub/upkeep.h"
#include "hub/verify.h"
#include "tests/support/fixed_random.h"

namespace mortise::hub {

using Note = std::function<void(const std::string& line)>;

inline std::string rows_text(const std::string& name) {
  return R"({"of":")" + name + "\"}";
}
// Text that compresses badly, the same for the same name.
inline std::string file_text(const std::string& name, size_t size) {
  uint64_t seed = 7;
  for (const char c : name) seed = seed * 31 + static_cast<unsigned char>(c);
  return tests::FixedRandom(seed).text(size);
}

inline base::Result<std::unique_ptr<Hub>> open_hub(base::FileOps& files, const std::string& home) {
  return Hub::open(files, base::system_clock(), base::system_random(), home);
}

// A version of three rows and two files; answers "name@n".
inline base::Result<std::string> publish(Hub& hub, const std::string& name) {
  NewVersion version{.name = name,
                     .task_type = "vqa",
                     .description = {},
                     .labels = {},
                     .domain = {},
                     .rows = {},
                     .media = {},
                     .originals = {},
                     .report = {},
                     .facts = {},
                     .parent = {},
                     .job_id = {}};
  MORTISE_ASSIGN(version.domain, hub.domains().id_of(name));
  MORTISE_ASSIGN(const auto domain, hub.domains().open(version.domain));
  MORTISE_ASSIGN(const store::DomainKey key, hub.store().key_of(version.domain));
  store::RowTableWriter table(domain, key);
  for (int i = 0; i < 3; ++i) MORTISE_TRY(table.add(rows_text(name)));
  MORTISE_ASSIGN(version.rows, table.finish());
  std::vector<store::NamedObject> names;
  for (const char* file : {"a.png", "b.png"}) {
    MORTISE_ASSIGN(const store::ObjectRef ref,
                   domain->put(base::as_bytes(file_text(name + file, 3000))));
    names.push_back({file, ref});
  }
  MORTISE_ASSIGN(const auto written, store::write_names(domain, names));
  version.media = version.originals = written.ref;
  MORTISE_ASSIGN(version.report, domain->put(base::as_bytes("{}")));
  MORTISE_TRY(domain->sync());
  version.row_count = 3;
  version.media_count = 2;
  std::string reference;
  MORTISE_TRY(hub.database().write([&](Connection& connection) -> base::Status {
    MORTISE_ASSIGN(reference, hub.datasets().add_version(connection, version));
    return {};
  }));
  return reference;
}

inline base::Status write_text(base::FileOps& files, const std::string& path,
                               std::string_view text) {
  MORTISE_TRY(base::make_folders(files, path.substr(0, path.rfind('/'))));
  MORTISE_ASSIGN(const auto file, files.open(path, base::OpenMode::kTruncate));
  MORTISE_TRY(file->write(base::as_bytes(text)));
  MORTISE_TRY(file->sync());
  return file->close();
}

// The model base@1, imported.
inline base::Status import_base(Hub& hub) {
  MORTISE_ASSIGN(const std::string id, hub.domains().id_of("uploads"));
  MORTISE_ASSIGN(const auto domain, hub.domains().open(id));
  std::vector<store::NamedObject> names;
  for (const auto& [name, text] : {std::pair{"config.json", std::string("{}")},
                                   {"parts/model.safetensors", file_text("base", 5000)}}) {
    MORTISE_ASSIGN(const store::ObjectRef ref, domain->put(base::as_bytes(text)));
    names.push_back({name, ref});
  }
  MORTISE_ASSIGN(const auto written, store::write_names(domain, names));
  MORTISE_ASSIGN(const auto table, store::NameTable::open(domain, written.ref));
  MORTISE_ASSIGN(PreparedModel model, hub.models().prepare_upload(*domain, table));
  model.name = "base";
  MORTISE_TRY(hub.models().import(std::move(model)));
  return {};
}

// A training that runs, with the folder of its task and one checkpoint.
inline base::Result<Job> start_training(Hub& hub, const std::string& name) {
  MORTISE_ASSIGN(
      const auto manifest,
      job::parse_manifest(R"({"kind":"train","model":"base","dataset":"chest","name":")" + name +
                          "\"}"));
  MORTISE_ASSIGN(const Job queued, hub.jobs().submit({manifest, "", "", ""}));
  MORTISE_ASSIGN(Job job, hub.jobs().start(queued.id));
  const std::string folder = hub.task_folder(job.id, job.attempt);
  MORTISE_ASSIGN(const std::string domain, domain_of_job(hub, job.id));
  job::Task task;
  task.id = job.id;
  task.kind = "train";
  task.output_folder = folder + "/artifacts";
  for (const std::string_view made : job::kMadeFolders) {
    task.inputs.sealed_folders.push_back({base::join_path(folder, made), domain});
  }
  MORTISE_TRY(base::make_folders(hub.files(), folder));
  MORTISE_TRY(job::write_task(hub.files(), folder, task));
  MORTISE_TRY(write_text(hub.files(), folder + "/log.txt", "step 2\n"));
  MORTISE_ASSIGN(auto made, files_of_attempt(hub, job.id, job.attempt));
  for (const char* file : {"run.json", "adapter/adapter_config.json"}) {
    MORTISE_TRY(write_text(made.files, folder + "/checkpoints/checkpoint-00000002/" + file, file));
  }
  return job;
}

// It is done: two sealed artifacts, which are the model NAME@1 too.
inline base::Status finish_training(Hub& hub, const Job& job) {
  const std::string folder = hub.task_folder(job.id, job.attempt), out = folder + "/artifacts";
  MORTISE_ASSIGN(auto made, files_of_attempt(hub, job.id, job.attempt));
  MORTISE_TRY(write_text(made.files, out + "/adapter/adapter_config.json", "{}"));
  MORTISE_TRY(write_text(made.files, out + "/adapter/adapter_model.safetensors",
                         file_text("tuned", 40'000)));
  MORTISE_TRY(write_text(hub.files(), folder + "/status.jsonl", "{\"state\":\"done\"}\n"));
  job::TaskResult result;
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(made.files, out));
  MORTISE_ASSIGN(PreparedModel model,
                 hub.models().prepare_output(out, {"adapter", "adapter", ""}, result.artifacts));
  model.name = job.name;
  model.base = "base@1";
  model.job_id = job.id;
  model.domain = made.domain;
  return hub.jobs().publish(job, result, base::Json::object(),
                            [&](Connection& connection) -> base::Status {
                              MORTISE_TRY(hub.models().add(connection, model));
                              return {};
                            });
}

// base@1 and tuned@1 with the job that made it; a training that still runs.
inline base::Status make_models(Hub& hub) {
  MORTISE_TRY(import_base(hub));
  MORTISE_ASSIGN(const Job job, start_training(hub, "tuned"));
  MORTISE_TRY(finish_training(hub, job));
  MORTISE_TRY(start_training(hub, "running"));
  return {};
}

inline constexpr size_t kPart = 3000, kParts = 3;

// A transfer of three parts into a new upload, as tus brings it.
inline base::Status act_transfer(Hub& hub, const std::string&, const Note& note) {
  MORTISE_ASSIGN(const Upload upload, hub.uploads().create("chest", base::Json::object()));
  Transfer wanted;
  wanted.owner = "ann";
  wanted.upload_id = upload.id;
  wanted.kind = "file";
  wanted.name = "x.bin";
  wanted.size_bytes = kPart * kParts;
  MORTISE_ASSIGN(Transfer transfer, hub.transfers().create(wanted, 1u << 30));
  MORTISE_ASSIGN(const auto domain, hub.domains().open(transfer.domain));
  const std::string text = file_text("transfer", kPart * kParts);
  for (size_t i = 0; i < kParts; ++i) {
    MORTISE_ASSIGN(const store::ObjectRef ref,
                   domain->put(base::as_bytes(text.substr(i * kPart, kPart))));
    MORTISE_TRY(domain->sync());
    MORTISE_TRY(hub.transfers().append(transfer, {ref}));
    note("offset " + transfer.id + " " + std::to_string(transfer.offset_bytes));
  }
  MORTISE_TRY(hub.transfers().finish(transfer));
  note("file " + upload.id);
  return {};
}

inline base::Status act_publish(Hub& hub, const std::string&, const Note& note) {
  for (const char* name : {"chest", "new"}) {
    MORTISE_ASSIGN(const std::string reference, publish(hub, name));
    note("version " + reference);
  }
  return {};
}

inline base::Status act_compact(Hub& hub, const std::string&, const Note&) {
  MORTISE_ASSIGN(const auto facts, compact(hub, {.dead_share_max = 0.01, .grace_ns = 0}));
  if (facts.chunks_dropped > 0) return {};
  return base::Error(base::Code::kInternal, "Nothing was dropped.");
}

inline base::Status act_rotate(Hub& hub, const std::string&, const Note&) {
  MORTISE_TRY(hub.keyring().rotate());
  return {};
}

inline base::Status act_shred(Hub& hub, const std::string&, const Note& note) {
  note("shredding");
  MORTISE_TRY(shred(hub, "films"));
  note("shredded");
  return {};
}

// And a second one over the first, which holds until the second does.
inline base::Status act_backup(Hub& hub, const std::string& home, const Note& note) {
  MORTISE_TRY(backup(hub, home + ".backup"));
  note("backup");
  MORTISE_TRY(publish(hub, "new"));
  MORTISE_ASSIGN(const auto running, hub.jobs().get("running"));
  MORTISE_TRY(finish_training(hub, running));
  MORTISE_TRY(backup(hub, home + ".backup"));
  note("backup");
  return {};
}

struct HubAct {
  const char* name;
  base::Status (*run)(Hub& hub, const std::string& home, const Note& note);
};
inline constexpr HubAct kHubActs[] = {{"transfer", act_transfer}, {"publish", act_publish},
                                      {"compact", act_compact},   {"rotate", act_rotate},
                                      {"shred", act_shred},       {"backup", act_backup}};

// chest@1 and films@1, an upload that was removed, so that there are dead chunks, and models.
inline base::Status prepare_home(base::FileOps& files, const std::string& home) {
  MORTISE_ASSIGN(const auto hub, open_hub(files, home));
  for (const char* name : {"chest", "films"}) {
    MORTISE_TRY(publish(*hub, name));
    MORTISE_ASSIGN(const Upload upload, hub->uploads().create(name, base::Json::object()));
    MORTISE_ASSIGN(const std::string id, hub->domains().id_of(name));
    MORTISE_ASSIGN(const auto domain, hub->domains().open(id));
    MORTISE_ASSIGN(const auto ref, domain->put(base::as_bytes(file_text("dead", 40'000))));
    MORTISE_TRY(domain->finish_segment());
    MORTISE_TRY(hub->uploads().put_file(upload.id, "dead.bin", ref));
    MORTISE_TRY(hub->uploads().remove(upload.id));
  }
  return make_models(*hub);
}

inline base::Status wrong(std::string message) {
  return base::Error(base::Code::kInternal, std::move(message));
}

inline base::Status check_rows(Hub& hub, const std::string& reference) {
  MORTISE_ASSIGN(const Version version, hub.datasets().resolve(reference));
  MORTISE_ASSIGN(const auto rows, hub.datasets().rows(version));
  MORTISE_ASSIGN(const std::string row, rows.row(2));
  return row == rows_text(version.dataset) ? base::Status() : wrong("Other rows: " + row);
}

// One line of what was acknowledged.
inline base::Status check_line(Hub& hub, const std::string& line) {
  const size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
  if (word == "version") return check_rows(hub, rest);
  if (word == "offset") {
    MORTISE_ASSIGN(const Transfer found,
                   hub.transfers().get(rest.substr(0, rest.find(' ')), "ann"));
    const bool is_there = found.offset_bytes >= std::stoll(rest.substr(rest.find(' ') + 1));
    return is_there ? base::Status() : wrong("An offset went back: " + line);
  }
  if (word == "file") {
    MORTISE_ASSIGN(const auto files, hub.uploads().files(rest, {10, ""}));
    return files.items.size() == 1 ? base::Status() : wrong("The file is not in its upload.");
  }
  if (word == "shredded" && hub.datasets().resolve("films").ok()) return wrong("films lives.");
  return {};
}

// What the database names of uploads reads as it was sent, acknowledged or not.
inline base::Status check_uploads(Hub& hub) {
  MORTISE_ASSIGN(const auto uploads, hub.uploads().list({1000, ""}));
  for (const Upload& upload : uploads.items) {
    if (upload.state == "removed") continue;
    MORTISE_ASSIGN(const auto files, hub.uploads().files(upload.id, {1000, ""}));
    MORTISE_ASSIGN(const auto domain, hub.domains().open(upload.domain));
    for (const store::NamedObject& file : files.items) {
      MORTISE_ASSIGN(const std::string text, domain->read_all(file.ref));
      if (text != file_text("transfer", kPart * kParts)) return wrong("A file has other bytes.");
    }
  }
  return {};
}

inline base::Status check_whole(Hub& hub) {
  MORTISE_ASSIGN(const VerifyReport report, verify_all(hub));
  if (report.models < 2 || report.jobs < 1) return wrong("A model or a job is not there.");
  return report.findings.empty() ? base::Status() : wrong(report.to_json().dump());
}

// An acknowledged backup is a whole home again, with the root key of this one.
inline base::Status check_backup(base::FileOps& files, const std::string& home) {
  RestoreOptions options;
  options.source = home + ".backup";
  MORTISE_ASSIGN(options.root_key, base::read_file(files, home + "/keys/root.key"));
  MORTISE_TRY(
      restore(files, base::system_clock(), base::system_random(), home + ".restored", options));
  MORTISE_ASSIGN(const auto hub, open_hub(files, home + ".restored"));
  MORTISE_TRY(check_rows(*hub, "chest@1"));
  MORTISE_ASSIGN(const Job job, hub->jobs().get("running"));
  MORTISE_ASSIGN(const auto made,
                 hub->files().list(hub->task_folder(job.id, 1) + "/checkpoints/"
                                                                 "checkpoint-00000002"));
  if (made.size() != 2 || job.process.pid != 0) return wrong("The training cannot go on.");
  return check_whole(*hub);
}

// Opens what is there after a failure: what was acknowledged is there and verifies, nothing is seen
// in half, and the hub goes on.
inline base::Status judge(base::FileOps& files, const std::string& home,
                          const std::vector<std::string>& journal) {
  const int64_t begin_ns = base::system_clock().monotonic_ns();
  MORTISE_ASSIGN(const auto hub, open_hub(files, home));
  if (base::system_clock().monotonic_ns() - begin_ns > INT64_C(5'000'000'000)) {
    return wrong("The restart took more than 5 s.");
  }
  bool may_miss_films = false, has_backup = false;
  for (const std::string& line : journal) {
    MORTISE_TRY(check_line(*hub, line));
    may_miss_films = may_miss_films || line == "shredding";
    has_backup = has_backup || line == "backup";
  }
  MORTISE_TRY(check_rows(*hub, "chest@1"));
  if (!may_miss_films || hub->datasets().resolve("films").ok()) {
    MORTISE_TRY(check_rows(*hub, "films@1"));
  }
  MORTISE_TRY(check_uploads(*hub));
  MORTISE_TRY(check_whole(*hub));
  if (has_backup) MORTISE_TRY(check_backup(files, home));
  MORTISE_TRY(publish(*hub, "chest"));
  MORTISE_TRY(hub->keyring().rotate());
  return check_whole(*hub);
}

}  // namespace mortise::hub
