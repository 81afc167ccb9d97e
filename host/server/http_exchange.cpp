// See http_exchange.h.
#include "server/http_exchange.h"

#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/StreamSocket.h>

#include <array>
#include <charconv>

#include "base/clock.h"
#include "base/log.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr uint64_t kDrainMax = 64u << 10;         // of a body that nobody wanted
constexpr int64_t kBodyStartNs = 20'000'000'000;  // what every body gets, however small

class PocoBody final : public BodyReader {
 public:
  PocoBody(Poco::Net::HTTPServerRequest& request, const HttpOptions& options)
      : request_(static_cast<Poco::Net::HTTPServerRequestImpl*>(&request)), options_(&options) {
    if (request.hasContentLength()) size_ = static_cast<uint64_t>(request.getContentLength64());
    rest_ = size_;
  }

  uint64_t size_bytes() const override { return size_; }
  uint64_t rest() const { return rest_; }

  Status read(uint64_t size_bytes_max, const std::function<Status(base::ByteView)>& take) override {
    if (size_ > size_bytes_max) {
      Error error(Code::kResourceExhausted,
                  "The body has " + std::to_string(size_) + " bytes, at most " +
                      std::to_string(size_bytes_max) + " are taken here.");
      return error.with("status", "413");
    }
    return read_some(rest_, take);
  }

  void interrupt() override {
    try {
      request_->socket().shutdownReceive();
    } catch (const Poco::Exception&) {
      // the connection has broken by itself
    }
  }

  // False when what is left could not be taken off the connection.
  bool drain() {
    if (rest_ > kDrainMax) return false;
    return read_some(rest_, [](base::ByteView) { return Status(); }).ok();
  }

 private:
  Status read_some(uint64_t wanted, const std::function<Status(base::ByteView)>& take) {
    if (wanted == 0) return {};
    const int64_t begin = base::system_clock().monotonic_ns();
    std::istream& in = request_->stream();
    std::array<char, 65536> piece;
    while (rest_ > 0) {
      const uint64_t room = std::min<uint64_t>(rest_, piece.size());
      in.read(piece.data(), static_cast<std::streamsize>(room));
      const auto got = static_cast<uint64_t>(in.gcount());
      // A body that was cut off ends as if it were whole, and one that stalls only turns bad.
      if (got == 0) {
        return Error(Code::kInvalidArgument,
                     "The body ended after " + std::to_string(size_ - rest_) + " of " +
                         std::to_string(size_) + " bytes.",
                     "The connection broke: send it again.");
      }
      rest_ -= got;
      MORTISE_TRY(take(std::as_bytes(std::span(piece.data(), got))));
      const auto allowed = kBodyStartNs + static_cast<int64_t>(size_ - rest_) * 1'000'000'000 /
                                              options_->body_bytes_per_second;
      if (base::system_clock().monotonic_ns() - begin > allowed) {
        return Error(Code::kDeadlineExceeded, "The body came too slowly and was cut off.")
            .with("status", "408");
      }
    }
    return {};
  }

  Poco::Net::HTTPServerRequestImpl* request_;  // the server makes no others
  const HttpOptions* options_;
  uint64_t size_ = 0, rest_ = 0;
};

class PocoSink final : public Sink {
 public:
  PocoSink(Poco::Net::HTTPServerResponse& response, const Exchanges& shared)
      : response_(&response), shared_(&shared) {}
  bool write(std::string_view text) override {
    if (out_ == nullptr) out_ = &response_->send();
    out_->write(text.data(), static_cast<std::streamsize>(text.size()));
    out_->flush();
    return out_->good();
  }
  bool is_stopping() override { return shared_->stopping; }
  bool has_begun() const { return out_ != nullptr; }

 private:
  Poco::Net::HTTPServerResponse* response_;
  const Exchanges* shared_;
  std::ostream* out_ = nullptr;
};

void set_head(Poco::Net::HTTPServerResponse& to, const Response& from) {
  to.setStatus(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(from.status));
  to.setReason(Poco::Net::HTTPResponse::getReasonForStatus(to.getStatus()));
  if (from.status != 204) to.setContentType(from.content_type);
  to.set("X-Content-Type-Options", "nosniff");
  to.set("Cache-Control", "no-store");
  for (const auto& [name, value] : from.headers) to.set(name, value);
}

// "bytes=5-" and "bytes=5-9"; anything else is left out, as RFC 9110 allows.
void read_range(const std::string& range, uint64_t size, uint64_t& begin, uint64_t& end) {
  if (!range.starts_with("bytes=") || range.find(',') != std::string::npos) return;
  uint64_t first = 0, last = size == 0 ? 0 : size - 1;
  const char* stop = range.data() + range.size();
  auto parsed = std::from_chars(range.data() + 6, stop, first);
  if (parsed.ec != std::errc() || parsed.ptr == stop || *parsed.ptr != '-') return;
  if (parsed.ptr + 1 != stop) {
    parsed = std::from_chars(parsed.ptr + 1, stop, last);
    if (parsed.ec != std::errc() || parsed.ptr != stop) return;
  }
  if (first > last || first >= size) return;
  begin = first;
  end = std::min(last + 1, size);
}

