// See http.h. Exceptions of Poco end here.
#include "cli/http.h"

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Timespan.h>

#include <istream>
#include <ostream>
#include <vector>

#include "base/file_ops.h"
#include "job/error_json.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;
using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;

namespace {

constexpr size_t kPieceBytes = 1 << 16;
constexpr size_t kAnswerBytesMax = 64u << 20;

// Runs a talk with the server; Poco throws for whatever goes wrong on the wire.
template <class Talk>
auto guarded(const Server& server, Talk talk) -> decltype(talk()) {
  try {
    return talk();
  } catch (const Poco::Exception& failure) {
    return Error(Code::kUnavailable,
                 "The server at " + server.url() + " cannot be reached: " + failure.displayText() +
                     ".",
                 "Start it with `mortise up`, or set MORTISE_URL.")
        .with("exit_code", "5");
  }
}

HTTPRequest request_for(const Server& server, const std::string& method, const std::string& path) {
  HTTPRequest request(method, path, HTTPRequest::HTTP_1_1);
  request.set("Authorization", "Bearer " + server.token);
  return request;
}

void set_timeouts(Poco::Net::HTTPClientSession& session, int answer_seconds = 600) {
  session.setTimeout(Poco::Timespan(5, 0), Poco::Timespan(600, 0),
                     Poco::Timespan(answer_seconds, 0));
}

Result<std::string> read_all(std::istream& stream) {
  std::string text;
  std::vector<char> piece(kPieceBytes);
  while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())),
         stream.gcount() > 0) {
    text.append(piece.data(), static_cast<size_t>(stream.gcount()));
    if (text.size() > kAnswerBytesMax) {
      return Error(Code::kResourceExhausted, "The server's answer is larger than 64 MiB.");
    }
  }
  return text;
}

Error problem(const HTTPResponse& response, const std::string& text) {
  const auto body = base::parse_json(text);
  if (body.ok() && body->is_object()) return job::error_of_problem(*body);
  return Error(job::code_of_http_status(response.getStatus()),
               "The server answered " + std::to_string(response.getStatus()) + " " +
                   response.getReason() + ".");
}

Result<Json> answer_of(Poco::Net::HTTPClientSession& session) {
  HTTPResponse response;
  std::istream& stream = session.receiveResponse(response);
  MORTISE_ASSIGN(const std::string text, read_all(stream));
  if (response.getStatus() >= 400) return problem(response, text);
  if (text.empty()) return Json();
  return base::parse_json(text);
}

}  // namespace

Result<Json> Http::send(const std::string& method, const std::string& path, const Json* body) {
  return guarded(server_, [&]() -> Result<Json> {
    Poco::Net::HTTPClientSession session(server_.host, server_.port);
    set_timeouts(session, answer_seconds_);
    HTTPRequest request = request_for(server_, method, path);
    const std::string text = body == nullptr ? "" : body->dump();
    if (body != nullptr) {
      request.setContentType("application/json");
      request.setContentLength(static_cast<std::streamsize>(text.size()));
    }
    session.sendRequest(request) << text;
    return answer_of(session);
  });
}

Result<Json> Http::get(const std::string& path) {
  return send("GET", path, nullptr);
}
Result<Json> Http::post(const std::string& path, const Json& body) {
  return send("POST", path, &body);
}
Result<Json> Http::patch(const std::string& path, const Json& body) {
  return send("PATCH", path, &body);
}
Status Http::remove(const std::string& path) {
  MORTISE_TRY(send("DELETE", path, nullptr));
  return {};
}

Status Http::read(const std::string& path, const std::function<Status(std::string_view)>& take) {
  return guarded(server_, [&]() -> Status {
    Poco::Net::HTTPClientSession session(server_.host, server_.port);
    set_timeouts(session);
    HTTPRequest request = request_for(server_, "GET", path);
    session.sendRequest(request);
    HTTPResponse response;
    std::istream& stream = session.receiveResponse(response);
    if (response.getStatus() >= 400) {
      MORTISE_ASSIGN(const std::string text, read_all(stream));
      return problem(response, text);
    }
    std::vector<char> piece(kPieceBytes);
    uint64_t total = 0;
    while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())),
           stream.gcount() > 0) {
      const auto got = static_cast<size_t>(stream.gcount());
      total += got;
      MORTISE_TRY(take({piece.data(), got}));
    }
    if (response.hasContentLength() &&
        total != static_cast<uint64_t>(response.getContentLength64())) {
      return Error(Code::kDataLoss,
                   "The download ended after " + std::to_string(total) + " of " +
                       std::to_string(response.getContentLength64()) + " bytes.",
                   "Try again.");
    }
    return {};
  });
}

Status Http::download(const std::string& path, const std::string& file) {
  MORTISE_ASSIGN(auto target, base::posix_file_ops().open(file, base::OpenMode::kCreateNew));
  Status status = read(
      path, [&](std::string_view piece) { return target->write(std::as_bytes(std::span(piece))); });
  if (status.ok()) status = target->close();
  if (!status.ok()) (void)base::posix_file_ops().remove(file);
  return status;
}

Status Http::follow(const std::string& path,
                    const std::function<bool(const std::string&, const Json&)>& take) {
  std::string buffer, event;
  bool stopped = false;
  const auto take_line = [&](const std::string& line) {
    if (line.starts_with("event: ")) event = line.substr(7);
    if (!line.starts_with("data: ")) return true;
    const auto data = base::parse_json(std::string_view(line).substr(6));
    return take(event, data.ok() ? *data : Json());
  };
  Status status = read(path, [&](std::string_view piece) -> Status {
    buffer += piece;
    for (size_t end; (end = buffer.find('\n')) != std::string::npos;) {
      const std::string line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      if (!take_line(line)) {
        stopped = true;
        return Error(Code::kCancelled, "");
      }
    }
    return {};
  });
  return stopped ? Status{} : status;
}

std::string escape_path(const std::string& text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '/' || c == '-' || c == '_' || c == '.' || c == '~' ||
        c == '@') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace mortise::cli
