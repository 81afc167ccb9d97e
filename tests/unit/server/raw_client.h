// HTTP by hand over a socket, so that a test can send what no client library would.
#pragma once

#include <string>
#include <string_view>

namespace mortise::server {

struct RawAnswer {
  int status = 0;          // 0: no answer
  std::string head, body;  // body: without its chunks
};

class RawClient {  // one connection
 public:
  explicit RawClient(int port);
  ~RawClient();
  bool send(std::string_view text);
  void end_sending();  // as a client that breaks off
  // One whole answer, by Content-Length or chunks; status 0 when none comes in timeout_ms.
  RawAnswer receive(int timeout_ms = 5000, bool has_body = true);
  bool is_closed(int timeout_ms = 2000);  // the server has closed, nothing more comes

 private:
  bool fill(int timeout_ms);  // one more piece into buffer_
  std::string line(int timeout_ms);
  std::string take(size_t size, int timeout_ms);
  int descriptor_;
  std::string buffer_;
};

}  // namespace mortise::server
