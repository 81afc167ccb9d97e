// mortised as a process: what it acknowledged survives kill -9 at random moments, and its workers
// are found again.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_database.h"
#include "tests/unit/server/raw_client.h"

namespace mortise {
namespace {

using base::Json;
using base::posix_file_ops;

class MortisedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(base::make_folders(posix_file_ops(), home()).ok());
    Json site = Json::object({{"worker", MORTISE_FAKE_WORKER}, {"listen", "127.0.0.1:0"}});
    const std::string database = tests::new_test_database();
    if (!database.empty()) site["database"] = database;
    ASSERT_TRUE(
        base::write_file_durably(posix_file_ops(), folder_ / "site.json", site.dump()).ok());
  }
  void TearDown() override {
    if (server_.pid != 0) end(SIGTERM);
  }
  std::string home() const { return folder_ / "home"; }

  // mortised with other arguments, to its end; what it prints is in out and err.
  int run(std::vector<std::string> arguments, const std::string& at) {
    arguments.insert(arguments.begin(), MORTISED);
    const auto started = base::system_process().spawn({.arguments = arguments,
                                                       .environment = {"MORTISE_HOME=" + at},
                                                       .working_folder = "/",
                                                       .stdout_path = folder_ / "out",
                                                       .stderr_path = folder_ / "err",
                                                       .descriptors = {}});
    EXPECT_TRUE(started.ok());
    base::Result<int> code = base::Error(base::Code::kUnavailable, "");
    while (!(code = base::system_process().poll_exit(*started)).ok()) {
      base::system_clock().sleep_ms(2);
    }
    return *code;
  }
  void start(int wanted_status = 200) {
    const auto started = base::system_process().spawn(
        {.arguments = {MORTISED, "--config", folder_ / "site.json"},
         .environment = {"MORTISE_HOME=" + home(), "LOG_LEVEL=warning"},
         .working_folder = home(),
         .stdout_path = {},
         .stderr_path = folder_ / "server.log",
         .descriptors = {}});
    ASSERT_TRUE(started.ok()) << started.error().text();
    server_ = *started;
    port_ = 0;
    for (int i = 0; i < 2000 && port_ == 0; ++i) {
      base::system_clock().sleep_ms(5);
      const auto address = base::read_file(posix_file_ops(), home() + "/run/address", 200);
      if (!address.ok()) continue;
      const int port = std::atoi(address->c_str() + address->rfind(':') + 1);
      server::RawClient client(port);
      // An address that the last one left behind is not answered, or by somebody else.
      client.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      if (client.receive().status == wanted_status) port_ = port;
    }
    ASSERT_NE(port_, 0);
    token_ = *base::read_file(posix_file_ops(), home() + "/token", 200);
    token_.pop_back();
  }
  int end(int signal) {
    (void)base::system_process().signal(server_, signal);
    base::Result<int> code = base::Error(base::Code::kUnavailable, "");
    while (!(code = base::system_process().poll_exit(server_)).ok()) {
      base::system_clock().sleep_ms(2);
    }
    server_ = {};
    return *code;
  }
  server::RawAnswer call(const std::string& method, const std::string& path,
                         const std::string& body = "") {
    server::RawClient client(port_);
    client.send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                "Authorization: Bearer " + token_ +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive();
  }
  // By tus, whole in its creation.
  server::RawAnswer send_file(const std::string& upload, const std::string& name,
                              const std::string& text) {
    server::RawClient client(port_);
    client.send("POST /api/v1/uploads?upload=" + upload +
                " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " +
                token_ + "\r\nTus-Resumable: 1.0.0\r\nUpload-Metadata: filename " +
                base::to_base64(base::as_bytes(name)) +
                "\r\nContent-Type: application/offset+octet-stream\r\nUpload-Length: " +
                std::to_string(text.size()) + "\r\nContent-Length: " + std::to_string(text.size()) +
                "\r\n\r\n" + text);
    return client.receive();
  }
  Json json(const server::RawAnswer& answer) {
    auto value = base::parse_json(answer.body);
    return value.ok() ? *value : Json();
  }
  std::string state_of(const std::string& job) {
    return json(call("GET", "/api/v1/jobs/" + job))["state"].as_string();
  }
  std::string import_model() {
    const std::string id =
        json(call("POST", "/api/v1/uploads", R"({"name":"m"})"))["id"].as_string();
    send_file(id, "config.json", "{}");
    return json(call("POST", "/api/v1/models", R"({"upload":")" + id + "\"}"))["reference"]
        .as_string();
  }

  tests::TempFolder folder_;
  base::ProcessIdentity server_;
  int port_ = 0;
  std::string token_;
};

