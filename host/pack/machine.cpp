// What this machine is, read from /proc and /sys. See decide.h.
#include <gnu/libc-version.h>

#include <charconv>
#include <sstream>

#include "base/file_ops.h"
#include "mortise/plugin.h"
#include "pack/decide.h"

namespace mortise::pack {
namespace {

std::string read_trimmed(const std::string& path) {
  auto text = base::read_file(base::posix_file_ops(), path, 4096);
  if (!text.ok()) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  return *text;
}

std::set<std::string> read_cpu_features() {
  std::set<std::string> features;
  const auto text = base::read_file(base::posix_file_ops(), "/proc/cpuinfo", 16u << 20);
  if (!text.ok()) return features;
  std::istringstream lines(*text);
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::istringstream words(line.substr(colon + 1));
    std::string word;
    while (words >> word) features.insert(word);
    break;  // all cores of one machine tell the same
  }
  return features;
}

std::vector<PciDevice> read_devices() {
  std::vector<PciDevice> devices;
  const std::string root = "/sys/bus/pci/devices";
  const auto entries = base::posix_file_ops().list(root);
  if (!entries.ok()) return devices;
  const auto hex = [](const std::string& text) {
    return text.starts_with("0x") ? text.substr(2) : text;
  };
  for (const base::FileInfo& entry : *entries) {
    const std::string folder = base::join_path(root, entry.name);
    devices.push_back(
        {hex(read_trimmed(folder + "/vendor")), hex(read_trimmed(folder + "/class"))});
  }
  return devices;
}

std::vector<Module> read_modules() {
  std::vector<Module> modules;
  const std::string root = "/sys/module";
  const auto entries = base::posix_file_ops().list(root);
  if (!entries.ok()) return modules;
  for (const base::FileInfo& entry : *entries) {
    modules.push_back({entry.name, read_trimmed(root + "/" + entry.name + "/version")});
  }
  return modules;
}

Machine read_machine() {
  Machine machine;
#if defined(__x86_64__)
  machine.platform = "linux_amd64_";
#elif defined(__aarch64__)
  machine.platform = "linux_arm64_";
#else
  machine.platform = "linux_other_";
#endif
  machine.platform += "glibc";
  const std::string version = gnu_get_libc_version();  // "2.36"
  if (const size_t dot = version.find('.'); dot != std::string::npos) {
    std::from_chars(version.data() + dot + 1, version.data() + version.size(), machine.glibc_minor);
  }
  machine.cpu_features = read_cpu_features();
  machine.devices = read_devices();
  machine.modules = read_modules();
  machine.abi_generation = MORTISE_ABI_GENERATION;
  machine.abi_minor = MORTISE_ABI_MINOR;
  return machine;
}

}  // namespace

const Machine& this_machine() {
  static const Machine machine = read_machine();
  return machine;
}

}  // namespace mortise::pack
