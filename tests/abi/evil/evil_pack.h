// The table of faults, and the making of an evil pack from a healthy example.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "plugin/kit/kit.h"

namespace mortise::plugin::kit {

struct Evil {
  const char* fault;    // what stands in the pack's file "fault"
  const char* example;  // the healthy pack that it is made of
  const char* library;  // evil_<kind>
  const char* check;    // the check that must find it
  State state;          // and how
  const char* words;    // a part of the message
  // Changes the manifest, or the folder after the manifest was written; may be nullptr.
  void (*edit_manifest)(base::Json& manifest);
  void (*edit_folder)(const std::string& root);
};

const std::vector<Evil>& all_evils();

// Makes the pack in `root`, a new folder.
void make_evil_pack(const Evil& evil, const std::string& root);

}  // namespace mortise::plugin::kit
