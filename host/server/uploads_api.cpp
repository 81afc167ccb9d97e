// /api/v1/uploads and /api/v1/models. See api.h.
#include <algorithm>

#include "base/file_ops.h"
#include "hub/changes.h"
#include "hub/made_files.h"
#include "job/report_page.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

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

// What the check found; it rests sealed with the files.
base::Result<Json> report_of(Api& api, const std::string& domain_id, const std::string& object) {
  MORTISE_ASSIGN(const store::ObjectRef ref, store::parse_object_ref(object));
  MORTISE_ASSIGN(const auto domain, api.hub->domains().open(domain_id));
  MORTISE_ASSIGN(const std::string text, domain->read_all(ref));
  return base::parse_json(text);
}

}  // namespace

Answer list_uploads(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto found, api.hub->uploads().list(page));
  return page_response(found);
}

Answer create_upload(Api& api, Request& request) {
  if (is_tus(request)) return create_transfer(api, request);
  MORTISE_ASSIGN(Json body, request.read_json());
  MORTISE_TRY(check_members(body, {"name", "task_type", "modalities", "description", "labels",
                                   "map", "rows", "max_bad_rows", "tokenizer", "max_length",
                                   "draft", "patch", "format", "change", "parent"}));
  if (body.contains("tokenizer")) {  // a model that is not here is known before anything is sent
    auto model = api.hub->models().resolve(body["tokenizer"].as_string());
    if (!model.ok()) return std::move(model.error().at_field("/tokenizer"));
  }
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

// An upload, or one transfer. The report of its check stands in the result; it rests sealed with
// the files.
Answer show_upload(Api& api, Request& request) {
  const auto found = api.hub->uploads().get(request.parameter("id"));
  if (!found.ok()) {
    if (found.error().code != Code::kNotFound) return found.error();
    MORTISE_ASSIGN(const hub::Transfer transfer,
                   api.hub->transfers().get(request.parameter("id"), request.subject));
    return Response::json(transfer.to_json());
  }
  const hub::Upload& upload = *found;
  Json json = upload.to_json();
  if (!upload.report_ref.empty()) {
    MORTISE_ASSIGN(json["result"]["report"], report_of(api, upload.domain, upload.report_ref));
  }
  return Response::json(json);
}

Answer report_answer(Api& api, const Request& request, const std::string& domain,
                     const std::string& object) {
  const std::string format = request.query_value("format");
  if (!format.empty() && format != "json" && format != "html") {
    return Error(Code::kInvalidArgument, "The report has no format \"" + format + "\".",
                 "Formats are json and html.")
        .at_field("format");
  }
  MORTISE_ASSIGN(const Json report, report_of(api, domain, object));
  if (format != "html") return Response::json(report);
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers.emplace_back("Content-Security-Policy", job::kReportPagePolicy);
  response.body = job::report_page(report);
  return response;
}

// Errors: NOT_FOUND before the check has ended.
Answer show_upload_report(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().get(request.parameter("id")));
  if (upload.report_ref.empty()) return hub::not_found("report of the upload", upload.id);
  return report_answer(api, request, upload.domain, upload.report_ref);
}

Answer delete_upload(Api& api, Request& request) {
  if (is_tus(request)) return delete_transfer(api, request);
  const Status removed = api.hub->uploads().remove(request.parameter("id"));
  if (removed.ok()) return no_content();
  if (removed.error().code == Code::kNotFound) return delete_transfer(api, request);
  return removed.error();
}

Answer list_upload_files(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto files, api.hub->uploads().files(request.parameter("id"), page));
  return names_response(files);
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
  MORTISE_ASSIGN(const auto domain, api.hub->domains().open_to_store(upload.domain));
  MORTISE_ASSIGN(const store::ObjectRef ref, api.hub->uploads().gather_files(upload));
  MORTISE_ASSIGN(const store::NameTable files, store::NameTable::open(domain, ref));
  MORTISE_ASSIGN(hub::PreparedModel prepared, api.hub->models().prepare_upload(*domain, files));
  prepared.name = body.contains("name") ? body["name"].as_string() : upload.name;
  prepared.description = body["description"].as_string();
  prepared.base = body["base"].as_string();
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
    MORTISE_ASSIGN(store::SealedFiles files, hub::files_of_model(*api.hub, model));
    MORTISE_ASSIGN(response.content, file_content(files, base::join_path(model.folder, file.name)));
    return response;
  }
  return hub::not_found("file of the model", name);
}

}  // namespace mortise::server
