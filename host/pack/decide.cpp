// The rules in their order; each says what it compared. See decide.h.
#include "pack/decide.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace mortise::pack {
namespace {

Verdict accept(std::string rule, std::string text) {
  return {std::move(rule), true, std::move(text)};
}
Verdict refusal(std::string rule, std::string text) {
  return {std::move(rule), false, std::move(text)};
}

bool matches_any(const std::vector<std::string>& patterns, const std::string& id) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.ends_with('*')) return id.starts_with(pattern.substr(0, pattern.size() - 1));
    return id == pattern;
  });
}

Verdict check_enabled(const Manifest& manifest, const PluginEntry& plugin, const Policy& policy) {
  for (const std::string& id : {plugin.id, manifest.id}) {
    if (matches_any(policy.disabled, id)) {
      return refusal("enabled", "\"" + id + "\" is disabled by the site's configuration; ask the " +
                                    "administrator to remove it from packs.disabled.");
    }
  }
  return accept("enabled", "Not disabled by the site.");
}

Verdict check_generation(const Manifest& manifest, const Machine& machine) {
  const std::string have = std::to_string(machine.abi_generation);
  const std::string want = std::to_string(manifest.abi.generation);
  if (manifest.abi.generation == machine.abi_generation) {
    return accept("generation", "Generation " + want + " is this host's.");
  }
  const bool is_newer = manifest.abi.generation > machine.abi_generation;
  return refusal("generation",
                 "abi.generation is " + want + ", this host has " + have + "; install " +
                     (is_newer ? "a newer Mortise" : "a newer version of the pack") + ".");
}

Verdict check_minor(const Manifest& manifest, const Machine& machine) {
  const std::string have = std::to_string(machine.abi_minor);
  const std::string want = std::to_string(manifest.abi.needs_minor);
  if (manifest.abi.needs_minor <= machine.abi_minor) {
    return accept("needs_minor", "It needs ABI minor " + want + ", this host has " + have + ".");
  }
  return refusal("needs_minor", "It needs ABI minor " + want + ", this host has " + have +
                                    "; install a newer Mortise or an older version of the pack.");
}

Verdict check_draft(const PluginEntry& plugin, const Policy& policy) {
  if (!plugin.uses_draft) return accept("draft", "It uses no draft interface.");
  if (policy.allow_draft) return accept("draft", "It uses draft interfaces, which are allowed.");
  return refusal("draft",
                 "It uses draft interfaces (uses_draft is true), which this site does not " +
                     std::string("allow; set packs.allow_draft."));
}

Verdict check_permissions(const Manifest& manifest, const PluginEntry& plugin,
                          const Policy& policy) {
  if (manifest.permissions.network && !policy.allow_network) {
    return refusal("permissions", "It asks for the network, which this site gives to no pack.");
  }
  if (manifest.permissions.spawn && !policy.allow_spawn) {
    return refusal("permissions", "It asks to start programs, which this site allows to no pack.");
  }
  if (plugin.isolation_min > policy.isolation_level) {
    return refusal("isolation",
                   "It needs isolation level L" + std::to_string(plugin.isolation_min) +
                       ", the workers here reach L" + std::to_string(policy.isolation_level) +
                       "; `mortise doctor` says what is missing.");
  }
  return accept("permissions", "It asks for nothing that this site does not give.");
}

Verdict check_libtorch(const Manifest& manifest, const Machine& machine) {
  const std::string& want = manifest.runtime.libtorch_tag;
  if (want.empty()) return accept("libtorch", "It does not depend on a libtorch build.");
  if (machine.libtorch_tag.empty()) {
    return accept("libtorch", "It was made for libtorch " + want + "; checked when it is loaded.");
  }
  if (want == machine.libtorch_tag) return accept("libtorch", "It was made for this libtorch.");
  return refusal("libtorch", "It was made for libtorch " + want + ", this host has " +
                                 machine.libtorch_tag + "; install the pack's build for that.");
}

const Module* find_module(const Machine& machine, const std::string& name) {
  for (const Module& module : machine.modules) {
    if (module.name == name) return &module;
  }
  return nullptr;
}

bool device_is_here(const DeviceMatch& match, const Machine& machine) {
  if (!match.driver.empty() && find_module(machine, match.driver) == nullptr) return false;
  if (match.pci_vendor.empty() && match.pci_class.empty()) return true;
  return std::any_of(machine.devices.begin(), machine.devices.end(), [&](const PciDevice& device) {
    return (match.pci_vendor.empty() || device.vendor == match.pci_vendor) &&
           device.class_code.starts_with(match.pci_class);
  });
}

std::string describe(const DeviceMatch& match) {
  std::string text;
  if (!match.pci_vendor.empty()) text += " PCI vendor " + match.pci_vendor;
  if (!match.pci_class.empty()) text += " class " + match.pci_class;
  if (!match.driver.empty()) text += " driver " + match.driver;
  return text.empty() ? text : text.substr(1);
}

