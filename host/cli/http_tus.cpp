// See http_tus.h. Exceptions of Poco end here.
#include "cli/http_tus.h"

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Timespan.h>

#include <algorithm>
#include <charconv>
#include <istream>
#include <ostream>

#include "job/error_json.h"

namespace mortise::cli {

using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;

namespace {

constexpr size_t kStretchBytes = 1 << 16;
constexpr size_t kAnswerBytesMax = 1 << 20;
constexpr const char* kStatusDetail = "http_status";

std::string metadata_of(const TusCreation& wanted) {
  std::string text;
  for (const auto& [key, value] : wanted.metadata) {
    text += (text.empty() ? "" : ",") + key + " " + base::to_base64(base::as_bytes(value));
  }
  return text;
}

Error problem(const HTTPResponse& response, const std::string& text) {
  const auto body = base::parse_json(text);
  Error error = body.ok() && body->is_object()
                    ? job::error_of_problem(*body)
                    : Error(job::code_of_http_status(response.getStatus()),
                            "The server answered " + std::to_string(response.getStatus()) + " " +
                                response.getReason() + ".");
  return error.with(kStatusDetail, std::to_string(response.getStatus()));
}

Result<uint64_t> offset_of(const HTTPResponse& response) {
  const std::string text = response.get("Upload-Offset", "");
  uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size()) {
    return value;
  }
  return Error(Code::kInternal, "The server's answer has no Upload-Offset.",
               "Is MORTISE_URL the address of a mortised?");
}

}  // namespace

int http_status_of(const Error& error) {
  for (const auto& [key, value] : error.details) {
    if (key == kStatusDetail) return std::stoi(value);
  }
  return 0;
}

struct TusClient::Link {
  explicit Link(Server server_in)
      : server(std::move(server_in)), session(server.host, server.port) {
    session.setKeepAlive(true);
    session.setKeepAliveTimeout(Poco::Timespan(1, 0));  // the server's is longer
    session.setTimeout(Poco::Timespan(5, 0), Poco::Timespan(120, 0), Poco::Timespan(600, 0));
  }

  HTTPRequest request(const std::string& method, const std::string& path) const {
    HTTPRequest made(method, path, HTTPRequest::HTTP_1_1);
    made.setKeepAlive(true);
    made.set("Authorization", "Bearer " + server.token);
    made.set("Tus-Resumable", "1.0.0");
    return made;
  }

  // Sends a body, if there is one, and reads the answer to its end, so that the connection serves
  // again.
  Result<HTTPResponse> talk(HTTPRequest& made, ByteView body,
                            const std::function<void(size_t)>& sent) {
    try {
      std::ostream& out = session.sendRequest(made);
      bool is_cut = false;  // the server has answered already: read why
      for (size_t at = 0; at < body.size() && !is_cut;) {
        const ByteView now = body.subspan(at, std::min(kStretchBytes, body.size() - at));
        out.write(reinterpret_cast<const char*>(now.data()),
                  static_cast<std::streamsize>(now.size()));
        is_cut = !out.good();
        if (!is_cut && sent) sent(now.size());
        at += now.size();
      }
      HTTPResponse response;
      std::istream& in = session.receiveResponse(response);
      std::string text;
      char piece[4096];
      while (in.read(piece, sizeof piece), in.gcount() > 0 && text.size() < kAnswerBytesMax) {
        text.append(piece, static_cast<size_t>(in.gcount()));
      }
      if (is_cut) session.reset();
      if (response.getStatus() >= 400) return problem(response, text);
      return response;
    } catch (const Poco::Exception& failure) {
      session.reset();
      return Error(Code::kUnavailable,
                   "The server at " + server.url() +
                       " cannot be reached: " + failure.displayText() + ".",
                   "Start it with `mortise up`, or set MORTISE_URL.")
          .with("exit_code", "5");
    }
  }

  Server server;
  Poco::Net::HTTPClientSession session;
};

TusClient::TusClient(Server server) : link_(std::make_unique<Link>(std::move(server))) {}
TusClient::~TusClient() = default;
TusClient::TusClient(TusClient&&) noexcept = default;

Result<std::string> TusClient::create(const TusCreation& wanted) {
  HTTPRequest request = link_->request("POST", "/api/v1/uploads");
  request.set("Upload-Metadata", metadata_of(wanted));
  if (wanted.size_bytes >= 0) request.set("Upload-Length", std::to_string(wanted.size_bytes));
  if (wanted.is_partial) request.set("Upload-Concat", "partial");
  if (!wanted.parts.empty()) {
    std::string concat = "final;";
    for (const std::string& part : wanted.parts) {
      concat += (concat.back() == ';' ? "" : " ") + part;
    }
    request.set("Upload-Concat", concat);
  }
  request.setContentLength(0);
  MORTISE_ASSIGN(const HTTPResponse response, link_->talk(request, {}, {}));
  const std::string path = response.get("Location", "");
  if (path.starts_with("/api/v1/uploads/")) return path;
  return Error(Code::kInternal, "The server's answer names no place for the upload.",
               "Is MORTISE_URL the address of a mortised?");
}

Result<uint64_t> TusClient::offset(const std::string& path) {
  HTTPRequest request = link_->request("HEAD", path);
  MORTISE_ASSIGN(const HTTPResponse response, link_->talk(request, {}, {}));
  return offset_of(response);
}

Result<uint64_t> TusClient::append(const std::string& path, uint64_t offset, ByteView piece,
                                   const std::function<void(size_t)>& sent) {
  HTTPRequest request = link_->request("PATCH", path);
  request.set("Upload-Offset", std::to_string(offset));
  request.set("Upload-Checksum", "sha256 " + base::to_base64(base::sha256(piece)));
  request.setContentType("application/offset+octet-stream");
  request.setContentLength64(static_cast<Poco::Int64>(piece.size()));
  MORTISE_ASSIGN(const HTTPResponse response, link_->talk(request, piece, sent));
  return offset_of(response);
}

}  // namespace mortise::cli
