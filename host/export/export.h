// A trained model in the layouts that others read: the PEFT adapter as it is, or a Hugging Face
// checkpoint with the adapter merged in. Called by the worker. Knows nothing of jobs or of stores.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::exporting {

struct ExportRequest {
  std::string format;          // peft | hf; onnx, onnx-ort and gguf answer UNIMPLEMENTED
  std::string quantize;        // none; int8 and int4 answer UNIMPLEMENTED
  std::string model_folder;    // Hugging Face layout
  std::string adapter_folder;  // PEFT layout; empty: none
  std::string base_name;       // written into the adapter's config; empty: as it says
  std::string output_folder;   // made when absent
};

// Writes the export durably. Errors: INVALID_ARGUMENT for peft without an adapter; UNIMPLEMENTED
// naming the format that this build does not write; what reading and merging give.
base::Status export_model(base::FileOps& files, const ExportRequest& request);

// Copies every plain file of a folder, not of its subfolders, whose name is not in `left_out`.
base::Status copy_files(base::FileOps& files, const std::string& from, const std::string& to,
                        const std::vector<std::string>& left_out);

}  // namespace mortise::exporting
