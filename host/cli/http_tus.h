// tus 1.0.0 as a client: three requests over one connection that is kept. What went wrong says
// whether trying again can help; cli/upload_send does so.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "cli/http.h"

namespace mortise::cli {

struct TusCreation {
  std::vector<std::pair<std::string, std::string>> metadata;  // "filename" and the like, plain
  int64_t size_bytes = -1;                                    // -1: a final one, of parts
  bool is_partial = false;
  std::vector<std::string> parts;  // paths of the partial uploads of a final one
};

// HTTP's status of a refusal, 0 when no answer came.
int http_status_of(const base::Error& error);

class TusClient {  // [serial]
 public:
  explicit TusClient(Server server);
  ~TusClient();
  TusClient(TusClient&&) noexcept;

  // The path of the new upload, "/api/v1/uploads/ID". Errors of all three: UNAVAILABLE when the
  // connection breaks; else the problem that the server answers.
  base::Result<std::string> create(const TusCreation& wanted);
  // How many bytes the server holds.
  base::Result<uint64_t> offset(const std::string& path);
  // One PATCH with its SHA-256: kept whole or not at all. sent is called with the number of bytes
  // of each stretch that has left; the answer is the new offset.
  base::Result<uint64_t> append(const std::string& path, uint64_t offset, base::ByteView piece,
                                const std::function<void(size_t)>& sent);

 private:
  struct Link;
  std::unique_ptr<Link> link_;
};

}  // namespace mortise::cli
