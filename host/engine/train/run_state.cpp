// state.safetensors (parameters and moments), run.json (the counters), adapter/ for people.
#include "engine/train/run_state.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/json.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr size_t kKept = 2;
constexpr int64_t kVersion = 3;
constexpr const char* kBestName = "best.safetensors";
constexpr size_t kShownMax = 8;  // differing facts named in an error

std::string name_of(int64_t step) {
  char text[32];
  std::snprintf(text, sizeof text, "checkpoint-%08lld", static_cast<long long>(step));
  return text;
}

base::Result<std::vector<std::string>> checkpoints_in(base::FileOps& files,
                                                      const std::string& folder) {
  std::vector<std::string> names;
  MORTISE_ASSIGN(const bool exists, files.exists(folder));
  if (!exists) return names;
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    if (entry.is_folder && entry.name.starts_with("checkpoint-")) names.push_back(entry.name);
  }
  return names;  // sorted by name, so by step
}

Json state_json(const RunState& state) {
  return Json::object({{"version", kVersion},
                       {"step", state.step},
                       {"epoch", state.cursor.epoch},
                       {"position", state.cursor.position},
                       {"accumulation_index", 0},
                       {"dropout_calls", state.dropout_calls},
                       {"best_step", state.verdict.best_step},
                       {"best_metric", state.verdict.best},
                       {"evaluations_waited", state.verdict.waited},
                       {"facts", state.facts}});
}

// Where two values differ, down to the members of objects: "path (was A, is B)".
void differences_of(const Json& was, const Json& is, const std::string& path,
                    std::vector<std::string>& out) {
  if (was == is) return;
  if (!was.is_object() || !is.is_object()) {
    out.push_back(path + " (was " + was.dump() + ", is " + is.dump() + ")");
    return;
  }
  const std::string prefix = path.empty() ? path : path + ".";
  for (const auto& [name, value] : was.members()) {
    differences_of(value, is[name], prefix + name, out);
  }
  for (const auto& [name, value] : is.members()) {
    if (!was.contains(name)) differences_of(Json(), value, prefix + name, out);
  }
}

base::Status check_facts(const Json& was, const Json& is, const std::string& path) {
  std::vector<std::string> differing;
  differences_of(was, is, "", differing);
  if (differing.empty()) return {};
  std::string list;
  for (size_t i = 0; i < std::min(differing.size(), kShownMax); ++i) {
    list += (i == 0 ? "" : "; ") + differing[i];
  }
  if (differing.size() > kShownMax) {
    list += "; and " + std::to_string(differing.size() - kShownMax) + " more";
  }
  return Error(Code::kFailedPrecondition,
               "The checkpoint does not belong to this run. What differs: " + list + ".",
               "Resume with what the run began with, or begin in an empty folder.")
      .at_file(path);
}

// The best parameters into `partial`: those of now, or those that the newest checkpoint holds.
base::Status save_best(base::FileOps& files, const std::string& folder, const std::string& partial,
                       const RunState& state, const FlatAdamW& optimizer) {
  const std::string target = base::join_path(partial, kBestName);
  if (state.verdict.best_step == state.step) {
    return save_tensors(files, target, optimizer.parameters());
  }
  MORTISE_ASSIGN(const auto newest, latest_checkpoint(files, folder));
  if (state.verdict.best_step == 0 || !newest) return {};
  return files.link(base::join_path(*newest, kBestName), target);
}

}  // namespace

base::Status save_run_state(base::FileOps& files, const std::string& folder, const RunState& state,
                            const FlatAdamW& optimizer, const Adapter* adapter,
                            const std::string& base_model, bool keeps_best) {
  return guarded([&]() -> base::Status {
    const std::string partial = base::join_path(folder, "partial");
    const std::string final_path = base::join_path(folder, name_of(state.step));
    MORTISE_TRY(base::remove_tree(files, partial));
    MORTISE_TRY(base::make_folders(files, partial));
    MORTISE_TRY(
        save_tensors(files, base::join_path(partial, "state.safetensors"), optimizer.state()));
    if (keeps_best) MORTISE_TRY(save_best(files, folder, partial, state, optimizer));
    if (adapter != nullptr) {
      MORTISE_TRY(adapter->save(files, base::join_path(partial, "adapter"), base_model));
    }
    MORTISE_TRY(base::write_file_durably(files, base::join_path(partial, "run.json"),
                                         state_json(state).dump(2) + "\n"));
    MORTISE_TRY(files.sync_folder(partial));
    MORTISE_TRY(base::remove_tree(files, final_path));
    MORTISE_TRY(files.rename(partial, final_path));
    MORTISE_TRY(files.sync_folder(folder));
    MORTISE_ASSIGN(const auto names, checkpoints_in(files, folder));
    for (size_t i = 0; i + kKept < names.size(); ++i) {
      MORTISE_TRY(base::remove_tree(files, base::join_path(folder, names[i])));
    }
    return {};
  });
}

base::Result<std::optional<std::string>> latest_checkpoint(base::FileOps& files,
                                                           const std::string& folder) {
  MORTISE_ASSIGN(const auto names, checkpoints_in(files, folder));
  if (names.empty()) return std::optional<std::string>();
  return std::optional<std::string>(base::join_path(folder, names.back()));
}

base::Status load_best(base::FileOps& files, const std::string& folder, FlatAdamW& optimizer) {
  return guarded([&]() -> base::Status {
    MORTISE_ASSIGN(const auto newest, latest_checkpoint(files, folder));
    const std::string path = base::join_path(newest.value_or(folder), kBestName);
    MORTISE_ASSIGN(const Checkpoint stored, Checkpoint::open_file(files, path));
    return optimizer.restore_parameters(stored);
  });
}

base::Result<RunState> load_run_state(base::FileOps& files, const std::string& checkpoint,
                                      const Json& facts, FlatAdamW& optimizer) {
  return guarded([&]() -> base::Result<RunState> {
    const std::string path = base::join_path(checkpoint, "run.json");
    MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1 << 20));
    const auto json = base::parse_json(text);
    if (!json.ok() || (*json)["version"].as_int() != kVersion) {
      return Error(Code::kDataLoss, "The checkpoint cannot be read back.",
                   "Remove this folder to go on from the checkpoint before it.")
          .at_file(path);
    }
    RunState state;
    state.step = (*json)["step"].as_int();
    state.cursor.epoch = (*json)["epoch"].as_uint();
    state.cursor.position = (*json)["position"].as_uint();
    state.dropout_calls = (*json)["dropout_calls"].as_uint();
    state.verdict = {.best_step = (*json)["best_step"].as_int(),
                     .best = (*json)["best_metric"].as_double(),
                     .waited = (*json)["evaluations_waited"].as_int()};
    state.facts = (*json)["facts"];
    MORTISE_TRY(check_facts(state.facts, facts, path));
    const std::string tensors = base::join_path(checkpoint, "state.safetensors");
    MORTISE_ASSIGN(const Checkpoint stored, Checkpoint::open_file(files, tensors));
    MORTISE_TRY(optimizer.restore(stored, state.step));
    return state;
  });
}

}  // namespace mortise::engine
