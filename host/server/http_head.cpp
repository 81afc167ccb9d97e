// The head of a request: what is refused before anything is read, and the rest as values. See
// http_exchange.h.
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/String.h>

#include <algorithm>

#include "base/utf8.h"
#include "job/error_json.h"
#include "server/http_exchange.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error refused(int status, std::string message, std::string hint = {}) {
  Error error(Code::kInvalidArgument, std::move(message), std::move(hint));
  return std::move(error.with("status", std::to_string(status)));
}

size_t count_of(const Poco::Net::HTTPServerRequest& request, const std::string& name) {
  const auto first = request.find(name);
  size_t count = 0;
  for (auto it = first; it != request.end(); ++it) {
    if (Poco::icompare(it->first, name) == 0) ++count;
  }
  return count;
}

Status check_lengths(const Poco::Net::HTTPServerRequest& request) {
  const size_t lengths = count_of(request, "Content-Length");
  const size_t encodings = count_of(request, "Transfer-Encoding");
  if (lengths > 1) return refused(400, "The request has more than one Content-Length.");
  if (encodings > 0) {
    if (lengths > 0) {
      return refused(400, "The request has both Content-Length and Transfer-Encoding.");
    }
    return refused(411, "A request body without Content-Length is not taken.",
                   "Send Content-Length: only then a body that was cut off can be seen.");
  }
  if (lengths == 0) return {};
  const std::string& value = request.get("Content-Length");
  const bool digits = !value.empty() && value.size() <= 18 &&
                      value.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) return refused(400, "Content-Length is not a number of bytes.");
  return {};
}

// "[::1]:8080" -> "[::1]"
std::string name_of_host(const std::string& host) {
  const size_t colon = host.rfind(':');
  if (colon == std::string::npos || host.ends_with(']')) return Poco::toLower(host);
  return Poco::toLower(host.substr(0, colon));
}

Status check_host(const Poco::Net::HTTPServerRequest& request, const HttpOptions& options) {
  if (count_of(request, "Host") != 1) return refused(400, "The request needs one Host header.");
  const std::string host = name_of_host(request.get("Host"));
  if (std::find(options.hosts.begin(), options.hosts.end(), host) == options.hosts.end()) {
    return refused(421, "This server does not answer for the Host of the request.",
                   "Use the address that mortise status shows.");
  }
  // A page of another site in a browser of this machine must not act here.
  if (!request.has("Origin")) return {};
  const std::string& origin = request.get("Origin");
  const size_t scheme = origin.find("://");
  const std::string from = scheme == std::string::npos ? origin : origin.substr(scheme + 3);
  if (Poco::icompare(from, request.get("Host")) != 0) {
    Error error(Code::kPermissionDenied, "A page of another site may not use this server.");
    return error;
  }
  return {};
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] == '%') {
      const auto byte = base::from_hex(text.substr(i + 1, 2));
      if (!byte.ok() || byte->size() != 1 || (*byte)[0] == std::byte{0}) {
        return Error(Code::kInvalidArgument, "The address of the request is not well encoded.");
      }
      decoded += static_cast<char>((*byte)[0]);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  if (base::utf8_error_offset(decoded) != SIZE_MAX) {
    return Error(Code::kInvalidArgument, "The address of the request is not UTF-8.");
  }
  return decoded;
}

Status read_query(std::string_view text, Request& request) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    MORTISE_ASSIGN(std::string name, decode(pair.substr(0, equals), true));
    MORTISE_ASSIGN(std::string value, decode(pair.substr(std::min(equals + 1, pair.size())), true));
    if (!name.empty()) request.query.emplace_back(std::move(name), std::move(value));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

Status check_method(const std::string& method) {
  static const std::vector<std::string> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                    "PATCH", "DELETE", "OPTIONS"};
  if (std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end()) return {};
  return refused(501, "The method of the request is not known.");
}

}  // namespace

int status_of(const Error& error) {
  for (const auto& [key, value] : error.details) {
    if (key == "status") return std::stoi(value);
  }
  return job::http_status_of(error.code);
}

Status check_framing(const Poco::Net::HTTPServerRequest& request, const HttpOptions& options) {
  if (request.getVersion() != "HTTP/1.1" && request.getVersion() != "HTTP/1.0") {
    return refused(505, "The server speaks HTTP/1.1.");
  }
  MORTISE_TRY(check_method(request.getMethod()));
  MORTISE_TRY(check_lengths(request));
  return check_host(request, options);
}

Result<Request> read_head(const Poco::Net::HTTPServerRequest& from) {
  Request request;
  // For clients behind something that lets GET and POST pass only. Everything after this sees the
  // method that is meant.
  request.method = from.get("X-HTTP-Method-Override", from.getMethod());
  MORTISE_TRY(check_method(request.method));
  std::string_view uri = from.getURI();
  if (uri.empty() || uri[0] != '/') {
    return Error(Code::kInvalidArgument, "The address of the request does not begin with \"/\".");
  }
  uri = uri.substr(0, uri.find('#'));
  const size_t question = std::min(uri.find('?'), uri.size());
  MORTISE_ASSIGN(request.path, decode(uri.substr(0, question), false));
  MORTISE_TRY(read_query(uri.substr(std::min(question + 1, uri.size())), request));
  for (const auto& [name, value] : from) request.headers[Poco::toLower(name)] = value;
  return request;
}

}  // namespace mortise::server
