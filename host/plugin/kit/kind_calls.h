// Small calls that every kind has in its own table: making an instance of a given configuration,
// ending nothing, and one sure error. Used by the checks that hold for every plugin.
#pragma once

#include <mortise/status.h>

#include <string>

#include "base/result.h"
#include "plugin/kit/case.h"

namespace mortise::plugin::kit {

// Makes an instance from the raw text of a configuration and ends it again; gives the code. OK for
// kinds without a configuration.
base::Result<mortise_status> create_with(Case& at, const Plugin& plugin, std::string_view config,
                                         mortise_error* error);

// Calls every ender with NULL.
base::Status end_nothing(const Plugin& plugin);

// Calls something with an input that no plugin of the kind may take: a damaged state, text that is
// no UTF-8, a missing file, a label out of range, an unknown operation. Gives the code.
base::Result<mortise_status> provoke(Case& at, const std::shared_ptr<Plugin>& plugin,
                                     mortise_error* error);

// Calls with a sink that refuses at once; gives the code of the call. NOT_FOUND as an error when
// the kind has no such call.
base::Result<mortise_status> call_with_refusing_sink(Case& at,
                                                     const std::shared_ptr<Plugin>& plugin);

// Where the tokenizer of the samples lies, by the names that are granted: "uri" of x-conformance,
// or what the plugin's trainer made of a few sentences. Errors: NOT_FOUND when there is neither.
base::Result<std::string> tokenizer_uri(Case& at, const std::shared_ptr<Plugin>& plugin);

// The first sample file of a format. Errors: NOT_FOUND.
base::Result<SampleFile> format_sample(const Case& at);

}  // namespace mortise::plugin::kit
