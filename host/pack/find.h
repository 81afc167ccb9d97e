// Finds the pack of a plugin id. Called by plugin/registry (to load), by the server (to check that
// a job's plugins exist) and by `mortise plugin list|show|why|lock`. Opens no library.
//
// Places are looked at tier by tier; the first tier with a pack that all rules accept wins, and in
// it the highest version. Never the working directory, never in the order of readdir. A manifest
// that is there but broken is an error, not "not found"; the same id and version twice in one tier
// is an error that names both.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "pack/decide.h"
#include "pack/lock.h"
#include "pack/manifest.h"
#include "pack/signature.h"

namespace mortise::pack {

enum class Tier { kSite, kSystem, kOpt, kUser, kDeveloper };
const char* tier_name(Tier tier);

// A folder whose subfolders are packs, or which is a pack itself.
struct Place {
  Tier tier = Tier::kSystem;
  std::string folder;  // absolute
};

enum class SignaturePolicy {
  kOff,      // signatures are not looked at
  kWarn,     // a missing or bad one is a verdict that does not refuse
  kEnforce,  // refuses; packs of the system tier came with the program and need none
};

struct Search {
  std::vector<Place> places;            // any order; looked at by tier, then as listed
  std::map<std::string, Pin> job_pins;  // stronger than the lock
  Lock lock;
  Policy policy;
  SignaturePolicy signatures = SignaturePolicy::kWarn;
  Keyring keyring;
  bool allow_user_packs = true;
};

// The usual places: packs beside the executable (build/packs, <prefix>/lib/mortise/packs),
// /opt/mortise/packs, `home`/packs (installed, tier user), and in developer mode MORTISE_PACK_PATH
// (colon-separated absolute folders; ignored when the program is privileged). Reads
// `home`/mortise.lock and `home`/keyring.json when they are there. home may be empty.
base::Result<Search> usual_search(base::FileOps& files, const std::string& home,
                                  bool developer_mode);

// A pack that was accepted. Plain values; copies freely.
struct Decision {
  Manifest manifest;
  PluginEntry plugin;
  LibraryEntry library;
  std::string library_path;  // absolute
  Tier tier = Tier::kSystem;
  std::string signer;  // name of the key, or empty
  uint32_t host_minor = 0;
  bool allow_draft = false;
};

// One place or pack that was looked at, and what was said about it.
struct Step {
  std::string where;              // folder
  std::string text;               // one sentence
  std::vector<Verdict> verdicts;  // empty for a place
};

// Errors: NOT_FOUND that lists the places tried; FAILED_PRECONDITION with the sentence of the rule
// that refused; INVALID_ARGUMENT for a broken manifest; ALREADY_EXISTS for a duplicate.
base::Result<Decision> find_plugin(base::FileOps& files, const Search& search,
                                   std::string_view plugin_id,
                                   const Machine& machine = this_machine());

// The same walk with every step told, for `mortise plugin why`. outcome: the decision or the error
// that find_plugin gives.
struct Explanation {
  std::vector<Step> steps;
  base::Result<Decision> outcome;
};
Explanation explain(base::FileOps& files, const Search& search, std::string_view plugin_id,
                    const Machine& machine = this_machine());
std::string explanation_text(std::string_view plugin_id, const Explanation& explanation);

// Every pack in every place, by tier, id, version descending. A broken one is listed with its
// error.
struct Listed {
  Tier tier = Tier::kSystem;
  std::string root;
  base::Result<Manifest> manifest;
};
std::vector<Listed> list_packs(base::FileOps& files, const Search& search);

// Reads a pack folder by path (`mortise plugin check PATH`) and decides for one of its plugins; an
// empty plugin_id means its first.
base::Result<Decision> decide_folder(base::FileOps& files, const std::string& root,
                                     std::string_view plugin_id, const Policy& policy,
                                     const Machine& machine = this_machine());

}  // namespace mortise::pack
