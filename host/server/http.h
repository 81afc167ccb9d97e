// HTTP/1.1 as values: a request comes in, a response goes out. The one door to Poco::Net in the
// server. Everything that Poco lets through is refused or mended here, once: smuggled and truncated
// bodies, two lengths, strange methods and versions, foreign Host names, slow clients, handlers
// that do not read. Knows nothing of routes or accounts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::server {

// The body of a request. [serial]
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual uint64_t size_bytes() const = 0;  // as Content-Length says; 0 without a body
  // Hands the body on in pieces. Errors: RESOURCE_EXHAUSTED (413) over size_bytes_max,
  // INVALID_ARGUMENT when it ends early, DEADLINE_EXCEEDED when it comes too slowly, those of
  // `take`. Once only.
  virtual base::Status read(uint64_t size_bytes_max,
                            const std::function<base::Status(base::ByteView)>& take) = 0;
  // From another thread: read() ends soon with what has arrived, as if the client had gone.
  virtual void interrupt() = 0;
};

struct Request {
  std::string method, path;  // path decoded, without query
  std::vector<std::pair<std::string, std::string>> query;
  std::map<std::string, std::string> headers;     // names in lower case
  std::map<std::string, std::string> parameters;  // from the route's template
  std::string subject;                            // who asks, once known
  BodyReader* body = nullptr;

  std::string header(const std::string& lower_case_name) const;
  std::string query_value(std::string_view name, std::string_view fallback = {}) const;
  std::string parameter(const std::string& name) const;
  base::Result<int64_t> query_integer(std::string_view name, int64_t fallback, int64_t min,
                                      int64_t max) const;
  // true or false; false when it is not there. Errors: INVALID_ARGUMENT.
  base::Result<bool> query_flag(std::string_view name) const;
  // The body as JSON. Errors: INVALID_ARGUMENT with the byte; RESOURCE_EXHAUSTED.
  base::Result<base::Json> read_json(uint64_t size_bytes_max = 4u << 20);
};

// Where a response goes that is made piece by piece. [serial]
class Sink {
 public:
  virtual ~Sink() = default;
  // The first write sends the headers. False: the client has gone, stop.
  virtual bool write(std::string_view text) = 0;
  virtual bool is_stopping() = 0;  // the server ends
};

// Bytes of a known size that are read as they are sent. `read_at` fills the buffer, with less only
// at the end.
struct Content {
  uint64_t size_bytes = 0;
  std::function<base::Result<size_t>(uint64_t offset, std::span<std::byte> buffer)> read_at;
};
// Errors: as FileOps::open.
base::Result<Content> file_content(base::FileOps& files, const std::string& path);

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<Content> content;  // instead of body; ranges are answered
  // Instead of body. An error before the first write becomes an ordinary error response.
  std::function<base::Status(Sink&)> stream;

  static Response json(const base::Json& value, int status = 200);
};

// The HTTP status of an error: its detail "status" where the code alone does not say it.
int status_of(const base::Error& error);

using Handler = std::function<base::Result<Response>(Request&)>;
// The words of an error for this path (a problem, or OpenAI's shape).
using ErrorWriter = std::function<Response(const std::string& path, const base::Error& error)>;

struct HttpOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;               // 0: any
  std::vector<std::string> hosts;  // names that Host may have, without port
  int threads_max = 96;
  int streams_max = 48;                    // responses with `stream` at a time; then 503
  int64_t header_timeout_ms = 15'000;      // from the connection, or the last answer, to a request
  int64_t body_bytes_per_second = 16'384;  // slower than that, after a start of 20 s, is cut off
};

class HttpServer {
 public:
  // Listens and answers until destroyed. `handler` runs on many threads: [any].
  // `admit` sees a request before its body is asked for (Expect: 100-continue).
  // Errors: UNAVAILABLE when the address is taken, INVALID_ARGUMENT when it is none.
  static base::Result<std::unique_ptr<HttpServer>> start(
      const HttpOptions& options, Handler handler, ErrorWriter errors,
      std::function<base::Status(const Request&)> admit = {});
  ~HttpServer();
  uint16_t port() const;
  int64_t requests_count() const;
  int64_t last_request_ns() const;  // monotonic; for ending when idle

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mortise::server
