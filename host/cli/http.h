// HTTP to the server: the client's half of the one door to Poco::Net. Tokens go out in the
// Authorization header only; answers that are problems come back as errors.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace mortise::cli {

struct Server {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string token;

  std::string url() const { return "http://" + host + ":" + std::to_string(port); }
};

class Http {  // [serial]
 public:
  explicit Http(Server server) : server_(std::move(server)) {}

  // Errors: UNAVAILABLE when the server cannot be reached; else the problem that it answers.
  base::Result<base::Json> get(const std::string& path);
  base::Result<base::Json> post(const std::string& path, const base::Json& body);
  base::Result<base::Json> patch(const std::string& path, const base::Json& body);
  base::Status remove(const std::string& path);
  // The answer's body into a new file, or to `take` piece by piece.
  base::Status download(const std::string& path, const std::string& file);
  base::Status read(const std::string& path,
                    const std::function<base::Status(std::string_view)>& take);
  // Server-sent events until the stream ends: {event, data}. take returns false to stop.
  base::Status follow(const std::string& path,
                      const std::function<bool(const std::string&, const base::Json&)>& take);

  const Server& server() const { return server_; }
  // For what takes long on the server, as the first backup of large models: get, post, patch and
  // remove wait a week for their answer, else 10 minutes.
  void be_patient() { answer_seconds_ = 7 * 24 * 3600; }

 private:
  base::Result<base::Json> send(const std::string& method, const std::string& path,
                                const base::Json* body);
  Server server_;
  int answer_seconds_ = 600;
};

// One part of a path, escaped: "a b" -> "a%20b"; "/" stays.
std::string escape_path(const std::string& text);

}  // namespace mortise::cli
