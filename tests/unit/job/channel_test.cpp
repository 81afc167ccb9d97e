#include "job/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::job {
namespace {

using base::Json;

base::Result<Json> answer(const Json& request, ChannelReply& reply) {
  const std::string& verb = request["verb"].as_string();
  if (verb == "generate") {
    for (int i = 0; i < 3; ++i) {
      if (!reply.send(Json::object({{"delta", std::to_string(i)}}))) break;
    }
    return Json::object({{"finish_reason", "stop"}});
  }
  if (verb == "sleep") {
    base::system_clock().sleep_ms(400);
    return Json::object();
  }
  return base::Error(base::Code::kUnimplemented, "No such verb.", "Ask otherwise.")
      .at_field("verb");
}

class Channel : public ::testing::Test {
 protected:
  void start(int64_t lease_ms = 0) {
    auto started = ChannelServer::start(folder_.path(), answer, lease_ms);
    ASSERT_TRUE(started.ok()) << started.error().text();
    server_ = std::move(*started);
  }
  std::unique_ptr<ChannelClient> client() {
    auto connected = ChannelClient::connect(folder_.path());
    EXPECT_TRUE(connected.ok()) << connected.error().text();
    return std::move(*connected);
  }
  tests::TempFolder folder_;
  std::unique_ptr<ChannelServer> server_;
};

TEST_F(Channel, AnswersPingWithItsProcess) {
  start();
  const auto last = client()->call(Json::object({{"verb", "ping"}}));
  ASSERT_TRUE(last.ok());
  EXPECT_EQ((*last)["pid"].as_int(), ::getpid());
}

TEST_F(Channel, StreamsLinesBeforeTheLast) {
  start();
  std::string text;
  const auto last = client()->call(Json::object({{"verb", "generate"}}), 5000, [&](const Json& l) {
    text += l["delta"].as_string();
    return true;
  });
  ASSERT_TRUE(last.ok()) << last.error().text();
  EXPECT_EQ(text, "012");
  EXPECT_EQ((*last)["finish_reason"].as_string(), "stop");
}

TEST_F(Channel, TakesSeveralRequestsOneAfterTheOther) {
  start();
  const auto connected = client();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(connected->call(Json::object({{"verb", "generate"}})).ok());
  }
}

TEST_F(Channel, BringsTheWorkersErrorWhole) {
  start();
  const auto last = client()->call(Json::object({{"verb", "dance"}}));
  ASSERT_FALSE(last.ok());
  EXPECT_EQ(last.error().code, base::Code::kUnimplemented);
  EXPECT_EQ(last.error().message, "No such verb.");
  EXPECT_EQ(last.error().field, "verb");
}

TEST_F(Channel, SaysThatNobodyListens) {
  EXPECT_EQ(ChannelClient::connect(folder_.path()).error().code, base::Code::kUnavailable);
}

TEST_F(Channel, GivesUpAfterTheTimeOut) {
  start();
  const auto connected = client();
  EXPECT_EQ(connected->call(Json::object({{"verb", "sleep"}}), 50).error().code,
            base::Code::kDeadlineExceeded);
  EXPECT_EQ(connected->call(Json::object({{"verb", "ping"}})).error().code,
            base::Code::kUnavailable)
      << "an answer that comes late must not be taken for the next one";
}

TEST_F(Channel, EndsTheTalkWhenTheAskerHasEnough) {
  start();
  const auto last =
      client()->call(Json::object({{"verb", "generate"}}), 5000, [](const Json&) { return false; });
  EXPECT_EQ(last.error().code, base::Code::kCancelled);
}

TEST_F(Channel, LosesTheLeaseThatIsNotRenewed) {
  start(60);
  EXPECT_FALSE(server_->lease_lost());
  base::system_clock().sleep_ms(90);
  EXPECT_TRUE(server_->lease_lost());
  EXPECT_TRUE(client()->call(Json::object({{"verb", "lease"}, {"lease_ms", 60000}})).ok());
  EXPECT_FALSE(server_->lease_lost());
}

TEST_F(Channel, WorksInAFolderWhosePathIsLongerThanAnAddress) {
  const std::string deep = folder_ / std::string(100, 'a') + "/" + std::string(100, 'b');
  ASSERT_TRUE(base::make_folders(base::posix_file_ops(), deep).ok());
  auto server = ChannelServer::start(deep, answer);
  ASSERT_TRUE(server.ok()) << server.error().text();
  auto connected = ChannelClient::connect(deep);
  ASSERT_TRUE(connected.ok());
  EXPECT_TRUE((*connected)->call(Json::object({{"verb", "ping"}})).ok());
}

TEST_F(Channel, ReplacesTheSocketOfAWorkerThatDied) {
  start();
  server_.reset();
  start();
  EXPECT_TRUE(client()->call(Json::object({{"verb", "ping"}})).ok());
}

TEST_F(Channel, IsOpenToItsOwnUserOnly) {
  start();
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "control.sock").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace mortise::job
