// Reading a Request and making a Response. See http.h.
#include <charconv>

#include "server/http.h"

namespace mortise::server {

using base::Code;
using base::Error;

base::Result<Content> file_content(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(auto opened, files.open(path, base::OpenMode::kRead));
  const std::shared_ptr<base::File> file = std::move(opened);
  Content content;
  MORTISE_ASSIGN(content.size_bytes, file->size());
  content.read_at = [file](uint64_t offset, std::span<std::byte> buffer) {
    return file->read_at(offset, buffer);
  };
  return content;
}

std::string Request::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string() : found->second;
}

std::string Request::query_value(std::string_view name, std::string_view fallback) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::string(fallback);
}

std::string Request::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

base::Result<int64_t> Request::query_integer(std::string_view name, int64_t fallback, int64_t min,
                                             int64_t max) const {
  const std::string text = query_value(name);
  if (text.empty()) return fallback;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= min && value <= max) {
    return value;
  }
  return Error(Code::kInvalidArgument, "The query parameter is " + base::json_quote(text) +
                                           ", it must be a whole number from " +
                                           std::to_string(min) + " to " + std::to_string(max) + ".")
      .at_field(std::string(name));
}

base::Result<bool> Request::query_flag(std::string_view name) const {
  const std::string text = query_value(name);
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  return Error(Code::kInvalidArgument,
               "The query parameter is " + base::json_quote(text) + ", it must be true or false.")
      .at_field(std::string(name));
}

base::Result<base::Json> Request::read_json(uint64_t size_bytes_max) {
  std::string text;
  MORTISE_TRY(body->read(size_bytes_max, [&text](base::ByteView piece) {
    text.append(base::as_text(piece));
    return base::Status();
  }));
  if (text.empty()) {
    return Error(Code::kInvalidArgument, "The request has no body; it must be a JSON object.");
  }
  auto value = base::parse_json(text, {.size_bytes_max = size_bytes_max, .depth_max = 64});
  if (!value.ok()) return std::move(value.error().at_file("request body"));
  if (!value->is_object()) {
    return Error(Code::kInvalidArgument, "The body of the request must be a JSON object, it is " +
                                             std::string(value->kind_name()) + ".");
  }
  return value;
}

Response Response::json(const base::Json& value, int status) {
  Response response;
  response.status = status;
  response.body = value.dump() + "\n";
  return response;
}

}  // namespace mortise::server