TEST_F(MortisedTest, LosesNothingItAcknowledgedWhenItIsKilled) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  ASSERT_NO_FATAL_FAILURE(start());
  const std::string id = json(call("POST", "/api/v1/uploads", R"({"name":"x"})"))["id"].as_string();
  std::map<std::string, int64_t> acknowledged;  // name -> bytes
  int number = 0;
  for (int round = 0; round < 10; ++round) {
    const int64_t delay_ms = std::uniform_int_distribution<int64_t>(1, 120)(random);
    std::thread killer([&] {
      base::system_clock().sleep_ms(delay_ms);
      (void)base::system_process().signal(server_, SIGKILL);
    });
    for (;;) {
      const std::string name = "f" + std::to_string(number++);
      const auto answer = send_file(id, name, name);
      if (answer.status == 0) break;  // it is dead
      if (answer.status == 201) acknowledged[name] = static_cast<int64_t>(name.size());
    }
    killer.join();
    end(SIGKILL);
    ASSERT_NO_FATAL_FAILURE(start());
    std::map<std::string, int64_t> found;
    const Json listed = json(call("GET", "/api/v1/uploads/" + id + "/files?limit=1000"));
    for (const Json& item : listed["items"].items()) {
      found[item["name"].as_string()] = item["size_bytes"].as_int();
    }
    for (const auto& [name, size_bytes] : acknowledged) {
      ASSERT_EQ(found[name], size_bytes) << name << " in round " << round;
    }
    const Json scrubbed = json(call("POST", "/api/v1/store/scrub", "{}"));
    EXPECT_EQ(scrubbed["findings"].size(), 0u) << scrubbed.dump();
    EXPECT_TRUE(scrubbed["cursor"].is_null()) << "all was read";
    EXPECT_GE(scrubbed["chunks_ok"].as_uint(), acknowledged.size());
  }
  EXPECT_GE(acknowledged.size(), 10u);
}

TEST_F(MortisedTest, FindsItsWorkersAgainAfterItWasKilled) {
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_EQ(import_model(), "m@1");
  const Json job = json(call("POST", "/api/v1/jobs",
                             R"({"kind":"export","model":"m","export":["hf"],"x-fake":"wait"})"));
  const std::string id = job["id"].as_string();
  const auto phase = [&] {
    return json(call("GET", "/api/v1/jobs/" + id))["progress"]["phase"].as_string();
  };
  for (int i = 0; i < 1000 && phase() != "export"; ++i) base::system_clock().sleep_ms(10);
  end(SIGKILL);
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(state_of(id), "running");
  const Json shown = json(call("GET", "/api/v1/jobs/" + id));
  EXPECT_EQ(shown["attempt"].as_int(), 1);
  EXPECT_EQ(call("POST", "/api/v1/jobs/" + id + "/cancel").status, 202) << shown.dump(1);
  for (int i = 0; i < 1000 && state_of(id) == "running"; ++i) base::system_clock().sleep_ms(10);
  EXPECT_EQ(state_of(id), "cancelled");
}

