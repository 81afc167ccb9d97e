// See error_json.h.
#include "job/error_json.h"

namespace mortise::job {
namespace {

using base::Code;
using base::Error;
using base::Json;

struct CodeRow {
  Code code;
  int status;
  const char* title;
  const char* openai_type;
};

// One row a code; a status that several codes share is read back as the first of them.
constexpr CodeRow kRows[] = {
    {Code::kInvalidArgument, 400, "The request is not valid", "invalid_request_error"},
    {Code::kUnauthenticated, 401, "Who asks is not known", "authentication_error"},
    {Code::kPermissionDenied, 403, "Not allowed", "permission_error"},
    {Code::kNotFound, 404, "Not found", "invalid_request_error"},
    {Code::kAlreadyExists, 409, "It is there already", "invalid_request_error"},
    {Code::kAborted, 409, "Somebody else was faster", "invalid_request_error"},
    {Code::kFailedPrecondition, 409, "Not in this state", "invalid_request_error"},
    {Code::kOutOfRange, 416, "Past the end", "invalid_request_error"},
    {Code::kResourceExhausted, 507, "No room", "insufficient_quota"},
    {Code::kCancelled, 499, "Cancelled", "invalid_request_error"},
    {Code::kUnimplemented, 501, "Not in this version", "invalid_request_error"},
    {Code::kUnavailable, 503, "Not at the moment", "server_error"},
    {Code::kDeadlineExceeded, 504, "Time ran out", "server_error"},
    {Code::kDataLoss, 500, "Stored data are damaged", "server_error"},
    {Code::kInternal, 500, "A fault of the server", "server_error"},
    {Code::kUnknown, 500, "It went wrong", "server_error"},
};

const CodeRow& row_of(Code code) {
  for (const CodeRow& row : kRows) {
    if (row.code == code) return row;
  }
  return kRows[std::size(kRows) - 1];
}

Code code_of_name(const std::string& name) {
  for (const CodeRow& row : kRows) {
    if (name == base::code_name(row.code)) return row.code;
  }
  return Code::kUnknown;
}

}  // namespace

int http_status_of(Code code) {
  return row_of(code).status;
}

Code code_of_http_status(int status) {
  if (status == 413 || status == 429) return Code::kResourceExhausted;
  if (status == 405 || status == 415) return Code::kInvalidArgument;
  for (const CodeRow& row : kRows) {
    if (row.status == status) return row.code;
  }
  return Code::kUnknown;
}

Json problem_of(const Error& error) {
  return problem_of(error, http_status_of(error.code));
}

Json problem_of(const Error& error, int http_status) {
  Json json = Json::object({{"type", "about:blank"},
                            {"title", row_of(error.code).title},
                            {"status", http_status},
                            {"detail", error.message},
                            {"code", base::code_name(error.code)}});
  if (!error.hint.empty()) json["hint"] = error.hint;
  if (!error.file.empty()) json["file"] = error.file;
  if (error.row >= 0) json["row"] = error.row;
  if (error.byte_offset >= 0) json["byte_offset"] = error.byte_offset;
  if (!error.field.empty()) json["field"] = error.field;
  if (!error.details.empty()) {
    Json details = Json::object();
    for (const auto& [key, value] : error.details) details[key] = value;
    json["details"] = std::move(details);
  }
  return json;
}

Error error_of_problem(const Json& problem) {
  Error error;
  if (const Json* openai = problem.find("error"); openai != nullptr && openai->is_object()) {
    error.message = (*openai)["message"].as_string();
    error.field = (*openai)["param"].as_string();
    error.code = code_of_name((*openai)["code"].as_string());
    return error;
  }
  error.message = problem["detail"].as_string();
  if (error.message.empty()) error.message = problem["title"].as_string();
  error.code = problem.contains("code")
                   ? code_of_name(problem["code"].as_string())
                   : code_of_http_status(static_cast<int>(problem["status"].as_int()));
  error.hint = problem["hint"].as_string();
  error.file = problem["file"].as_string();
  error.row = problem["row"].as_int(-1);
  error.byte_offset = problem["byte_offset"].as_int(-1);
  error.field = problem["field"].as_string();
  for (const auto& [key, value] : problem["details"].members()) {
    error.details.emplace_back(key, value.is_string() ? value.as_string() : value.dump());
  }
  return error;
}

Json openai_error_of(const Error& error, int http_status) {
  Json inner = Json::object(
      {{"message", error.message},
       {"type", http_status == 429 ? "rate_limit_error" : row_of(error.code).openai_type},
       {"param", error.field.empty() ? Json() : Json(error.field)},
       {"code", base::code_name(error.code)}});
  if (!error.hint.empty()) inner["message"] = error.message + " " + error.hint;
  return Json::object({{"error", std::move(inner)}});
}

}  // namespace mortise::job
