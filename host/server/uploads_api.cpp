// /api/v1/uploads and /api/v1/models. See api.h.
#include <algorithm>
#include <optional>

#include "base/file_ops.h"
#include "hub/changes.h"
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
Status check_digest(const Request& request, const std::string& sha256) {
  const std::string claimed = request.header("x-content-sha256");
  if (claimed.empty() || claimed == sha256) return {};
  Error error(
      Code::kDataLoss,
      "The bytes that arrived have SHA-256 " + sha256 + ", X-Content-SHA256 says " + claimed + ".",
      "Send the file again; nothing of it was kept.");
  return error.with("status", "460");
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
  MORTISE_TRY(check_members(
      body, {"name", "task_type", "modalities", "description", "labels", "map", "rows",
             "max_bad_rows", "draft", "patch", "format", "change", "parent"}));
  const bool is_change = body.contains("change") || body.contains("parent");
  hub::ChangeOptions change;
  change.dataset = body["name"].as_string();
  if (is_change) {
    change.kind = body["change"].as_string();
    change.parent = body["parent"].as_string();
  }
  body.erase("name");
  change.options = body;
  MORTISE_ASSIGN(const hub::Upload upload, is_change
                                               ? hub::begin_change(*api.hub, change)
                                               : api.hub->uploads().create(change.dataset, body));
  Response response = Response::json(upload.to_json(), 201);
  response.headers.emplace_back("Location", "/api/v1/uploads/" + upload.id);
  return response;
}

// The report of its check stands in the result; it rests sealed with the files.
Answer show_upload(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().get(request.parameter("id")));
  Json json = upload.to_json();
  if (!upload.report_ref.empty()) {
    MORTISE_ASSIGN(const store::ObjectRef ref, store::parse_object_ref(upload.report_ref));
    MORTISE_ASSIGN(const auto domain, api.hub->domains().open(upload.domain));
    MORTISE_ASSIGN(const std::string text, domain->read_all(ref));
    MORTISE_ASSIGN(json["result"]["report"], base::parse_json(text));
  }
  return Response::json(json);
}

Answer delete_upload(Api& api, Request& request) {
  MORTISE_TRY(api.hub->uploads().remove(request.parameter("id")));
  return no_content();
}

Answer list_upload_files(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto files, api.hub->uploads().files(request.parameter("id"), page));
  return names_response(files);
}

// The body is sealed as it comes; the answer is given once it is safe on the disk.
Answer put_upload_file(Api& api, Request& request) {
  const std::string name = request.parameter("name");
  MORTISE_TRY(base::check_relative_path(name));
  MORTISE_ASSIGN(const hub::Upload upload, open_upload(api, request));
  MORTISE_ASSIGN(const auto domain, api.hub->domains().open(upload.domain));
  store::ObjectWriter writer = domain->begin();
  base::Sha256 hash;
  MORTISE_TRY(request.body->read(kFileBytesMax, [&](base::ByteView piece) {
    hash.update(piece);
    return writer.write(piece);
  }));
  const std::string sha256 = base::to_hex(hash.finish());
  MORTISE_TRY(check_digest(request, sha256));
  MORTISE_ASSIGN(const store::ObjectRef file, writer.finish());
  MORTISE_TRY(domain->sync());
  MORTISE_TRY(api.hub->uploads().put_file(upload.id, name, file));
  return Response::json(
      Json::object({{"name", name},
                    {"object", to_text(file)},
                    {"digest", "sha256:" + sha256},  // of what arrived; it is kept nowhere
                    {"size_bytes", file.size_bytes}}));
}

// A tar stream: every file of it becomes a file of the upload, all or none.
Answer put_upload_bundle(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Upload upload, open_upload(api, request));
  MORTISE_ASSIGN(const auto domain, api.hub->domains().open(upload.domain));
  std::vector<store::NamedObject> files;
  std::optional<store::ObjectWriter> writer;
  store::TarReader reader({.begin_file = [&](const std::string& name, uint64_t) -> Status {
                             files.push_back({name, {}});
                             writer.emplace(domain->begin());
                             return {};
                           },
                           .data = [&](base::ByteView piece) { return writer->write(piece); },
                           .end_file = [&]() -> Status {
                             MORTISE_ASSIGN(files.back().ref, writer->finish());
                             return {};
                           }});
  MORTISE_TRY(
      request.body->read(kFileBytesMax, [&](base::ByteView piece) { return reader.take(piece); }));
  MORTISE_TRY(reader.finish());
  MORTISE_ASSIGN(const store::NamesWritten table, store::write_names(domain, std::move(files)));
  MORTISE_TRY(domain->sync());
  MORTISE_TRY(api.hub->uploads().put_table(upload.id, table.ref, table.count, table.content_bytes));
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
  MORTISE_ASSIGN(const auto domain, api.hub->domains().open(upload.domain));
  MORTISE_ASSIGN(const store::ObjectRef ref, api.hub->uploads().gather_files(upload));
  MORTISE_ASSIGN(const store::NameTable files, store::NameTable::open(domain, ref));
  MORTISE_ASSIGN(hub::PreparedModel prepared, api.hub->models().prepare_upload(*domain, files));
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
    MORTISE_ASSIGN(response.content, file_content(base::join_path(model.folder, file.name)));
    return response;
  }
  return hub::not_found("file of the model", name);
}

}  // namespace mortise::server
