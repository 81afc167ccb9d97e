// What pack.json says, as plain values. Called by decide, find and store, by plugin/, and by the
// verbs of `mortise plugin`. Knows the file alone: it never opens a library and never looks at the
// machine. The schema is schemas/pack.json; keys that begin with "x-" are kept in `document`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::pack {

struct PluginEntry {
  std::string id;                       // "mortise.metric_bleu"
  std::string kind;                     // dataset_format | tokenizer | loss | metric | device
  std::vector<std::string> interfaces;  // "mortise.metric/1"
  std::string library;                  // path or name of a library; empty: the pack's only one
  std::vector<std::string> needs_services, optional_services;
  std::string thread_class;  // serial | parallel; serial when absent
  bool starts_threads = false;
  int isolation_min = 0;  // L0 .. L3
  bool uses_draft = false;
  base::Json config_schema;  // an object, or null when the plugin takes any configuration
};

// One build of a library. Several with the same name are variants; the highest score that fits the
// machine wins.
struct LibraryEntry {
  std::string name;      // what PluginEntry::library may say; empty: its path
  std::string platform;  // "linux_amd64_glibc", or with a least version: "linux_amd64_glibc228"
  std::string path;      // relative, inside the pack
  std::string sha256;    // 64 hex digits
  std::vector<std::string> cpu_features;  // spelled as in /proc/cpuinfo: "avx512f"
  int64_t score = 0;
};

struct AbiNeeds {
  uint32_t generation = 0;
  uint32_t needs_minor = 0;
  uint32_t built_minor = 0;  // information only
};

// Hardware that the pack is for. A field that is absent matches anything.
struct DeviceMatch {
  std::string pci_vendor;  // "10de", lower-case hex
  std::string pci_class;   // prefix of the class code: "0302"
  std::string driver;      // name of a loaded kernel module
};

struct RuntimeNeeds {
  std::vector<DeviceMatch> devices;  // one of these must be present; none: any machine
  std::string driver_min;            // version of that module, dotted numbers
  std::string libtorch_tag;          // "2.13.0"; empty: any
  std::optional<int32_t> dl_device_code;
};

struct Permissions {
  bool network = false, spawn = false;
};

struct FileEntry {
  std::string path, sha256;
};

struct Manifest {
  std::string id, version, name, vendor, license;
  AbiNeeds abi;
  std::vector<PluginEntry> plugins;
  std::vector<LibraryEntry> libraries;
  std::vector<FileEntry> files;
  RuntimeNeeds runtime;
  Permissions permissions;
  base::Json document;  // all of it
  std::string sha256;   // of the exact bytes: the pack's identity
  std::string root;     // folder it was read from; empty when parsed from text

  const PluginEntry* find_plugin(std::string_view plugin_id) const;  // nullptr when absent
};

// Parses and checks the text of a manifest. `label` names it in messages ("packs/x/pack.json").
// Errors: INVALID_ARGUMENT naming the JSON pointer for a duplicate or unknown key, a wrong type, a
// path that leaves the pack, a library that no entry lists or an id given twice; UNIMPLEMENTED for
// a manifest_version that is newer than this program. [any]
base::Result<Manifest> parse_manifest(std::string_view text, const std::string& label);

// Reads <root>/pack.json. Errors: NOT_FOUND when there is no such file; as parse_manifest.
base::Result<Manifest> read_manifest(base::FileOps& files, const std::string& root);

// Numbers of a dotted version compared one by one, a pre-release before its release (semver 2.0
// section 11 without build data): < 0, 0, > 0.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace mortise::pack