Status send_content(Poco::Net::HTTPServerRequest& request, Poco::Net::HTTPServerResponse& to,
                    const Response& from) {
  const Content& content = *from.content;
  uint64_t begin = 0, end = content.size_bytes;
  read_range(request.get("Range", ""), content.size_bytes, begin, end);
  std::vector<std::byte> buffer(256u << 10);
  const auto read = [&](uint64_t at) {
    return content.read_at(at,
                           std::span(buffer).first(std::min<uint64_t>(buffer.size(), end - at)));
  };
  // The first piece is read before the head goes out: what cannot be read is an error response.
  size_t got = 0;
  if (begin < end) {
    MORTISE_ASSIGN(got, read(begin));
  }
  set_head(to, from);
  to.set("Accept-Ranges", "bytes");
  if (end - begin != content.size_bytes) {
    to.setStatusAndReason(Poco::Net::HTTPResponse::HTTP_PARTIAL_CONTENT);
    to.set("Content-Range", "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" +
                                std::to_string(content.size_bytes));
  }
  to.setContentLength64(static_cast<Poco::Int64>(end - begin));
  std::ostream& out = to.send();
  if (request.getMethod() == "HEAD") return {};
  for (uint64_t at = begin; at < end && out.good();) {
    out.write(reinterpret_cast<const char*>(buffer.data()), static_cast<std::streamsize>(got));
    at += got;
    if (at >= end) break;
    const auto next = read(at);
    if (!next.ok() || *next == 0) {
      to.setKeepAlive(false);  // the length was promised: the client sees the break
      base::log(base::LogLevel::kError, "content not sent whole",
                {{"error", next.ok() ? "it became shorter" : next.error().text()}});
      return {};
    }
    got = *next;
  }
  return {};
}

void send_plain(Poco::Net::HTTPServerResponse& to, const Response& from) {
  set_head(to, from);
  if (from.status == 204) {
    to.setContentLength(0);
    to.send();
    return;
  }
  to.setContentLength(static_cast<std::streamsize>(from.body.size()));
  to.send().write(from.body.data(), static_cast<std::streamsize>(from.body.size()));
}

// A stream counts against streams_max while it lives.
struct StreamSlot {
  std::atomic<int>* count;
  bool taken;
  StreamSlot(std::atomic<int>& streams, int max) : count(&streams), taken(++streams <= max) {}
  ~StreamSlot() { --*count; }
};

Status send_stream(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
                   Poco::Net::HTTPServerResponse& to, const Response& from) {
  const StreamSlot slot(shared.streams, shared.options.streams_max);
  if (!slot.taken) {
    return Error(Code::kUnavailable, "Too many streams are open.", "Close some, or try later.");
  }
  set_head(to, from);
  to.setChunkedTransferEncoding(request.getVersion() == "HTTP/1.1");
  if (request.getVersion() != "HTTP/1.1") to.setKeepAlive(false);
  PocoSink sink(to, shared);
  Status status = from.stream(sink);
  if (!status.ok() && !sink.has_begun()) return status;
  if (!sink.has_begun()) to.send();
  return {};
}

Status send(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
            Poco::Net::HTTPServerResponse& to, const Response& from) {
  if (from.stream) return send_stream(shared, request, to, from);
  if (from.content) return send_content(request, to, from);
  send_plain(to, from);
  return {};
}

void send_error(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
                Poco::Net::HTTPServerResponse& to, const Error& error) {
  const std::string uri = request.getURI();
  Response response = shared.errors(uri.substr(0, uri.find('?')), error);
  response.status = status_of(error);
  to.setChunkedTransferEncoding(false);
  if (response.status == 401) to.set("WWW-Authenticate", "Bearer");
  send_plain(to, response);
}

void exchange_inside(Exchanges& shared, Poco::Net::HTTPServerRequest& from,
                     Poco::Net::HTTPServerResponse& to) {
  PocoBody body(from, shared.options);
  Result<Response> response = Error(Code::kInternal, "No answer was made.");
  Result<Request> request = read_head(from);
  if (request.ok()) {
    request->body = &body;
    try {
      response = shared.handler(*request);
    } catch (const std::exception& problem) {
      base::log(base::LogLevel::kError, "handler threw", {{"what", problem.what()}});
      response = Error(Code::kInternal, "The server failed on this request.", "Its log says more.");
    }
  } else {
    response = request.error();
  }
  // What is left of a body would be read as the next request.
  if (!body.drain()) to.setKeepAlive(false);
  const Status sent = response.ok() ? send(shared, from, to, *response) : Status(response.error());
  if (!sent.ok() && !to.sent()) send_error(shared, from, to, sent.error());
}

}  // namespace

void refuse(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
            Poco::Net::HTTPServerResponse& response, const Error& error) {
  try {
    response.setKeepAlive(false);
    send_error(shared, request, response, error);
  } catch (const std::exception& problem) {
    base::log(base::LogLevel::kDebug, "refusal not sent", {{"what", problem.what()}});
  }
}

void exchange(Exchanges& shared, Poco::Net::HTTPServerRequest& request,
              Poco::Net::HTTPServerResponse& response) {
  ++shared.requests;
  shared.last_request_ns = base::system_clock().monotonic_ns();
  try {
    exchange_inside(shared, request, response);
  } catch (const std::exception& problem) {
    // The client has gone, mostly; what was begun cannot be mended.
    response.setKeepAlive(false);
    base::log(base::LogLevel::kDebug, "answer not sent", {{"what", problem.what()}});
  }
  shared.last_request_ns = base::system_clock().monotonic_ns();
}

}  // namespace mortise::server
