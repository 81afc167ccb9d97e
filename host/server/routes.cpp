// See routes.h.
#include "server/routes.h"

namespace mortise::server {
namespace {

using enum Verb;
using enum Object;

constexpr Route kRoutes[] = {
    {"GET", "/healthz", healthz, kPublic, kServer},
    {"GET", "/readyz", readyz, kPublic, kServer},
    {"GET", "/openapi.yaml", openapi, kPublic, kServer},
    {"GET", "/metrics", metrics, kRead, kServer},
    {"GET", "/api/v1/session", show_server, kRead, kServer},

    {"GET", "/api/v1/datasets", list_datasets, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}", show_dataset, kRead, kDataset},
    {"PATCH", "/api/v1/datasets/{reference}", change_dataset, kWrite, kDataset},
    {"DELETE", "/api/v1/datasets/{reference}", delete_dataset, kDelete, kDataset},
    {"GET", "/api/v1/datasets/{reference}/versions", list_versions, kRead, kDataset},
    {"POST", "/api/v1/datasets/{reference}/versions", create_version, kWrite, kDataset},
    {"POST", "/api/v1/datasets/{reference}/release", release_version, kWrite, kDataset},
    {"POST", "/api/v1/datasets/{reference}/withdraw", withdraw_version, kWrite, kDataset},
    {"POST", "/api/v1/datasets/{reference}/restore", restore_version, kWrite, kDataset},
    {"GET", "/api/v1/datasets/{reference}/report", show_version_report, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/rows", list_rows, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/rows.jsonl", download_rows, kRead, kDataset},
    {"POST", "/api/v1/datasets/{reference}/search", search_version, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/media", list_media, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/media/{name...}", download_media, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/originals", list_originals, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/originals/{name...}", download_original, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/diff", diff_datasets, kRead, kDataset},
    {"GET", "/api/v1/datasets/{reference}/lineage", show_lineage, kRead, kDataset},

    {"OPTIONS", "/api/v1/uploads", tus_options, kPublic, kUpload},
    {"GET", "/api/v1/uploads", list_uploads, kRead, kUpload},
    {"POST", "/api/v1/uploads", create_upload, kWrite, kUpload},
    {"OPTIONS", "/api/v1/uploads/{id}", tus_options, kPublic, kUpload},
    {"HEAD", "/api/v1/uploads/{id}", head_transfer, kWrite, kUpload},
    {"PATCH", "/api/v1/uploads/{id}", patch_transfer, kWrite, kUpload},
    {"GET", "/api/v1/uploads/{id}", show_upload, kRead, kUpload},
    {"GET", "/api/v1/uploads/{id}/report", show_upload_report, kRead, kUpload},
    {"DELETE", "/api/v1/uploads/{id}", delete_upload, kDelete, kUpload},
    {"GET", "/api/v1/uploads/{id}/files", list_upload_files, kRead, kUpload},
    {"POST", "/api/v1/uploads/{id}/files", add_stored_file, kWrite, kUpload},
    {"DELETE", "/api/v1/uploads/{id}/files/{name...}", delete_upload_file, kWrite, kUpload},
    {"POST", "/api/v1/uploads/{id}/commit", commit_upload, kWrite, kUpload},

    {"POST", "/api/v1/store/{verb}", care_for_store, kWrite, kServer},

    {"GET", "/api/v1/models", list_models, kRead, kModel},
    {"POST", "/api/v1/models", create_model, kWrite, kModel},
    {"GET", "/api/v1/models/{reference}", show_model, kRead, kModel},
    {"DELETE", "/api/v1/models/{reference}", delete_model, kDelete, kModel},
    {"GET", "/api/v1/models/{reference}/files/{name...}", download_model_file, kRead, kModel},

    {"GET", "/api/v1/jobs", list_jobs, kRead, kJob},
    {"POST", "/api/v1/jobs", create_job, kWrite, kJob},
    {"GET", "/api/v1/jobs/{id}", show_job, kRead, kJob},
    {"POST", "/api/v1/jobs/{id}/cancel", cancel_job, kWrite, kJob},
    {"POST", "/api/v1/jobs/{id}/resume", resume_job, kWrite, kJob},
    {"GET", "/api/v1/jobs/{id}/events", follow_job, kRead, kJob},
    {"GET", "/api/v1/jobs/{id}/log", show_log, kRead, kJob},
    {"GET", "/api/v1/jobs/{id}/metrics", list_metrics, kRead, kJob},
    {"GET", "/api/v1/jobs/{id}/artifacts", list_artifacts, kRead, kJob},
    {"GET", "/api/v1/jobs/{id}/artifacts/{name...}", download_artifact, kRead, kJob},

    {"GET", "/api/v1/endpoints", list_endpoints, kRead, kEndpoint},
    {"POST", "/api/v1/endpoints", create_endpoint, kWrite, kEndpoint},
    {"GET", "/api/v1/endpoints/{name}", show_endpoint, kRead, kEndpoint},
    {"DELETE", "/api/v1/endpoints/{name}", delete_endpoint, kDelete, kEndpoint},

    {"GET", "/v1/models", openai_models, kUse, kEndpoint},
    {"GET", "/v1/models/{name}", openai_model, kUse, kEndpoint},
    {"POST", "/v1/chat/completions", openai_chat, kUse, kEndpoint},

    {"GET", "/v1/files", list_stored_files, kRead, kUpload},
    {"POST", "/v1/files", create_file, kWrite, kUpload},
    {"GET", "/v1/files/{id}", show_file, kRead, kUpload},
    {"DELETE", "/v1/files/{id}", delete_file, kDelete, kUpload},
    {"GET", "/v1/files/{id}/content", download_file, kRead, kUpload},
    {"POST", "/v1/uploads", create_assembly, kWrite, kUpload},
    {"POST", "/v1/uploads/{id}/parts", create_part, kWrite, kUpload},
    {"POST", "/v1/uploads/{id}/complete", complete_assembly, kWrite, kUpload},
    {"POST", "/v1/uploads/{id}/cancel", cancel_assembly, kWrite, kUpload},
};

std::string_view next_part(std::string_view& rest) {
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view part = rest.substr(0, slash);
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  return part;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

bool match_path(std::string_view path_template, std::string_view path,
                std::map<std::string, std::string>& parameters) {
  parameters.clear();
  if (path.empty() || path[0] != '/') return false;
  path_template.remove_prefix(1);
  path.remove_prefix(1);
  const bool ends_open = path.ends_with('/');
  while (!path_template.empty()) {
    const std::string_view wanted = next_part(path_template);
    if (path.empty()) return false;
    if (wanted.ends_with("...}")) {
      parameters[std::string(wanted.substr(1, wanted.size() - 5))] = std::string(path);
      return true;
    }
    const std::string_view part = next_part(path);
    if (wanted.starts_with('{')) {
      if (part.empty()) return false;
      parameters[std::string(wanted.substr(1, wanted.size() - 2))] = std::string(part);
    } else if (wanted != part) {
      return false;
    }
  }
  return path.empty() && !ends_open;
}

base::Result<const Route*> find_route(Request& request) {
  const Route* found = nullptr;
  std::string allowed;
  for (const Route& route : kRoutes) {
    std::map<std::string, std::string> parameters;
    if (!match_path(route.path, request.path, parameters)) continue;
    const bool is_own = route.method == request.method;
    if (is_own || (found == nullptr && request.method == "HEAD" && route.method == "GET")) {
      request.parameters = std::move(parameters);
      found = &route;
      if (is_own) return found;
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (found != nullptr) return found;
  if (allowed.empty()) {
    return base::Error(base::Code::kNotFound, "There is nothing at " + request.path + ".",
                       "/openapi.yaml lists all paths.");
  }
  base::Error error(base::Code::kInvalidArgument,
                    request.path + " does not take " + request.method + ", only " + allowed + ".");
  return error.with("status", "405").with("allow", allowed);
}

}  // namespace mortise::server
