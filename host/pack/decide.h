// Whether a plugin of a pack can be used on this machine, decided from the manifest alone: no
// library is opened. Called by find. Each rule leaves its verdict, which `mortise plugin why`
// prints.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "pack/manifest.h"

namespace mortise::pack {

struct PciDevice {
  std::string vendor, class_code;  // lower-case hex without "0x"
};

struct Module {
  std::string name, version;  // version empty when the kernel does not tell
};

// What the rules look at. Tests make their own.
struct Machine {
  std::string platform;      // "linux_amd64_glibc"
  uint32_t glibc_minor = 0;  // 36 of 2.36; 0: another C library
  std::set<std::string> cpu_features;
  std::vector<PciDevice> devices;
  std::vector<Module> modules;
  uint32_t abi_generation = 1, abi_minor = 0;
  std::string libtorch_tag;  // of this build; empty: not known here, the rule passes
};
// Reads /proc/cpuinfo, /sys/bus/pci and /sys/module once; what cannot be read counts as absent.
const Machine& this_machine();

struct Policy {
  bool allow_draft = true;  // interfaces of draft/; generation 1 has not frozen loss and device
  int isolation_level = 3;  // level that the worker has reached, L0 .. L3
  bool allow_network = false, allow_spawn = false;  // what `permissions` may ask for
  std::vector<std::string> disabled;  // plugin or pack ids, "com.vendor.*" for a prefix
};

// One rule and what it found.
struct Verdict {
  std::string rule;  // "platform", "cpu_features", "generation", "needs_minor", ...
  bool accepted = false;
  std::string text;  // a whole sentence with both values and, when refused, the remedy
};

struct Choice {
  const LibraryEntry* library = nullptr;  // inside the manifest; nullptr when refused
  std::vector<Verdict> verdicts;          // in order; the last one refused if library is null
};

// Applies the rules in order and stops at the first refusal. `plugin` belongs to `manifest`. [any]
Choice decide(const Manifest& manifest, const PluginEntry& plugin, const Machine& machine,
              const Policy& policy);

}  // namespace mortise::pack
