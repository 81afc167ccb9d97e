// wrap_table for every known table, compiled once in wrap_kinds.cpp and wrap_devices.cpp. Called by
// plugin.h.
#pragma once

#include <string>

#include "base/result.h"

namespace mortise::plugin {

// The host's own table in place of the plugin's `raw` one, which must be readable for its
// struct_size. Errors: INVALID_ARGUMENT; RESOURCE_EXHAUSTED. See Plugin::get_interface.
template <class Table>
base::Result<const Table*> wrap_table(const void* raw, const std::string& label,
                                      const std::string& interface_id, bool is_guarded);

}  // namespace mortise::plugin
