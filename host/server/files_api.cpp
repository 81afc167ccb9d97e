// OpenAI's Files and Uploads over transfers: what they store is sealed, and can be the rows of a
// data set (POST /api/v1/uploads/{id}/files). See api.h.
#include <algorithm>

#include "server/multipart.h"
#include "server/receive.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr size_t kFieldBytesMax = 4096;
constexpr uint64_t kPartBytesMax = 64u << 20;
constexpr uint64_t kFormBytesMax = 1u << 20;  // of what surrounds the file
constexpr std::string_view kPurposes[] = {"assistants", "batch",     "fine-tune",
                                          "vision",     "user_data", "evals"};

Error wrong(const char* param, std::string message) {
  return Error(Code::kInvalidArgument, std::move(message)).at_field(param);
}

Status check_purpose(const std::string& purpose) {
  if (std::ranges::find(kPurposes, purpose) != std::end(kPurposes)) return {};
  return wrong("purpose", "The purpose is " + base::json_quote(purpose) +
                              ", it must be assistants, batch, fine-tune, vision, user_data or"
                              " evals.");
}

Json file_json(const hub::Transfer& file) {
  return Json::object({{"id", "file-" + file.id},
                       {"object", "file"},
                       {"bytes", file.size_bytes},
                       {"created_at", file.created_ns / 1'000'000'000},
                       {"expires_at", Json()},
                       {"filename", file.name},
                       {"purpose", file.purpose},
                       {"status", "processed"}});
}

Json upload_json(const hub::Transfer& upload, const char* status) {
  Json json = Json::object({{"id", "upload_" + upload.id},
                            {"object", "upload"},
                            {"bytes", upload.size_bytes},
                            {"created_at", upload.created_ns / 1'000'000'000},
                            {"expires_at", upload.expires_ns / 1'000'000'000},
                            {"filename", upload.name},
                            {"purpose", upload.purpose},
                            {"status", status}});
  if (upload.state == "complete") json["file"] = file_json(upload);
  return json;
}

// The transfer of an id such as "file-..." or "upload_...".
Result<hub::Transfer> named(Api& api, const Request& request, const std::string& text,
                            std::string_view prefix) {
  const char* what = prefix == "file-" ? "file" : "upload";
  if (!text.starts_with(prefix)) return hub::not_found(what, text);
  auto found = api.hub->transfers().get(text.substr(prefix.size()), request.subject);
  if (found.ok() || found.error().code != Code::kNotFound) return found;
  return hub::not_found(what, text);  // 404 for what was deleted, too
}

Result<hub::Transfer> file_named(Api& api, const Request& request, const std::string& text) {
  MORTISE_ASSIGN(hub::Transfer file, named(api, request, text, "file-"));
  const bool is_file = file.state == "complete" && file.kind != "partial" && file.upload_id.empty();
  if (!is_file) return hub::not_found("file", text);
  return file;
}

Result<hub::Transfer> pending_upload(Api& api, const Request& request) {
  MORTISE_ASSIGN(hub::Transfer upload, named(api, request, request.parameter("id"), "upload_"));
  if (upload.kind != "assembly") return hub::not_found("upload", request.parameter("id"));
  if (upload.state == "open") return upload;
  return Error(Code::kFailedPrecondition, "The upload is " + upload.state + " already.");
}

// A form with one file: sealed as it comes, durable when this returns. fields: the others.
struct Form {
  std::shared_ptr<store::Domain> domain;  // until a row names the file
  std::map<std::string, std::string> fields = {};
  std::string filename = {};
  store::ObjectRef file = {};
  bool has_file = false;
};

Result<Form> read_form(Api& api, Request& request, const char* file_field, uint64_t bytes_max) {
  MORTISE_ASSIGN(const std::string id, api.hub->transfers().domain_of_files(request.subject));
  MORTISE_ASSIGN(const auto domain, api.hub->domains().open_to_store(id));
  Form form{.domain = domain};
  std::optional<store::ObjectWriter> writer;
  std::string* field = nullptr;
  FormHooks hooks;
  hooks.begin_part = [&](const std::string& name, const std::string& filename) -> Status {
    if (name != file_field) {
      field = &form.fields[name];
      field->clear();
      return {};
    }
    if (form.has_file) return wrong(file_field, "The form has more than one file.");
    form.has_file = true;
    form.filename = filename;
    writer.emplace(domain->begin());
    return {};
  };
  hooks.data = [&](base::ByteView piece) -> Status {
    if (writer) return writer->write(piece);
    if (field->size() + piece.size() > kFieldBytesMax) {
      return wrong("", "A field of the form is longer than 4 KiB.");
    }
    field->append(base::as_text(piece));
    return {};
  };
  hooks.end_part = [&]() -> Status {
    if (!writer) return {};
    MORTISE_ASSIGN(form.file, writer->finish());
    writer.reset();
    return {};
  };
  MORTISE_ASSIGN(FormReader reader,
                 FormReader::begin(request.header("content-type"), std::move(hooks)));
  MORTISE_TRY(request.body->read(bytes_max + kFormBytesMax,
                                 [&reader](base::ByteView piece) { return reader.take(piece); }));
  MORTISE_TRY(reader.finish());
  if (!form.has_file) {
    return wrong(file_field, std::string("The form has no part named ") + file_field + ".");
  }
  MORTISE_TRY(domain->sync());
  return form;
}

Status check_fields(const Form& form, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : form.fields) {
    if (std::ranges::find(known, name) == known.end()) {
      return wrong(name.c_str(), "The field " + base::json_quote(name) + " is not served here.");
    }
  }
  return {};
}

}  // namespace

Answer create_file(Api& api, Request& request) {
  MORTISE_ASSIGN(const uint64_t room, room_bytes(api));
  if (request.body->size_bytes() > room) {
    return Error(Code::kResourceExhausted, "The disk of the server has no room for this file.");
  }
  MORTISE_ASSIGN(const Form form, read_form(api, request, "file", kTransferBytesMax));
  MORTISE_TRY(check_fields(form, {"purpose"}));
  const auto purpose = form.fields.find("purpose");
  hub::Transfer wanted;
  wanted.owner = request.subject;
  wanted.kind = "file";
  wanted.name = form.filename;
  wanted.purpose = purpose == form.fields.end() ? "" : purpose->second;
  MORTISE_TRY(check_purpose(wanted.purpose));
  MORTISE_ASSIGN(const hub::Transfer made,
                 api.hub->transfers().keep(std::move(wanted), {form.file}, UINT64_MAX));
  return Response::json(file_json(made));
}

Answer list_stored_files(Api& api, Request& request) {
  hub::FilesRequest wanted;
  MORTISE_ASSIGN(wanted.limit, request.query_integer("limit", 10'000, 1, 10'000));
  wanted.purpose = request.query_value("purpose");
  wanted.is_oldest_first = request.query_value("order") == "asc";
  if (const std::string after = request.query_value("after"); !after.empty()) {
    MORTISE_ASSIGN(const hub::Transfer last, file_named(api, request, after));
    wanted.after = last.id;
  }
  const auto limit = static_cast<size_t>(wanted.limit++);  // one more says whether there is more
  MORTISE_ASSIGN(const auto files, api.hub->transfers().files(request.subject, wanted));
  Json data = Json::array();
  for (size_t i = 0; i < std::min(files.size(), limit); ++i) data.push_back(file_json(files[i]));
  const size_t count = data.size();
  return Response::json(Json::object({{"object", "list"},
                                      {"first_id", count == 0 ? Json() : data.at(0)["id"]},
                                      {"last_id", count == 0 ? Json() : data.at(count - 1)["id"]},
                                      {"has_more", files.size() > limit},
                                      {"data", std::move(data)}}));
}

Answer show_file(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Transfer file, file_named(api, request, request.parameter("id")));
  return Response::json(file_json(file));
}