TEST_F(MortisedTest, EndsCleanlyAtSigterm) {
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_FALSE(*posix_file_ops().exists(home() + "/run/address"));
}

TEST_F(MortisedTest, RestoresABackupIntoAnEmptyHome) {
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_EQ(import_model(), "m@1");
  const std::string source = folder_ / "backup", target = folder_ / "restored";
  ASSERT_EQ(call("POST", "/api/v1/store/backup", R"({"target":")" + source + "\"}").status, 200);
  const std::string key = home() + "/keys/root.key";
  EXPECT_EQ(run({"--restore", source, "--root-key", key}, home()), 6) << "a server runs there";
  ASSERT_EQ(run({"--restore", source, "--root-key", key}, target), 0)
      << *base::read_file(posix_file_ops(), folder_ / "err");
  const Json facts = *base::parse_json(*base::read_file(posix_file_ops(), folder_ / "out"));
  EXPECT_GT(facts["segments_copied"].as_int(), 0);
  EXPECT_EQ(facts["findings"].size(), 0u);
  EXPECT_EQ(facts["models"].as_int(), 1);
  EXPECT_EQ(facts["files_copied"].as_int(), 1);
  EXPECT_NE(run({"--restore", source, "--root-key", key}, target), 0) << "it is not empty now";
}

TEST_F(MortisedTest, StartsLockedAndIsUnlockedByAPassphrase) {
  const std::string path = folder_ / "site.json";
  Json site = *base::parse_json(*base::read_file(posix_file_ops(), path));
  site["root_key"] = Json::object({{"source", "passphrase"}});
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), path, site.dump()).ok());
  const std::string verb = "/api/v1/store/unlock",
                    passphrase = R"({"passphrase":"horse and staple")";
  ASSERT_NO_FATAL_FAILURE(start(503));
  EXPECT_EQ(json(call("GET", "/readyz"))["keys"].as_string(), "locked");
  EXPECT_EQ(call("POST", verb, passphrase + "}").status, 409) << "it has none yet";
  EXPECT_EQ(call("POST", verb, passphrase + R"(,"new":true})").status, 200);
  EXPECT_EQ(call("GET", "/readyz").status, 200);
  ASSERT_EQ(import_model(), "m@1");
  EXPECT_EQ(end(SIGTERM), 0);

  ASSERT_NO_FATAL_FAILURE(start(503));
  const std::string upload =
      json(call("POST", "/api/v1/uploads", R"({"name":"x"})"))["id"].as_string();
  EXPECT_EQ(send_file(upload, "a", "a").status, 503) << "locked";
  EXPECT_EQ(call("POST", verb, R"({"passphrase":"another horse"})").status, 403);
  EXPECT_EQ(call("POST", verb, passphrase + "}").status, 429) << "too early";
  base::system_clock().sleep_ms(1050);
  EXPECT_EQ(call("POST", verb, passphrase + "}").status, 200);
  EXPECT_EQ(call("GET", "/readyz").status, 200);
}

TEST_F(MortisedTest, RefusesASecondServerOnTheSameHome) {
  ASSERT_NO_FATAL_FAILURE(start());
  const auto second =
      base::system_process().spawn({.arguments = {MORTISED, "--listen", "127.0.0.1:0"},
                                    .environment = {"MORTISE_HOME=" + home()},
                                    .working_folder = home(),
                                    .stdout_path = {},
                                    .stderr_path = folder_ / "second.log",
                                    .descriptors = {}});
  ASSERT_TRUE(second.ok());
  base::Result<int> code = base::Error(base::Code::kUnavailable, "");
  while (!(code = base::system_process().poll_exit(*second)).ok()) {
    base::system_clock().sleep_ms(2);
  }
  EXPECT_EQ(*code, 6);
  EXPECT_NE(base::read_file(posix_file_ops(), folder_ / "second.log")->find("Another mortised"),
            std::string::npos);
}

}  // namespace
}  // namespace mortise
