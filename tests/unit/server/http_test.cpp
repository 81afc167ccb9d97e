#include "server/http.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "tests/unit/server/raw_client.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr const char* kHost = "Host: 127.0.0.1\r\n";

// What the handler did, for tests that ask whether it was called at all.
class HttpTest : public ::testing::Test {
 protected:
  void SetUp() override { start({}); }

  void start(HttpOptions options) {
    server_.reset();
    options.hosts = {"localhost", "127.0.0.1"};
    auto started = HttpServer::start(
        options, [this](Request& request) { return handle(request); },
        [](const std::string&, const Error& error) {
          Response response;
          response.body = error.message;
          return response;
        },
        [](const Request& request) {
          return request.path == "/secret" ? Status(Error(Code::kUnauthenticated, "Who?"))
                                           : Status();
        });
    ASSERT_TRUE(started.ok()) << started.error().text();
    server_ = std::move(*started);
  }

  Result<Response> handle(Request& request) {
    ++calls_;
    Response response;
    if (request.path == "/echo") {
      MORTISE_TRY(request.body->read(1u << 20, [&](base::ByteView piece) {
        response.body.append(base::as_text(piece));
        return Status();
      }));
    } else if (request.path == "/throw") {
      throw std::runtime_error("oh");
    } else if (request.path == "/stream") {
      response.stream = [](Sink& sink) {
        sink.write("one ");
        sink.write("two");
        return Status();
      };
    } else if (request.path == "/late-error") {
      response.stream = [](Sink&) { return Status(Error(Code::kNotFound, "Not here.")); };
    } else if (request.path == "/endless") {
      response.stream = [this](Sink& sink) {
        while (!sink.is_stopping() && sink.write("tick\n")) base::system_clock().sleep_ms(5);
        ++ended_streams_;
        return Status();
      };
    } else {
      response.body = request.method + " " + request.path + " " + request.query_value("q");
    }
    return response;
  }

  RawAnswer ask(const std::string& text) {
    RawClient client(server_->port());
    client.send(text);
    return client.receive();
  }
  std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\n" + kHost + "\r\n";
  }
  static std::string post(const std::string& path, const std::string& headers,
                          const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\n" + kHost + headers + "\r\n" + body;
  }

  std::atomic<int> calls_{0}, ended_streams_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTest, DecodesPathAndQuery) {
  EXPECT_EQ(ask(get("/a%20b?q=c%2Bd+e")).body, "GET /a b c+d e");
  EXPECT_EQ(ask(get("/a%zz")).status, 400);
  EXPECT_EQ(ask(get("/a%00b")).status, 400);
  EXPECT_EQ(ask(get("/%ff")).status, 400);
}

TEST_F(HttpTest, AnswersSeveralRequestsOnOneConnection) {
  RawClient client(server_->port());
  client.send(get("/1") + get("/2") + post("/echo", "Content-Length: 3\r\n", "abc") + get("/4"));
  EXPECT_EQ(client.receive().body, "GET /1 ");
  EXPECT_EQ(client.receive().body, "GET /2 ");
  EXPECT_EQ(client.receive().body, "abc");
  EXPECT_EQ(client.receive().body, "GET /4 ");
}

TEST_F(HttpTest, RefusesTwoLengths) {
  for (const char* headers :
       {"Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: -1\r\n",
        "Content-Length: +3\r\n", "Content-Length: \r\n"}) {
    RawClient client(server_->port());
    client.send(post("/echo", headers, "abc"));
    EXPECT_EQ(client.receive().status, 400) << headers;
    EXPECT_TRUE(client.is_closed()) << headers;
  }
  EXPECT_EQ(calls_, 0);
}

// Poco gives up on these before any code of ours is asked: no answer, but no harm either.
TEST_F(HttpTest, ClosesOnALengthThatIsNoNumber) {
  for (const char* headers : {"Content-Length: 3, 4\r\n", "Content-Length: 0x3\r\n"}) {
    RawClient client(server_->port());
    client.send(post("/echo", headers, "abc"));
    EXPECT_TRUE(client.is_closed()) << headers;
  }
  EXPECT_EQ(calls_, 0);
}

TEST_F(HttpTest, RefusesABodyWithoutLength) {
  for (const char* headers : {"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
                              "transfer-encoding: identity, chunked\r\n"}) {
    EXPECT_EQ(ask(post("/echo", headers, "3\r\nabc\r\n0\r\n\r\n")).status, 411) << headers;
  }
  EXPECT_EQ(calls_, 0);
}

TEST_F(HttpTest, NeverReadsTheBodyOfOneRequestAsTheNext) {
  const std::string smuggled = get("/smuggled");
  RawClient client(server_->port());
  client.send(post("/ignores-its-body",
                   "Content-Length: " + std::to_string(smuggled.size()) + "\r\n", smuggled) +
              get("/next"));
  EXPECT_EQ(client.receive().body, "POST /ignores-its-body ");
  EXPECT_EQ(client.receive().body, "GET /next ");
  EXPECT_EQ(calls_, 2);
}