Answer download_file(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Transfer file, file_named(api, request, request.parameter("id")));
  Response response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Content-Disposition", "attachment");
  MORTISE_ASSIGN(response.content, sealed_content(api, file.domain, file.file_ref));
  return response;
}

Answer delete_file(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Transfer file, file_named(api, request, request.parameter("id")));
  MORTISE_TRY(api.hub->transfers().remove(file));
  return Response::json(
      Json::object({{"id", "file-" + file.id}, {"object", "file"}, {"deleted", true}}));
}

Answer create_assembly(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  for (const auto& [key, value] : body.members()) {
    if (key != "filename" && key != "purpose" && key != "bytes" && key != "mime_type") {
      return wrong(key.c_str(), "The field " + base::json_quote(key) + " is not served here.");
    }
  }
  const int64_t size = body["bytes"].as_int(-1);
  if (size < 0 || static_cast<uint64_t>(size) > kTransferBytesMax) {
    return wrong("bytes", "bytes must be the size of the file.");
  }
  if (body["filename"].as_string().empty()) return wrong("filename", "The file needs a filename.");
  MORTISE_TRY(check_purpose(body["purpose"].as_string()));
  hub::Transfer wanted;
  wanted.owner = request.subject;
  wanted.kind = "assembly";
  wanted.name = body["filename"].as_string();
  wanted.purpose = body["purpose"].as_string();
  wanted.size_bytes = size;
  MORTISE_ASSIGN(const uint64_t room, room_bytes(api));
  MORTISE_ASSIGN(const hub::Transfer made, api.hub->transfers().create(std::move(wanted), room));
  return Response::json(upload_json(made, "pending"));
}

