// The walk over the places, tier by tier. See find.h.
#include "pack/find.h"

#include <algorithm>

#include "base/clock.h"

namespace mortise::pack {
namespace {

using base::Code;
using base::Error;
using base::Result;

// A pack folder that was looked at. Two of one tier are ordered by id, then version descending.
struct Candidate {
  Tier tier = Tier::kSystem;
  std::string root;
  Result<Manifest> manifest;
};

bool holds_manifest(base::FileOps& files, const std::string& folder) {
  const auto there = files.exists(base::join_path(folder, "pack.json"));
  return there.ok() && *there;
}

// The pack folders of a place: itself, or those directly below it, by name.
std::vector<std::string> pack_folders(base::FileOps& files, const std::string& place) {
  if (holds_manifest(files, place)) return {place};
  std::vector<std::string> folders;
  const auto entries = files.list(place);
  if (!entries.ok()) return folders;
  for (const base::FileInfo& entry : *entries) {
    const std::string folder = base::join_path(place, entry.name);
    if (entry.is_folder && holds_manifest(files, folder)) folders.push_back(folder);
  }
  return folders;
}

bool comes_first(const Candidate& a, const Candidate& b) {
  if (a.manifest.ok() != b.manifest.ok()) return a.manifest.ok();
  if (!a.manifest.ok()) return a.root < b.root;
  if (a.manifest->id != b.manifest->id) return a.manifest->id < b.manifest->id;
  const int order = compare_versions(a.manifest->version, b.manifest->version);
  return order != 0 ? order > 0 : a.root < b.root;
}

std::vector<Candidate> read_tier(base::FileOps& files, const Search& search, Tier tier,
                                 std::vector<Step>* steps) {
  std::vector<Candidate> found;
  for (const Place& place : search.places) {
    if (place.tier != tier) continue;
    if (tier == Tier::kUser && !search.allow_user_packs) {
      if (steps) steps->push_back({place.folder, "Skipped: the site allows no user packs.", {}});
      continue;
    }
    const auto folders = pack_folders(files, place.folder);
    if (steps) {
      const auto there = files.exists(place.folder);
      const std::string text = !there.ok() || !*there
                                   ? "There is no such folder."
                                   : "Holds " + std::to_string(folders.size()) + " packs.";
      steps->push_back({place.folder, std::string(tier_name(tier)) + " packs: " + text, {}});
    }
    for (const std::string& folder : folders) {
      found.push_back({tier, folder, read_manifest(files, folder)});
    }
  }
  std::stable_sort(found.begin(), found.end(), comes_first);
  return found;
}

Verdict check_pin(const Search& search, std::string_view plugin_id, const Manifest& manifest) {
  const std::string id(plugin_id);
  const auto job = search.job_pins.find(id);
  const auto locked = search.lock.find(id);
  const Pin* pin = job != search.job_pins.end()  ? &job->second
                   : locked != search.lock.end() ? &locked->second
                                                 : nullptr;
  if (pin == nullptr) return {"pin", true, "Neither the job nor the lock file pins it."};
  const std::string who = job != search.job_pins.end() ? "The job" : "mortise.lock";
  if (!pin->version.empty() && pin->version != manifest.version) {
    return {"pin", false,
            who + " pins version " + pin->version + ", this is " + manifest.version +
                "; install that version or lock anew."};
  }
  if (!pin->sha256.empty() && pin->sha256 != manifest.sha256) {
    return {"pin", false,
            who + " pins the SHA-256 " + pin->sha256 + ", this pack has " + manifest.sha256 +
                "; install the pinned pack or lock anew."};
  }
  return {"pin", true, who + " pins exactly this pack."};
}

Result<std::string> read_signer(base::FileOps& files, const Search& search,
                                const Manifest& manifest) {
  const std::string path = base::join_path(manifest.root, "pack.json.sig");
  MORTISE_ASSIGN(const bool there, files.exists(path));
  if (!there) {
    return Error(Code::kUnauthenticated, "It is not signed: there is no pack.json.sig.",
                 "Sign it with `mortise plugin sign`, or ask its vendor for a signed one.");
  }
  MORTISE_ASSIGN(const std::string sealed, base::read_file(files, path, 4096));
  MORTISE_ASSIGN(const Signature signature, parse_signature(sealed, path));
  MORTISE_ASSIGN(const std::string text,
                 base::read_file(files, base::join_path(manifest.root, "pack.json"), 4u << 20));
  std::vector<std::string> ids = {manifest.id};
  for (const PluginEntry& plugin : manifest.plugins) ids.push_back(plugin.id);
  return verify(search.keyring, ids, text, signature, base::system_clock().now_ns());
}

Verdict check_signature(base::FileOps& files, const Search& search, const Candidate& candidate,
                        std::string* signer) {
  if (search.signatures == SignaturePolicy::kOff) {
    return {"signature", true, "Signatures are not looked at (policy off)."};
  }
  auto result = read_signer(files, search, *candidate.manifest);
  if (result.ok()) {
    *signer = *result;
    return {"signature", true, "Signed by \"" + *result + "\"."};
  }
  if (candidate.tier == Tier::kSystem) {
    return {"signature", true, "It came with the program and needs no signature."};
  }
  const std::string text = result.error().message + " " + result.error().hint;
  if (search.signatures == SignaturePolicy::kWarn) {
    return {"signature", true, "Warning only, by the site's policy: " + text};
  }
  return {"signature", false, text};
}

// Looks at one pack that has the plugin; the decision when every rule accepts.
std::optional<Decision> judge(base::FileOps& files, const Search& search,
                              const Candidate& candidate, std::string_view plugin_id,
                              const Machine& machine, std::vector<Verdict>& verdicts) {
  const Manifest& manifest = *candidate.manifest;
  const PluginEntry* plugin = manifest.find_plugin(plugin_id);
  verdicts.push_back(check_pin(search, plugin_id, manifest));
  if (!verdicts.back().accepted) return std::nullopt;
  std::string signer;
  verdicts.push_back(check_signature(files, search, candidate, &signer));
  if (!verdicts.back().accepted) return std::nullopt;
  Choice choice = decide(manifest, *plugin, machine, search.policy);
  verdicts.insert(verdicts.end(), choice.verdicts.begin(), choice.verdicts.end());
  if (choice.library == nullptr) return std::nullopt;
  Decision decision;
  decision.plugin = *plugin;
  decision.library = *choice.library;
  decision.library_path = base::join_path(manifest.root, choice.library->path);
  decision.manifest = manifest;
  decision.tier = candidate.tier;
  decision.signer = signer;
  decision.host_minor = machine.abi_minor;
  decision.allow_draft = search.policy.allow_draft;
  return decision;
}

// Whether a broken manifest is likely the one that is looked for: then it is an error at once.
bool mentions(base::FileOps& files, const Candidate& candidate, std::string_view plugin_id) {
  const auto text = base::read_file(files, base::join_path(candidate.root, "pack.json"), 4u << 20);
  return text.ok() && text->find("\"" + std::string(plugin_id) + "\"") != std::string::npos;
}

Error broken(const Candidate& candidate) {
  Error error = candidate.manifest.error();
  error.message = "The pack in " + candidate.root + " has a broken manifest: " + error.message;
  if (error.hint.empty()) error.hint = "Mend or remove it; `mortise plugin list` shows all packs.";
  if (error.code == Code::kNotFound) error.code = Code::kInvalidArgument;
  return error;
}

class Walk {
 public:
  Walk(base::FileOps& files, const Search& search, std::string_view plugin_id,
       const Machine& machine)
      : files_(files), search_(search), plugin_id_(plugin_id), machine_(machine) {}

