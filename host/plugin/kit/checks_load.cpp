// What can be known of a pack before its plugin runs: manifest, hashes, signature, the library as a
// file; and that it loads.
#include <algorithm>

#include "base/crypto.h"
#include "base/schema.h"
#include "pack/signature.h"
#include "pack/store.h"
#include "plugin/kit/case.h"
#include "plugin/kit/elf_file.h"
#include "plugin/kit/kit.h"

namespace mortise::plugin::kit {
namespace {

using base::Json;
using base::Result;

// Reading it is what made this case; here is what reading alone does not see.
Outcome manifest_is_sound(Case& at) {
  const pack::Manifest& manifest = at.decision().manifest;
  for (const pack::PluginEntry& plugin : manifest.plugins) {
    if (plugin.interfaces.empty()) {
      return fail("The plugin " + plugin.id +
                  " names no interface, so nothing can be asked of it.");
    }
    for (const std::string& id : plugin.interfaces) {
      const size_t slash = id.rfind('/');
      const bool is_revised = slash != std::string::npos && slash + 1 < id.size() &&
                              std::all_of(id.begin() + static_cast<std::ptrdiff_t>(slash) + 1,
                                          id.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!is_revised) {
        return fail("The interface id \"" + id + "\" of " + plugin.id +
                    " does not end in its revision, as \"mortise.metric/1\" does.");
      }
    }
  }
  return {};
}

Outcome files_match(Case& at) {
  MORTISE_TRY(pack::verify_files(base::posix_file_ops(), at.decision().manifest));
  return {};
}

// With the key that the signature names: whether a site trusts that key is the site's business.
Outcome signature_fits(Case& at) {
  base::FileOps& files = base::posix_file_ops();
  const pack::Manifest& manifest = at.decision().manifest;
  const std::string path = base::join_path(manifest.root, "pack.json.sig");
  MORTISE_ASSIGN(const bool is_there, files.exists(path));
  if (!is_there) return skip("The pack is not signed.");
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1u << 16));
  MORTISE_ASSIGN(const pack::Signature signature, pack::parse_signature(text, path));
  MORTISE_ASSIGN(const std::string signed_text,
                 base::read_file(files, base::join_path(manifest.root, "pack.json")));
  pack::Keyring keyring;
  keyring.keys.push_back({signature.key, "its own", {""}, "", false});
  MORTISE_TRY(pack::verify(keyring, {manifest.id}, signed_text, signature, 0));
  return {};
}

Outcome exports_only_the_entry(Case& at) {
  MORTISE_ASSIGN(const ElfFacts facts, read_elf(at.decision().library_path));
  std::string others;
  bool has_entry = false;
  for (const std::string& name : facts.exports) {
    if (name == "mortise_entry_1") has_entry = true;
    if (!name.starts_with("mortise_entry_")) others += (others.empty() ? "" : ", ") + name;
  }
  if (!has_entry) return fail("The library does not export mortise_entry_1.");
  if (others.empty()) return {};
  return fail("The library also exports " + others.substr(0, 300) +
              ". Hide them with -fvisibility=hidden and the SDK's version script.");
}

Outcome run_path_stays_in_the_pack(Case& at) {
  MORTISE_ASSIGN(const ElfFacts facts, read_elf(at.decision().library_path));
  for (const std::string& paths : facts.run_path) {
    for (size_t begin = 0; begin <= paths.size();) {
      const size_t end = std::min(paths.find(':', begin), paths.size());
      const std::string path = paths.substr(begin, end - begin);
      const bool is_inside = path == "$ORIGIN" || path.starts_with("$ORIGIN/");
      if (!is_inside || path.find("..") != std::string::npos) {
        return fail("The library looks for others in \"" + path +
                    "\"; a pack keeps its own beside it and says $ORIGIN.");
      }
      begin = end + 1;
    }
  }
  static const char* const runtime[] = {
      "libc.so",         "libm.so",  "libstdc++.so", "libgcc_s.so", "libdl.so",  "libpthread.so",
      "ld-linux-x86-64", "librt.so", "libasan.so",   "libubsan.so", "libtsan.so"};
  std::string foreign;
  for (const std::string& name : facts.needed) {
    const bool is_runtime = std::any_of(std::begin(runtime), std::end(runtime),
                                        [&](const char* known) { return name.starts_with(known); });
    const auto& files = at.decision().manifest.files;
    const bool is_own = std::any_of(files.begin(), files.end(), [&](const pack::FileEntry& file) {
      return file.path.ends_with("/" + name);
    });
    if (!is_runtime && !is_own) foreign += (foreign.empty() ? "" : ", ") + name;
  }
  if (foreign.empty()) return {};
  return warn("Needs of the system: " + foreign + "; a machine without them cannot load the pack.");
}

Outcome memory_is_not_both_writable_and_executable(Case& at) {
  MORTISE_ASSIGN(const ElfFacts facts, read_elf(at.decision().library_path));
  if (facts.has_executable_stack) return fail("The library asks for an executable stack.");
  if (facts.has_text_relocations) return fail("The library has relocations in its code.");
  return {};
}

Outcome config_schema_is_strict(Case& at) {
  const Json& document = at.entry().config_schema;
  if (document.is_null()) return warn("There is no config_schema, so any configuration is taken.");
  MORTISE_ASSIGN(const base::Schema schema, base::Schema::load(document));
  MORTISE_TRY(schema.require(at.config(), "the sample configuration of x-conformance"));
  Json unknown = at.config();
  unknown["no_such_key"] = 1;
  if (!schema.check(unknown).empty()) return {};
  return fail(
      "The config_schema takes the unknown key \"no_such_key\"; a misspelt key would be "
      "ignored. Say \"additionalProperties\": false.");
}

Outcome plugin_loads(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  return {};
}

constexpr Check kLoadChecks[] = {
    {"load.manifest_is_sound", "pack.json can be read, fits its schema and names real interfaces.",
     "", "", Needs::kManifest, manifest_is_sound},
    {"load.files_match_their_hashes",
     "Every file is listed in pack.json and has the SHA-256 that stands there.", "", "",
     Needs::kManifest, files_match},
    {"load.signature_fits", "pack.json.sig, when there is one, is over these bytes of pack.json.",
     "", "", Needs::kManifest, signature_fits},
    {"load.exports_only_the_entry", "The library exports its entry functions and nothing else.", "",
     "", Needs::kManifest, exports_only_the_entry},
    {"load.run_path_stays_in_the_pack",
     "The library finds others beside itself or in the system, never elsewhere.", "", "",
     Needs::kManifest, run_path_stays_in_the_pack},
    {"load.no_memory_is_writable_and_executable",
     "The library asks for no executable stack and has no relocations in its code.", "", "",
     Needs::kManifest, memory_is_not_both_writable_and_executable},
    {"load.config_schema_is_strict",
     "config_schema is a JSON Schema that takes the sample configuration and refuses unknown keys.",
     "", "", Needs::kManifest, config_schema_is_strict},
    {"load.plugin_loads", "The library loads, and host and plugin agree.", "", "", Needs::kLibrary,
     plugin_loads},
};

}  // namespace

std::span<const Check> load_checks() {
  return kLoadChecks;
}

}  // namespace mortise::plugin::kit
