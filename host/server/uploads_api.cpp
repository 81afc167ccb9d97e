// /api/v1/uploads and /api/v1/models. See api.h.
#include <algorithm>
#include <optional>

#include "base/file_ops.h"
#include "server/api.h"
#include "store/tar_reader.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

constexpr uint64_t kFileBytesMax = UINT64_C(1) << 40;

// "X-Content-SHA256: hex" of the client, compared with what arrived.
Status check_digest(const Request& request, const store::BlobRef& blob) {
  const std::string claimed = request.header("x-content-sha256");
  if (claimed.empty() || "sha256:" + claimed == blob.digest) return {};
  Error error(
      Code::kDataLoss,
      "The bytes that arrived have " + blob.digest + ", X-Content-SHA256 says " + claimed + ".",
      "Send the file again; nothing of it was kept.");
  return error.with("status", "460");
}

Json files_to_json(const std::map<std::string, store::BlobRef>& files) {
  Json items = Json::array();
  for (const auto& [name, blob] : files) {
    items.push_back(
        Json::object({{"name", name}, {"digest", blob.digest}, {"size_bytes", blob.size_bytes}}));
  }
  return items;
}

base::Result<hub::Upload> open_upload(Api& api, const Request& request) {
  MORTISE_ASSIGN(hub::Upload upload, api.hub->uploads().get(request.parameter("id")));
  if (upload.state == "open" || upload.state == "failed") return upload;
  return Error(Code::kFailedPrecondition,
               "The upload " + upload.id + " is " + upload.state + " and takes no files.",
               "Start a new upload.");
}

Status check_members(const Json& body, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : body.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Error(Code::kInvalidArgument, "This member is not known here.",
                   "Look it up in /openapi.yaml.")
          .at_field("/" + key);
    }
  }
  return {};
}

}  // namespace

Answer list_uploads(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto found, api.hub->uploads().list(page));
  return page_response(found);
}

Answer create_upload(Api& api, Request& request) {
  MORTISE_ASSIGN(Json body, request.read_json());
  MORTISE_TRY(check_members(body, {"name", "task_type", "modalities", "description", "labels",
                                   "map", "rows", "max_bad_rows", "draft", "patch", "format"}));
  const std::string name = body["name"].as_string();
  body.erase("name");
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().create(name, body));
  Response response = Response::json(upload.to_json(), 201);
  response.headers.emplace_back("Location", "/api/v1/uploads/" + upload.id);
  return response;
}

Answer show_upload(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().get(request.parameter("id")));
  return Response::json(upload.to_json());
}

Answer delete_upload(Api& api, Request& request) {
  MORTISE_TRY(api.hub->uploads().remove(request.parameter("id")));
  return no_content();
}

Answer list_upload_files(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().get(request.parameter("id")));
  MORTISE_ASSIGN(const auto files, api.hub->uploads().files(upload.id));
  return Response::json(Json::object({{"items", files_to_json(files)}, {"next_cursor", Json()}}));
}

// The body goes to the disk as it comes; the answer is given once it is safe there.
Answer put_upload_file(Api& api, Request& request) {
  const std::string name = request.parameter("name");
  MORTISE_TRY(base::check_relative_path(name));
  MORTISE_ASSIGN(const hub::Upload upload, open_upload(api, request));
  MORTISE_ASSIGN(store::BlobWriter writer, api.hub->blobs().begin());
  MORTISE_TRY(request.body->read(kFileBytesMax,
                                 [&writer](base::ByteView piece) { return writer.write(piece); }));
  MORTISE_ASSIGN(const store::BlobRef blob, writer.commit());
  MORTISE_TRY(check_digest(request, blob));
  MORTISE_TRY(api.hub->uploads().put_file(upload.id, name, blob));
  return Response::json(
      Json::object({{"name", name}, {"digest", blob.digest}, {"size_bytes", blob.size_bytes}}));
}

// A tar stream: every file of it becomes a file of the upload, all or none.
Answer put_upload_bundle(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Upload upload, open_upload(api, request));
  std::map<std::string, store::BlobRef> files;
  std::optional<store::BlobWriter> writer;
  std::string name;
  store::TarReader reader({.begin_file = [&](const std::string& begun, uint64_t) -> Status {
                             name = begun;
                             MORTISE_ASSIGN(auto made, api.hub->blobs().begin());
                             writer.emplace(std::move(made));
                             return {};
                           },
                           .data = [&](base::ByteView piece) { return writer->write(piece); },
                           .end_file = [&]() -> Status {
                             MORTISE_ASSIGN(files[name], writer->commit());
                             writer.reset();
                             return {};
                           }});
  MORTISE_TRY(
      request.body->read(kFileBytesMax, [&](base::ByteView piece) { return reader.take(piece); }));
  MORTISE_TRY(reader.finish());
  MORTISE_TRY(api.hub->uploads().put_files(upload.id, files));
  MORTISE_ASSIGN(const hub::Upload after, api.hub->uploads().get(upload.id));
  return Response::json(after.to_json());
}

Answer delete_upload_file(Api& api, Request& request) {
  MORTISE_TRY(api.hub->uploads().remove_file(request.parameter("id"), request.parameter("name")));
  return no_content();
}

Answer commit_upload(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->uploads().begin_check(request.parameter("id")));
  Response response = Response::json(job.to_json(), 202);
  response.headers.emplace_back("Location", "/api/v1/jobs/" + job.id);
  return response;
}

Answer list_models(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto found, api.hub->models().list(request.query_value("q"), page));
  return page_response(found);
}

// A model from the files of an upload, which is over with it.
Answer create_model(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  MORTISE_TRY(check_members(body, {"name", "upload", "description", "base"}));
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().get(body["upload"].as_string()));
  if (upload.state != "open") {
    return Error(Code::kFailedPrecondition, "The upload " + upload.id + " is " + upload.state + ".",
                 "Start a new upload.");
  }
  MORTISE_ASSIGN(const auto files, api.hub->uploads().files(upload.id));
  MORTISE_ASSIGN(hub::PreparedModel prepared,
                 api.hub->models().prepare_upload(files, api.hub->blobs()));
  prepared.name = body.contains("name") ? body["name"].as_string() : upload.name;
  prepared.description = body["description"].as_string();
  prepared.base = body["base"].as_string();
  if (prepared.kind == "adapter" && prepared.base.empty()) {
    api.hub->models().discard(prepared);
    return Error(Code::kInvalidArgument, "An adapter needs the model that it belongs to.",
                 "Name it as base, as in \"base\": \"chest-base@1\".")
        .at_field("/base");
  }
  MORTISE_ASSIGN(const hub::Model model, api.hub->models().import(std::move(prepared)));
  MORTISE_TRY(api.hub->uploads().remove(upload.id));
  Response response = Response::json(model.to_json(), 201);
  response.headers.emplace_back("Location", "/api/v1/models/" + model.reference());
  return response;
}

Answer show_model(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Model model, api.hub->models().resolve(request.parameter("reference")));
  return Response::json(model.to_json());
}

Answer delete_model(Api& api, Request& request) {
  MORTISE_TRY(api.hub->models().remove(request.parameter("reference")));
  return no_content();
}

Answer download_model_file(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Model model, api.hub->models().resolve(request.parameter("reference")));
  const std::string name = request.parameter("name");
  for (const job::Artifact& file : model.files) {
    if (file.name != name) continue;
    Response response;
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("X-Content-SHA256", file.sha256);
    response.file_path = base::join_path(model.folder, file.name);
    return response;
  }
  return hub::not_found("file of the model", name);
}

}  // namespace mortise::server