  Result<Decision> run() {
    for (const Tier tier :
         {Tier::kSite, Tier::kSystem, Tier::kOpt, Tier::kUser, Tier::kDeveloper}) {
      auto found = look_at_tier(tier);
      if (!found.ok()) return std::move(found).error();
      if (found->has_value()) return std::move(**found);
    }
    return not_usable();
  }

  std::vector<Step> steps;

 private:
  Result<std::optional<Decision>> look_at_tier(Tier tier) {
    const auto candidates = read_tier(files_, search_, tier, &steps);
    const Candidate* previous = nullptr;
    for (const Candidate& candidate : candidates) {
      if (!candidate.manifest.ok()) {
        steps.push_back({candidate.root, broken(candidate).message, {}});
        if (mentions(files_, candidate, plugin_id_)) return broken(candidate);
        if (!broken_) broken_ = broken(candidate);
        continue;
      }
      if (candidate.manifest->find_plugin(plugin_id_) == nullptr) continue;
      if (previous != nullptr && previous->manifest->id == candidate.manifest->id &&
          previous->manifest->version == candidate.manifest->version) {
        return Error(Code::kAlreadyExists,
                     "The pack " + candidate.manifest->id + " " + candidate.manifest->version +
                         " is there twice among the " + tier_name(tier) + " packs: in " +
                         previous->root + " and in " + candidate.root + ".",
                     "Remove one of them.");
      }
      previous = &candidate;
    }
    for (const Candidate& candidate : candidates) {
      if (!candidate.manifest.ok() || !candidate.manifest->find_plugin(plugin_id_)) continue;
      Step step{candidate.root, candidate.manifest->id + " " + candidate.manifest->version, {}};
      auto decision = judge(files_, search_, candidate, plugin_id_, machine_, step.verdicts);
      step.text += decision ? " is used." : " was not used: " + step.verdicts.back().text;
      if (!decision) refusals_.push_back("The pack " + step.text);
      steps.push_back(std::move(step));
      if (decision) return decision;
    }
    return std::optional<Decision>();
  }

