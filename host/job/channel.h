// The talk between a running worker and whoever watches it: JSON lines over the AF_UNIX socket
// control.sock in the task folder. One request line, one or more response lines; the last one has
// "done": true. Verbs: ping, lease {lease_ms}, cancel, checkpoint; serve adds generate.
// Works with task folders of any path length. Only the same user may connect.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

inline constexpr size_t kChannelLineMax = 64u << 20;  // bytes; a request may hold images

// The answer to one request. [serial]
class ChannelReply {
 public:
  virtual ~ChannelReply() = default;
  // One response line that is not the last. False: the asker has gone, stop the work.
  virtual bool send(const base::Json& line) = 0;
  virtual bool is_connected() = 0;
};

// Answers one request; what it returns is merged with {"done": true} and closes the answer. An
// error is sent as {"done": true, "error": problem}. Called on a thread of the connection: [any].
using ChannelHandler =
    std::function<base::Result<base::Json>(const base::Json& request, ChannelReply& reply)>;

// The worker's side.
class ChannelServer {
 public:
  // Listens in `task_folder` (an old socket there is replaced) and answers until destroyed. ping
  // and lease are answered here; lease_ms > 0 starts the lease now. connections_max more wait.
  static base::Result<std::unique_ptr<ChannelServer>> start(const std::string& task_folder,
                                                            ChannelHandler handler,
                                                            int64_t lease_ms = 0,
                                                            int connections_max = 64);
  ~ChannelServer();
  // Whether a lease was given and ran out: end the task, after a checkpoint if there is time.
  bool lease_lost() const;

 private:
  struct State;
  explicit ChannelServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The watcher's side: one connection, one request at a time. [serial]
class ChannelClient {
 public:
  // Errors: UNAVAILABLE when nobody listens there.
  static base::Result<std::unique_ptr<ChannelClient>> connect(const std::string& task_folder);
  ~ChannelClient();
  // Sends the request and reads until "done". on_line sees the lines before; returning false ends
  // the talk (the connection is closed, CANCELLED comes back). timeout_ms is for each line.
  // Errors: the worker's own; UNAVAILABLE when it has gone; DEADLINE_EXCEEDED.
  base::Result<base::Json> call(const base::Json& request, int64_t timeout_ms = 5000,
                                const std::function<bool(const base::Json&)>& on_line = {});

 private:
  explicit ChannelClient(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
  std::string buffer_;
};

}  // namespace mortise::job
