// One annotation of a Label Studio task as a row.
//
// Called by task_reader.cpp. choices, text areas, numbers and ratings become members named by their
// control; rectangles become objects; other results stay as they are in "regions".
#pragma once

#include <mortise/cpp/json_write.hpp>

#include <string>

namespace mortise::format_labelstudio {

struct Options {
  bool is_norm = false;      // boxes 0..1, not pixels
  std::string media_folder;  // stands before uploaded files
};

// task: {id, data, ...}; annotation: {id, result}, missing for a task without one. Throws
// INVALID_ARGUMENT with the field.
std::string row_of(sdk::Json task, sdk::Json annotation, const Options& options);

}  // namespace mortise::format_labelstudio
