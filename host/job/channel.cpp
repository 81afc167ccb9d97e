// See channel.h. One thread accepts, one thread answers each connection.
#include "job/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "job/error_json.h"
#include "job/socket.h"
#include "job/task.h"

namespace mortise::job {
namespace {

using base::Json;

class SocketReply final : public ChannelReply {
 public:
  explicit SocketReply(int descriptor) : descriptor_(descriptor) {}
  bool send(const Json& line) override { return send_all(descriptor_, line.dump() + "\n"); }
  bool is_connected() override { return !peer_gone(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

struct ChannelServer::State {
  struct Connection {
    int descriptor = -1;
    bool finished = false;
    std::thread thread;
  };

  ChannelHandler handler;
  int listener = -1;
  int connections_max = 64;
  std::atomic<int64_t> lease_until_ns{0};  // monotonic; 0: none was given
  std::atomic<bool> stopping{false};
  std::thread acceptor;
  std::mutex mutex;
  std::condition_variable room;
  std::list<Connection> connections;

  void set_lease(int64_t lease_ms) {
    if (lease_ms > 0) {
      lease_until_ns = base::system_clock().monotonic_ns() + lease_ms * 1'000'000;
    }
  }

  // The answer to one line, "done" included.
  Json answer(const std::string& line, ChannelReply& reply) {
    base::Result<Json> result = base::parse_json(line);
    if (result.ok()) {
      const Json request = *result;
      const std::string verb = request["verb"].as_string();
      if (verb == "ping" || verb == "lease") {
        set_lease(request["lease_ms"].as_int());
        result = Json::object({{"pid", static_cast<int64_t>(::getpid())}});
      } else {
        result = handler(request, reply);
      }
    }
    Json last = Json::object();
    if (result.ok() && result->is_object()) last = *result;
    if (!result.ok()) last["error"] = problem_of(result.error());
    last["done"] = true;
    return last;
  }

  void serve(Connection& connection) {
    std::string buffer;
    SocketReply reply(connection.descriptor);
    while (!stopping) {
      const auto line = receive_line(connection.descriptor, buffer, -1, kChannelLineMax);
      if (!line.ok() || !reply.send(answer(*line, reply))) break;
    }
    const std::lock_guard lock(mutex);
    ::close(connection.descriptor);
    connection.descriptor = -1;
    connection.finished = true;
    room.notify_all();
  }

  // Ends the threads of connections that have finished. The lock is held.
  void collect() {
    for (auto it = connections.begin(); it != connections.end();) {
      if (it->finished) {
        it->thread.join();
        it = connections.erase(it);
      } else {
        ++it;
      }
    }
  }

  void accept_all() {
    while (!stopping) {
      if (!wait_readable(listener, 500)) continue;
      const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) continue;
      if (!is_same_user(descriptor)) {
        ::close(descriptor);
        continue;
      }
      std::unique_lock lock(mutex);
      room.wait(lock, [this] {
        collect();
        return stopping || static_cast<int>(connections.size()) < connections_max;
      });
      if (stopping) {
        ::close(descriptor);
        return;
      }
      Connection& connection = connections.emplace_back();
      connection.descriptor = descriptor;
      connection.thread = std::thread([this, &connection] { serve(connection); });
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      ::shutdown(listener, SHUT_RDWR);
      for (Connection& connection : connections) {
        if (connection.descriptor >= 0) ::shutdown(connection.descriptor, SHUT_RDWR);
      }
      room.notify_all();
    }
    if (acceptor.joinable()) acceptor.join();
    for (Connection& connection : connections) connection.thread.join();
    ::close(listener);
  }
};

ChannelServer::ChannelServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

ChannelServer::~ChannelServer() {
  state_->stop();
}

base::Result<std::unique_ptr<ChannelServer>> ChannelServer::start(const std::string& task_folder,
                                                                  ChannelHandler handler,
                                                                  int64_t lease_ms,
                                                                  int connections_max) {
  auto state = std::make_unique<State>();
  MORTISE_ASSIGN(state->listener, listen_in_folder(task_folder, std::string(kSocketFile)));
  state->handler = std::move(handler);
  state->connections_max = connections_max;
  state->set_lease(lease_ms);
  State* running = state.get();
  state->acceptor = std::thread([running] { running->accept_all(); });
  return std::unique_ptr<ChannelServer>(new ChannelServer(std::move(state)));
}

bool ChannelServer::lease_lost() const {
  const int64_t until = state_->lease_until_ns;
  return until != 0 && base::system_clock().monotonic_ns() > until;
}

base::Result<std::unique_ptr<ChannelClient>> ChannelClient::connect(
    const std::string& task_folder) {
  MORTISE_ASSIGN(const int descriptor, connect_in_folder(task_folder, std::string(kSocketFile)));
  return std::unique_ptr<ChannelClient>(new ChannelClient(descriptor));
}

ChannelClient::~ChannelClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

base::Result<Json> ChannelClient::call(const Json& request, int64_t timeout_ms,
                                       const std::function<bool(const Json&)>& on_line) {
  if (descriptor_ < 0 || !send_all(descriptor_, request.dump() + "\n")) {
    return base::Error(base::Code::kUnavailable, "The worker has gone.");
  }
  for (;;) {
    auto line = receive_line(descriptor_, buffer_, timeout_ms, kChannelLineMax);
    base::Result<Json> value =
        line.ok() ? base::parse_json(*line) : base::Result<Json>(line.error());
    if (value.ok() && (*value)["done"].as_bool()) {
      if (const Json* problem = value->find("error")) return error_of_problem(*problem);
      return value;
    }
    if (value.ok() && (!on_line || on_line(*value))) continue;
    // What follows would belong to this request: the talk is over.
    ::close(descriptor_);
    descriptor_ = -1;
    if (!value.ok()) return value;
    return base::Error(base::Code::kCancelled, "The asker ended the talk.");
  }
}

}  // namespace mortise::job