Verdict check_device(const Manifest& manifest, const Machine& machine) {
  const RuntimeNeeds& runtime = manifest.runtime;
  if (runtime.devices.empty()) return accept("device", "It needs no particular hardware.");
  std::string wanted;
  for (const DeviceMatch& match : runtime.devices) {
    wanted += (wanted.empty() ? "" : ", or ") + describe(match);
    if (!device_is_here(match, machine)) continue;
    const Module* module = find_module(machine, match.driver);
    if (runtime.driver_min.empty() || module == nullptr) {
      return accept("device", "Found " + describe(match) + ".");
    }
    if (compare_versions(module->version, runtime.driver_min) >= 0) {
      return accept("device", "Found " + describe(match) + ", version " + module->version + ".");
    }
    return refusal("driver_min",
                   "It needs driver " + match.driver + " " + runtime.driver_min +
                       " or later, this machine has " +
                       (module->version.empty() ? "an unknown version" : module->version) +
                       "; update the driver.");
  }
  return refusal("device", "It needs " + wanted + ", and this machine has none.");
}

// "linux_amd64_glibc228" -> {"linux_amd64_glibc", 28}; without a number 0.
std::pair<std::string, uint32_t> split_platform(const std::string& platform) {
  const size_t last = platform.find_last_not_of("0123456789");
  const size_t word = platform.rfind('_');
  if (last == std::string::npos || word == std::string::npos || last < word) return {platform, 0};
  const std::string digits = platform.substr(last + 1);
  if (digits.size() < 2 || digits[0] != '2') return {platform, 0};
  uint32_t minor = 0;
  std::from_chars(digits.data() + 1, digits.data() + digits.size(), minor);
  return {platform.substr(0, last + 1), minor};
}

// Why a variant does not fit, or nothing.
std::optional<Verdict> variant_refusal(const LibraryEntry& library, const Machine& machine) {
  const auto [family, minor] = split_platform(library.platform);
  if (family != machine.platform) {
    return refusal("platform", library.path + " is for " + library.platform + ", this machine is " +
                                   machine.platform + ".");
  }
  if (minor > machine.glibc_minor) {
    return refusal("platform", library.path + " needs glibc 2." + std::to_string(minor) +
                                   ", this machine has 2." + std::to_string(machine.glibc_minor) +
                                   "; install the pack's build for older systems.");
  }
  std::string missing;
  for (const std::string& feature : library.cpu_features) {
    if (!machine.cpu_features.contains(feature)) missing += (missing.empty() ? "" : ", ") + feature;
  }
  if (missing.empty()) return std::nullopt;
  return refusal("cpu_features", library.path + " needs the CPU features " + missing +
                                     ", which this machine lacks.");
}

// Adds a verdict for each variant and returns the best that fits.
const LibraryEntry* choose_library(const Manifest& manifest, const PluginEntry& plugin,
                                   const Machine& machine, std::vector<Verdict>& verdicts) {
  const LibraryEntry* best = nullptr;
  std::vector<Verdict> refusals;
  for (const LibraryEntry& library : manifest.libraries) {
    if (!plugin.library.empty() && library.name != plugin.library) continue;
    if (auto refusal = variant_refusal(library, machine)) {
      refusals.push_back(std::move(*refusal));
    } else if (best == nullptr || library.score > best->score ||
               (library.score == best->score && library.path < best->path)) {
      best = &library;
    }
  }
  if (best == nullptr) {
    verdicts.insert(verdicts.end(), refusals.begin(), refusals.end());
    return nullptr;
  }
  // A variant that does not fit is no refusal of the pack as long as another one does.
  for (Verdict& refusal : refusals) verdicts.push_back(accept(refusal.rule, refusal.text));
  verdicts.push_back(
      accept("library", best->path + " fits, with score " + std::to_string(best->score) + "."));
  return best;
}

}  // namespace

Choice decide(const Manifest& manifest, const PluginEntry& plugin, const Machine& machine,
              const Policy& policy) {
  Choice choice;
  const auto passes = [&](Verdict verdict) {
    choice.verdicts.push_back(std::move(verdict));
    return choice.verdicts.back().accepted;
  };
  const bool allowed =
      passes(check_enabled(manifest, plugin, policy)) &&
      passes(check_generation(manifest, machine)) && passes(check_minor(manifest, machine)) &&
      passes(check_draft(plugin, policy)) && passes(check_permissions(manifest, plugin, policy)) &&
      passes(check_libtorch(manifest, machine)) && passes(check_device(manifest, machine));
  if (allowed) choice.library = choose_library(manifest, plugin, machine, choice.verdicts);
  return choice;
}

}  // namespace mortise::pack