Answer create_part(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Transfer upload, pending_upload(api, request));
  MORTISE_ASSIGN(const Form form, read_form(api, request, "data", kPartBytesMax));
  MORTISE_TRY(check_fields(form, {}));
  hub::Transfer wanted;
  wanted.owner = request.subject;
  wanted.kind = "partial";
  wanted.parent = upload.id;
  MORTISE_ASSIGN(const hub::Transfer part,
                 api.hub->transfers().keep(std::move(wanted), {form.file}, UINT64_MAX));
  return Response::json(Json::object({{"id", "part_" + part.id},
                                      {"object", "upload.part"},
                                      {"created_at", part.created_ns / 1'000'000'000},
                                      {"upload_id", "upload_" + upload.id}}));
}

Answer complete_assembly(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  if (body.contains("md5")) return wrong("md5", "md5 is not compared here; leave it out.");
  std::vector<std::string> parts;
  for (const Json& item : body["part_ids"].items()) {
    const std::string& id = item.as_string();
    if (!id.starts_with("part_")) {
      return wrong("part_ids", base::json_quote(id) + " is not the id of a part.");
    }
    parts.push_back(id.substr(5));
  }
  MORTISE_ASSIGN(const auto found, pending_upload(api, request));
  MORTISE_ASSIGN(const auto lease, api.locks->take(found.id, found.owner, request.body));
  MORTISE_ASSIGN(hub::Transfer upload, pending_upload(api, request));
  MORTISE_TRY(api.hub->transfers().assemble(upload, parts));
  return Response::json(upload_json(upload, "completed"));
}

Answer cancel_assembly(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Transfer upload, pending_upload(api, request));
  MORTISE_TRY(api.hub->transfers().remove(upload));
  return Response::json(upload_json(upload, "cancelled"));
}

// {"file": "file-...", "name"?}: a stored file becomes a file of the upload.
Answer add_stored_file(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  for (const auto& [key, value] : body.members()) {
    if (key != "file" && key != "name") {
      return wrong(("/" + key).c_str(), "This member is not known here.");
    }
  }
  MORTISE_ASSIGN(const hub::Transfer file, file_named(api, request, body["file"].as_string()));
  const std::string name = body.contains("name") ? body["name"].as_string() : file.name;
  MORTISE_TRY(api.hub->transfers().copy(file, request.parameter("id"), name));
  return Response::json(Json::object({{"name", name}, {"size_bytes", file.size_bytes}}), 201);
}

}  // namespace mortise::server