  Error not_usable() const {
    if (!refusals_.empty()) {
      Error error(Code::kFailedPrecondition, refusals_.front());
      for (size_t i = 1; i < refusals_.size(); ++i) error.with("also", refusals_[i]);
      return error;
    }
    if (broken_) return *broken_;
    std::string places;
    for (const Place& place : search_.places) {
      places += (places.empty() ? "" : ", ") + place.folder;
    }
    return Error(Code::kNotFound,
                 "No pack has the plugin " + plugin_id_ +
                     ". Looked in: " + (places.empty() ? "no folder at all" : places) + ".",
                 "Check the spelling with `mortise plugin list`, or install the pack.");
  }

  base::FileOps& files_;
  const Search& search_;
  std::string plugin_id_;
  const Machine& machine_;
  std::vector<std::string> refusals_;
  std::optional<Error> broken_;
};

}  // namespace

const char* tier_name(Tier tier) {
  switch (tier) {
    case Tier::kSite:
      return "site";
    case Tier::kSystem:
      return "system";
    case Tier::kOpt:
      return "opt";
    case Tier::kUser:
      return "user";
    case Tier::kDeveloper:
      return "developer";
  }
  return "unknown";
}

Result<Decision> find_plugin(base::FileOps& files, const Search& search, std::string_view plugin_id,
                             const Machine& machine) {
  return Walk(files, search, plugin_id, machine).run();
}

Explanation explain(base::FileOps& files, const Search& search, std::string_view plugin_id,
                    const Machine& machine) {
  Walk walk(files, search, plugin_id, machine);
  auto outcome = walk.run();
  return {std::move(walk.steps), std::move(outcome)};
}

std::string explanation_text(std::string_view plugin_id, const Explanation& explanation) {
  std::string text = std::string(plugin_id) + "\n";
  for (const Step& step : explanation.steps) {
    text += "  " + step.where + "\n    " + step.text + "\n";
    for (const Verdict& verdict : step.verdicts) {
      text += std::string("      ") + (verdict.accepted ? "yes " : "NO  ") + verdict.rule + ": " +
              verdict.text + "\n";
    }
  }
  if (explanation.outcome.ok()) {
    return text + "used: " + explanation.outcome->library_path + "\n";
  }
  return text + "not usable: " + explanation.outcome.error().text() + "\n";
}

std::vector<Listed> list_packs(base::FileOps& files, const Search& search) {
  std::vector<Listed> all;
  for (const Tier tier : {Tier::kSite, Tier::kSystem, Tier::kOpt, Tier::kUser, Tier::kDeveloper}) {
    for (Candidate& candidate : read_tier(files, search, tier, nullptr)) {
      all.push_back({candidate.tier, candidate.root, std::move(candidate.manifest)});
    }
  }
  return all;
}

Result<Decision> decide_folder(base::FileOps& files, const std::string& root,
                               std::string_view plugin_id, const Policy& policy,
                               const Machine& machine) {
  MORTISE_ASSIGN(Manifest manifest, read_manifest(files, root));
  const std::string id = plugin_id.empty() ? manifest.plugins.front().id : std::string(plugin_id);
  if (manifest.find_plugin(id) == nullptr) {
    return Error(Code::kNotFound, "The pack " + manifest.id + " has no plugin " + id + ".")
        .at_file(base::join_path(root, "pack.json"));
  }
  Search search;
  search.policy = policy;
  search.signatures = SignaturePolicy::kOff;
  Candidate candidate{Tier::kDeveloper, root, std::move(manifest)};
  std::vector<Verdict> verdicts;
  auto decision = judge(files, search, candidate, id, machine, verdicts);
  if (decision) return std::move(*decision);
  return Error(Code::kFailedPrecondition, "The pack " + candidate.manifest->id + " " +
                                              candidate.manifest->version +
                                              " was not used: " + verdicts.back().text);
}

}  // namespace mortise::pack
