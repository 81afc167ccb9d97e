// See http.h. Poco's server with our handler factory, and a watchdog for connections on which no
// request comes.
#include "server/http.h"

#include <Poco/ErrorHandler.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/ThreadPool.h>

#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "server/http_exchange.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

int64_t now_ns() {
  return base::system_clock().monotonic_ns();
}

// Every connection that a client resets comes here; none of it is our fault.
class QuietErrors final : public Poco::ErrorHandler {
 public:
  void exception(const Poco::Exception& problem) override { note(problem.displayText()); }
  void exception(const std::exception& problem) override { note(problem.what()); }
  void exception() override { note("unknown"); }

 private:
  static void note(const std::string& what) {
    base::log(base::LogLevel::kDebug, "connection ended", {{"what", what}});
  }
};

// Connections that wait for a request, and since when. A client that sends a byte now and then
// never meets Poco's own time-out, which counts from the last byte.
class WaitingConnections final : public Poco::Net::TCPServerConnectionFilter {
 public:
  bool accept(const Poco::Net::StreamSocket& socket) override {
    const std::lock_guard lock(mutex_);
    waiting_.insert_or_assign(name_of(socket.peerAddress()), Entry{socket, now_ns(), false});
    return true;
  }
  void set_busy(const Poco::Net::SocketAddress& peer, bool is_busy) {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(name_of(peer));
    if (found == waiting_.end()) return;
    found->second.is_busy = is_busy;
    found->second.since_ns = now_ns();
  }
  void close_old(int64_t timeout_ms) {
    const std::lock_guard lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      Entry& entry = it->second;
      const bool closed = !entry.socket.impl()->initialized();
      const bool old = !entry.is_busy && now_ns() - entry.since_ns > timeout_ms * 1'000'000;
      if (old && !closed) shut(entry.socket);
      it = closed || old ? waiting_.erase(it) : std::next(it);
    }
  }

 private:
  struct Entry {
    Poco::Net::StreamSocket socket;
    int64_t since_ns;
    bool is_busy;
  };
  static std::string name_of(const Poco::Net::SocketAddress& address) { return address.toString(); }
  static void shut(Poco::Net::StreamSocket& socket) {
    try {
      socket.shutdown();
    } catch (const Poco::Exception&) {
      // closed in between: that is what was wanted
    }
  }
  std::mutex mutex_;
  std::map<std::string, Entry> waiting_;
};

class ExchangeHandler final : public Poco::Net::HTTPRequestHandler {
 public:
  ExchangeHandler(Exchanges& shared, WaitingConnections& waiting, Status admitted)
      : shared_(&shared), waiting_(&waiting), admitted_(std::move(admitted)) {}

  void handleRequest(Poco::Net::HTTPServerRequest& request,
                     Poco::Net::HTTPServerResponse& response) override {
    const Poco::Net::SocketAddress peer = request.clientAddress();
    waiting_->set_busy(peer, true);
    if (admitted_.ok()) {
      exchange(*shared_, request, response);
    } else {
      refuse(*shared_, request, response, admitted_.error());
    }
    waiting_->set_busy(peer, false);
  }

 private:
  Exchanges* shared_;
  WaitingConnections* waiting_;
  Status admitted_;
};

class ExchangeFactory final : public Poco::Net::HTTPRequestHandlerFactory {
 public:
  ExchangeFactory(Exchanges& shared, WaitingConnections& waiting)
      : shared_(&shared), waiting_(&waiting) {}

  Poco::Net::HTTPRequestHandler* createRequestHandler(
      const Poco::Net::HTTPServerRequest& request) override {
    Status admitted = admit(request);
    // With another status than 200 Poco does not send "100 Continue": the client keeps its body.
    if (!admitted.ok()) {
      request.response().setStatus(
          static_cast<Poco::Net::HTTPResponse::HTTPStatus>(status_of(admitted.error())));
    }
    return new ExchangeHandler(*shared_, *waiting_, std::move(admitted));  // Poco deletes it
  }

 private:
  Status admit(const Poco::Net::HTTPServerRequest& request) {
    MORTISE_TRY(check_framing(request, shared_->options));
    if (!shared_->admit) return {};
    MORTISE_ASSIGN(const Request head, read_head(request));
    return shared_->admit(head);
  }
  Exchanges* shared_;
  WaitingConnections* waiting_;
};

}  // namespace

struct HttpServer::State {
  Exchanges shared;
  Poco::AutoPtr<WaitingConnections> waiting{new WaitingConnections};
  std::unique_ptr<Poco::ThreadPool> pool;
  std::unique_ptr<Poco::Net::HTTPServer> server;
  uint16_t port = 0;
  std::jthread watchdog;

  void watch(std::stop_token stopping) {
    while (!stopping.stop_requested()) {
      base::system_clock().sleep_ms(200);
      waiting->close_old(shared.options.header_timeout_ms);
    }
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options, Handler handler,
                                                      ErrorWriter errors,
                                                      std::function<Status(const Request&)> admit) {
  static QuietErrors quiet;
  Poco::ErrorHandler::set(&quiet);
  auto state = std::make_unique<State>();
  state->shared.options = options;
  state->shared.handler = std::move(handler);
  state->shared.errors = std::move(errors);
  state->shared.admit = std::move(admit);
  state->shared.last_request_ns = now_ns();
  try {
    Poco::Net::ServerSocket socket;
    socket.bind(Poco::Net::SocketAddress(options.address, options.port), true, false);
    socket.listen(128);
    state->port = socket.address().port();
    Poco::AutoPtr<Poco::Net::HTTPServerParams> params(new Poco::Net::HTTPServerParams);
    params->setMaxThreads(options.threads_max);
    params->setMaxQueued(256);
    params->setKeepAlive(true);
    params->setKeepAliveTimeout(Poco::Timespan(5, 0));
    params->setTimeout(Poco::Timespan(20, 0));
    state->pool = std::make_unique<Poco::ThreadPool>(2, options.threads_max, 10);
    state->server = std::make_unique<Poco::Net::HTTPServer>(
        new ExchangeFactory(state->shared, *state->waiting), *state->pool, socket, params);
    state->server->setConnectionFilter(state->waiting);
    state->server->start();
  } catch (const Poco::Net::NetException& problem) {
    return Error(Code::kUnavailable,
                 "Cannot listen at " + options.address + ":" + std::to_string(options.port) + ": " +
                     problem.displayText() + ".",
                 "Another server may be there: choose another port with --listen.");
  } catch (const Poco::Exception& problem) {
    return Error(Code::kInvalidArgument,
                 "Cannot listen at " + options.address + ": " + problem.displayText() + ".");
  }
  State* running = state.get();
  state->watchdog = std::jthread([running](std::stop_token stopping) { running->watch(stopping); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  state_->shared.stopping = true;
  state_->server->stopAll(true);
  state_->waiting->close_old(0);
  state_->pool->joinAll();
}

uint16_t HttpServer::port() const {
  return state_->port;
}

int64_t HttpServer::requests_count() const {
  return state_->shared.requests;
}

int64_t HttpServer::last_request_ns() const {
  return state_->shared.last_request_ns;
}

}  // namespace mortise::server
