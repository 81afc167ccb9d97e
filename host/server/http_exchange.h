// One request and its answer over Poco, with the checks that Poco leaves out. Used by http.cpp
// only.
#pragma once

#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>

#include <atomic>
#include <string>

#include "server/http.h"

namespace mortise::server {

// What all exchanges of one server share.
struct Exchanges {
  HttpOptions options;
  Handler handler;
  ErrorWriter errors;
  std::function<base::Status(const Request&)> admit;
  std::atomic<int64_t> requests{0}, last_request_ns{0};
  std::atomic<int> streams{0};
  std::atomic<bool> stopping{false};
};

// The framing of the request: lengths, method, version, Host. An error's detail "status" carries
// the HTTP status where the code alone does not say it.
base::Status check_framing(const Poco::Net::HTTPServerRequest& request, const HttpOptions& options);
// Method, path, query and headers as values. Errors: INVALID_ARGUMENT for a path that cannot be
// decoded.
base::Result<Request> read_head(const Poco::Net::HTTPServerRequest& request);

// Answers with an error and closes the connection, for what is underneath cannot be trusted.
void refuse(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
            Poco::Net::HTTPServerResponse& response, const base::Error& error);
// Calls the handler and sends what it gives. Nothing is thrown.
void exchange(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
              Poco::Net::HTTPServerResponse& response);

}  // namespace mortise::server