TEST_F(HttpTest, ClosesAfterAnUnreadBodyThatIsTooLongToDrain) {
  RawClient client(server_->port());
  client.send(post("/ignores-its-body", "Content-Length: 1000000\r\n", get("/smuggled")));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(calls_, 1);
}

TEST_F(HttpTest, SeesABodyThatWasCutOff) {
  RawClient client(server_->port());
  client.send(post("/echo", "Content-Length: 10\r\n", "abc"));
  client.end_sending();
  const RawAnswer answer = client.receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("3 of 10 bytes"), std::string::npos) << answer.body;
}

TEST_F(HttpTest, RefusesABodyOverTheLimitBeforeItComes) {
  RawClient client(server_->port());
  client.send(post("/echo", "Content-Length: 2000000\r\n", ""));
  EXPECT_EQ(client.receive().status, 413);
}

TEST_F(HttpTest, ChecksTheHost) {
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  EXPECT_EQ(ask("GET / HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: LOCALHOST:8080\r\n\r\n").status, 200);
}

TEST_F(HttpTest, RefusesPagesOfOtherSites) {
  EXPECT_EQ(
      ask("POST / HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://evil.example\r\n\r\n").status,
      403);
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: localhost:80\r\nOrigin: null\r\n\r\n").status, 403);
  EXPECT_EQ(
      ask("POST / HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://localhost:80\r\n\r\n").status,
      200);
}

TEST_F(HttpTest, RefusesStrangeMethodsAndVersions) {
  EXPECT_EQ(ask("get / HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 501);
  EXPECT_EQ(ask("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 501);
  EXPECT_EQ(ask("GET / HTTP/9.9\r\nHost: localhost\r\n\r\n").status, 505);
  EXPECT_EQ(ask("GET http://other/ HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 400);
  EXPECT_EQ(calls_, 0);
}

TEST_F(HttpTest, DoesNotAskForABodyThatItRefuses) {
  RawClient refused(server_->port());
  refused.send(post("/secret", "Expect: 100-continue\r\nContent-Length: 3\r\n", ""));
  EXPECT_EQ(refused.receive().status, 401);
  RawClient taken(server_->port());
  taken.send(post("/echo", "Expect: 100-continue\r\nContent-Length: 3\r\n", ""));
  EXPECT_EQ(taken.receive().status, 100);
  taken.send("abc");
  EXPECT_EQ(taken.receive().body, "abc");
}

TEST_F(HttpTest, TurnsAnExceptionIntoAnError) {
  EXPECT_EQ(ask(get("/throw")).status, 500);
  EXPECT_EQ(ask(get("/fine")).status, 200);
}

TEST_F(HttpTest, StreamsPieceByPiece) {
  const RawAnswer answer = ask(get("/stream"));
  EXPECT_EQ(answer.body, "one two");
  EXPECT_NE(answer.head.find("Transfer-Encoding: chunked"), std::string::npos);
}

TEST_F(HttpTest, MakesAnErrorBeforeTheFirstPieceAnOrdinaryOne) {
  EXPECT_EQ(ask(get("/late-error")).status, 404);
}

TEST_F(HttpTest, BoundsTheNumberOfStreams) {
  HttpOptions options;
  options.streams_max = 1;
  start(options);
  RawClient first(server_->port());
  first.send(get("/endless"));
  base::system_clock().sleep_ms(100);
  EXPECT_EQ(ask(get("/endless")).status, 503);
  EXPECT_EQ(ask(get("/fine")).status, 200);
}

TEST_F(HttpTest, EndsAStreamWhoseClientHasGone) {
  {
    RawClient client(server_->port());
    client.send(get("/endless"));
    base::system_clock().sleep_ms(50);
  }
  for (int i = 0; i < 200 && ended_streams_ == 0; ++i) base::system_clock().sleep_ms(10);
  EXPECT_EQ(ended_streams_, 1);
}

TEST_F(HttpTest, StopsWhileAStreamIsOpen) {
  RawClient client(server_->port());
  client.send(get("/endless"));
  base::system_clock().sleep_ms(50);
  server_.reset();
  EXPECT_EQ(ended_streams_, 1);
}

TEST_F(HttpTest, ClosesAConnectionOnWhichHeadersDrip) {
  HttpOptions options;
  options.header_timeout_ms = 300;
  start(options);
  RawClient client(server_->port());
  client.send("GET / HTTP/1.1\r\n");
  bool closed = false;
  for (int i = 0; i < 60 && !closed; ++i) {
    base::system_clock().sleep_ms(50);
    closed = !client.send("X: y\r\n") || client.is_closed(0);
  }
  EXPECT_TRUE(closed);
}

TEST_F(HttpTest, AnswersHeadWithoutABody) {
  RawClient client(server_->port());
  client.send("HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/next"));
  EXPECT_EQ(client.receive(5000, false).status, 200);
  EXPECT_EQ(client.receive().body, "GET /next ");
}

TEST_F(HttpTest, SaysThatItsAddressIsTaken) {
  HttpOptions options;
  options.port = server_->port();
  const auto second = HttpServer::start(options, {}, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace mortise::server
