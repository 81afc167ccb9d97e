// See cpu_pack.h.
#include "tests/support/cpu_pack.h"

#include <stdexcept>

#include "base/file_ops.h"
#include "plugin/registry.h"

namespace mortise::tests {
namespace {

struct Opened {
  plugin::HostServices services;
  std::unique_ptr<plugin::Registry> registry;
  std::optional<plugin::DeviceOps> ops;
};

base::Status open(Opened& opened) {
  MORTISE_ASSIGN(pack::Search search, pack::usual_search(base::posix_file_ops(), "", false));
  opened.registry = std::make_unique<plugin::Registry>(std::move(search), opened.services);
  MORTISE_ASSIGN(opened.ops, opened.registry->open_device_ops("mortise.device_cpu"));
  return {};
}

}  // namespace

const mortise_device_ops* cpu_pack_ops() {
  static Opened* opened = [] {
    auto* made = new Opened;  // never destroyed: as the worker, which keeps its packs to the end
    if (const base::Status status = open(*made); !status.ok()) {
      throw std::runtime_error(status.error().text());
    }
    return made;
  }();
  return opened->ops->table();
}

}  // namespace mortise::tests
