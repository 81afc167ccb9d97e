// See export.h.
#include "export/export.h"

#include <algorithm>

#include "engine/lora/adapter.h"
#include "engine/model/model.h"
#include "engine/weights/checkpoint.h"
#include "job/manifest.h"

namespace mortise::exporting {

using base::Code;
using base::Error;
using base::Status;

namespace {

constexpr size_t kCopyBytes = 1 << 20;

Status copy_file(base::FileOps& files, const std::string& from, const std::string& to) {
  MORTISE_ASSIGN(auto source, files.open(from, base::OpenMode::kRead));
  MORTISE_ASSIGN(auto target, files.open(to, base::OpenMode::kCreateNew));
  std::vector<std::byte> buffer(kCopyBytes);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, source->read_at(offset, buffer));
    MORTISE_TRY(target->write(std::span(buffer).first(got)));
    offset += got;
    if (got < buffer.size()) break;
  }
  MORTISE_TRY(target->sync());
  return target->close();
}

bool is_weights(const std::string& name) {
  return name.ends_with(".safetensors") || name == "model.safetensors.index.json";
}

Status export_peft(base::FileOps& files, const ExportRequest& request) {
  if (request.adapter_folder.empty()) {
    return Error(Code::kInvalidArgument, "The model has no adapter, so there is no PEFT export.",
                 "Export it with --format hf.");
  }
  return copy_files(files, request.adapter_folder, request.output_folder, {});
}

Status export_hf(base::FileOps& files, const ExportRequest& request) {
  if (request.adapter_folder.empty()) {
    return copy_files(files, request.model_folder, request.output_folder, {});
  }
  MORTISE_ASSIGN(const auto model, engine::load_model(files, request.model_folder));
  MORTISE_ASSIGN(const auto adapter, engine::Adapter::load(files, request.adapter_folder, *model));
  MORTISE_TRY(adapter->merge());
  MORTISE_ASSIGN(const auto entries, files.list(request.model_folder));
  std::vector<std::string> replaced;  // weights, and how pictures are prepared if training said
  for (const base::FileInfo& entry : entries) {
    if (is_weights(entry.name)) replaced.push_back(entry.name);
  }
  for (const char* name : {"preprocessor_config.json", "video_preprocessor_config.json"}) {
    const std::string own = base::join_path(request.adapter_folder, name);
    MORTISE_ASSIGN(const bool is_there, files.exists(own));
    if (!is_there) continue;
    MORTISE_TRY(copy_file(files, own, base::join_path(request.output_folder, name)));
    replaced.emplace_back(name);
  }
  MORTISE_TRY(copy_files(files, request.model_folder, request.output_folder, replaced));
  return engine::save_checkpoint(files, request.output_folder, engine::tensors_on_disk(*model));
}

}  // namespace

Status copy_files(base::FileOps& files, const std::string& from, const std::string& to,
                  const std::vector<std::string>& left_out) {
  MORTISE_ASSIGN(const auto entries, files.list(from));
  for (const base::FileInfo& entry : entries) {
    const bool is_left = std::find(left_out.begin(), left_out.end(), entry.name) != left_out.end();
    if (entry.is_folder || is_left) continue;
    MORTISE_TRY(
        copy_file(files, base::join_path(from, entry.name), base::join_path(to, entry.name)));
  }
  return files.sync_folder(to);
}

Status export_model(base::FileOps& files, const ExportRequest& request) {
  MORTISE_TRY(job::check_export(request.format, request.quantize));
  MORTISE_TRY(base::make_folders(files, request.output_folder));
  return request.format == "peft" ? export_peft(files, request) : export_hf(files, request);
}

}  // namespace mortise::exporting
