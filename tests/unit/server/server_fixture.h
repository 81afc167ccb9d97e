// A server over a hub in a folder of its own, with the fake worker behind a runner, and short ways
// to talk to it.
#pragma once

#include <signal.h>

#include <string>

#include "run/runner.h"
#include "server/server.h"
#include "tests/unit/hub/hub_fixture.h"
#include "tests/unit/server/raw_client.h"

namespace mortise::server {

using base::Json;

inline constexpr const char* kToken = "mrt_0123456789abcdef0123456789abcdef";

class ServerTest : public hub::HubFixture {
 protected:
  void SetUp() override {
    hub::HubFixture::SetUp();
    ServerOptions options = options_;
    options.token = kToken;
    auto started = Server::start(*hub_, options);
    ASSERT_TRUE(started.ok()) << started.error().text();
    server_ = std::move(*started);
    run::RunnerOptions run_options;
    run_options.worker_program = MORTISE_FAKE_WORKER;
    run_options.poll_ms = 10;
    run_options.task.lease_ms = 60'000;
    runner_ = std::make_unique<run::Runner>(*hub_, base::system_process(), base::system_clock(),
                                            run_options);
    runner_->start();
  }
  void TearDown() override {
    runner_.reset();
    server_.reset();
    const auto running = hub_->jobs().list({"running", "", ""}, {1000, ""});
    for (const hub::Job& job : running->items) {
      if (job.process.pid != 0) (void)base::system_process().signal(job.process, SIGKILL);
    }
  }

  RawAnswer call(const std::string& method, const std::string& path, const std::string& body = "",
                 const std::string& token = kToken, const std::string& headers = "") {
    RawClient client(server_->port());
    client.send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") + headers +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive(20'000, method != "HEAD");
  }
  // A request of tus; headers without Tus-Resumable, each with its line end.
  RawAnswer tus(const std::string& method, const std::string& path, const std::string& headers = "",
                const std::string& body = "") {
    return call(
        method, path, body, kToken,
        "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n" + headers);
  }
  // A file of an upload, whole in its creation.
  RawAnswer send_file(const std::string& upload, const std::string& name, const std::string& text,
                      const std::string& metadata = "") {
    return tus("POST", "/api/v1/uploads?upload=" + upload,
               "Upload-Length: " + std::to_string(text.size()) + "\r\nUpload-Metadata: filename " +
                   base::to_base64(base::as_bytes(name)) + metadata + "\r\n",
               text);
  }
  Json json(const RawAnswer& answer) {
    auto value = base::parse_json(answer.body);
    EXPECT_TRUE(value.ok()) << answer.body;
    return value.ok() ? *value : Json();
  }
  std::string wait_for_job(const std::string& id) {
    for (int i = 0; i < 2000; ++i) {
      const std::string state = hub_->jobs().get(id)->state;
      if (state != "queued" && state != "running") return state;
      base::system_clock().sleep_ms(10);
    }
    return "still running";
  }
  std::string import_model() {
    const std::string id =
        json(call("POST", "/api/v1/uploads", R"({"name":"m"})"))["id"].as_string();
    EXPECT_EQ(send_file(id, "config.json", "{}").status, 201);
    const Json model = json(call("POST", "/api/v1/models", R"({"upload":")" + id + "\"}"));
    return model["reference"].as_string();
  }

  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<run::Runner> runner_;
};

// The value of a header of an answer; "" when it is not there.
inline std::string header_of(const RawAnswer& answer, const std::string& name) {
  const std::string head = "\n" + answer.head;
  const size_t at = head.find("\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 3;
  return head.substr(begin, head.find('\n', begin) - begin);
}

}  // namespace mortise::server
