// One ordinary use of a plugin from making an instance to ending it, whatever its kind. The checks
// that hold for every plugin (same bytes twice, failing memory, cancel, leaks, threads) are made of
// it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "plugin/kit/case.h"
#include "plugin/plugin.h"

namespace mortise::plugin::kit {

// Everything the plugin answered, as text that can be compared. Errors: what the plugin says.
base::Result<std::string> exercise(Case& at, const std::shared_ptr<Plugin>& plugin);

// By kind; each in the file of its checks.
base::Result<std::string> exercise_metric(Case& at, const std::shared_ptr<Plugin>& plugin);
base::Result<std::string> exercise_tokenizer(Case& at, const std::shared_ptr<Plugin>& plugin);
base::Result<std::string> exercise_format(Case& at, const std::shared_ptr<Plugin>& plugin);
base::Result<std::string> exercise_loss(Case& at, const std::shared_ptr<Plugin>& plugin);
base::Result<std::string> exercise_preference(Case& at, const std::shared_ptr<Plugin>& plugin);
base::Result<std::string> exercise_device(Case& at, const std::shared_ptr<Plugin>& plugin);

// The host's table for an id, made and thrown away. Errors: of Plugin::get_interface.
base::Status wrap_any(const Plugin& plugin, const std::string& interface_id);

}  // namespace mortise::plugin::kit
