// The service with a tiny model: answers beside each other, each with its own end and its own
// error.
#include <atomic>
#include <thread>

#include "base/crypto.h"
#include "serve/serve.h"
#include "tests/support/png.h"
#include "tests/support/tiny_chat.h"

namespace mortise::serve {
namespace {

using base::Code;
using base::Json;

class Lines : public job::ChannelReply {
 public:
  bool send(const Json& line) override {
    text += line["delta"].as_string();
    return true;
  }
  bool is_connected() override { return is_here; }

  std::string text;
  bool is_here = true;
};

class ServiceTest : public tests::TinyChat {
 protected:
  void start(ServeLimits limits = {}) {
    auto opened = open_chat();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    chat_ = std::move(*opened);
    service_ = std::make_unique<Service>(device_, *chat_, limits);
    thread_ = std::thread([this] { (void)service_->run([this] { return must_stop_.load(); }); });
  }
  void TearDown() override {
    must_stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  static Json request(const std::string& text, const std::string& more = "") {
    Json request = *base::parse_json("{" + more + "}");
    request["messages"] = Json::array({Json::object({{"role", "user"}, {"content", text}})});
    return request;
  }
  static Json request_of_image(int side) {
    const std::string png = tests::png_of(side, {200, 10, 10});
    const std::string url = "data:image/png;base64," + base::to_base64(base::as_bytes(png));
    const Json parts = Json::array(
        {Json::object({{"type", "image_url"}, {"image_url", Json::object({{"url", url}})}}),
         Json::object({{"type", "text"}, {"text", "what?"}})});
    return Json::object(
        {{"messages", Json::array({Json::object({{"role", "user"}, {"content", parts}})})},
         {"max_tokens", 12}});
  }
  base::Result<Json> ask(const Json& request) { return service_->generate(request, lines_); }

  Lines lines_;
  std::unique_ptr<engine::ChatModel> chat_;
  std::unique_ptr<Service> service_;
  std::thread thread_;
  std::atomic<bool> must_stop_{false};
};

TEST_F(ServiceTest, AnswersAndCounts) {
  start();
  const auto last = ask(request("hi", R"("max_tokens": 5)"));
  ASSERT_TRUE(last.ok()) << last.error().text();
  EXPECT_EQ((*last)["finish_reason"].as_string(), "length");
  EXPECT_EQ((*last)["usage"]["prompt_tokens"].as_int(), 7);  // u : h i </s> a :
  EXPECT_EQ((*last)["usage"]["completion_tokens"].as_int(), 5);
  EXPECT_FALSE(lines_.text.empty());
}

TEST_F(ServiceTest, TextThatSpellsControlTokensIsText) {
  start();
  const auto last = ask(request("<s></s>", R"("max_tokens": 1)"));
  ASSERT_TRUE(last.ok()) << last.error().text();
  EXPECT_EQ((*last)["usage"]["prompt_tokens"].as_int(), 12);  // u : 3 bytes, 4 bytes, </s> a :
}

TEST_F(ServiceTest, NamesTheFieldOfARequestThatDoesNotFit) {
  start();
  EXPECT_EQ(ask(request("hi", R"("max_tokens": 1000)")).error().field, "max_tokens");
  EXPECT_EQ(ask(request(std::string(300, 'x'))).error().field, "messages");
  EXPECT_EQ(ask(request("hi", R"("temperature": -1)")).error().code, Code::kInvalidArgument);
  Json broken = request_of_image(28);
  broken["messages"].items()[0]["content"].items()[0]["image_url"]["url"] =
      "data:image/png;base64,AAAA";
  const auto refused = ask(broken);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "messages");
  EXPECT_EQ(refused.error().file, "") << "an image has no file here";
}

TEST_F(ServiceTest, RefusesToolsThatTheTemplateDoesNotShow) {
  start();
  const auto refused =
      ask(request("hi", R"("tools": [{"type": "function", "function": {"name": "f"}}])"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "tools");
}

TEST_F(ServiceTest, OneBadAnswerLeavesTheOthersAlone) {
  start();
  ASSERT_TRUE(ask(request("hello", R"("max_tokens": 40)")).ok());
  const std::string alone = std::exchange(lines_.text, {});
  std::vector<std::thread> askers;
  std::array<Lines, 3> good;
  std::array<std::optional<base::Result<Json>>, 3> ends;
  for (size_t i = 0; i < good.size(); ++i) {
    askers.emplace_back([this, &good, &ends, i] {
      ends[i] = service_->generate(request("hello", R"("max_tokens": 40)"), good[i]);
    });
  }
  const auto bad = ask(request_of_image(42));  // the tower takes 28 x 28
  for (std::thread& asker : askers) asker.join();
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message.find("42"), std::string::npos) << bad.error().text();
  for (size_t i = 0; i < good.size(); ++i) {
    ASSERT_TRUE(ends[i]->ok()) << ends[i]->error().text();
    EXPECT_EQ(good[i].text, alone);
  }
  EXPECT_TRUE(ask(request_of_image(28)).ok()) << "and the service goes on";
}

TEST_F(ServiceTest, TheSameSeedGivesTheSameAnswer) {
  start();
  const auto sampled = [this](int seed) {
    lines_.text.clear();
    EXPECT_TRUE(ask(request("hi", R"("temperature": 1.5, "max_tokens": 20, "seed": )" +
                                      std::to_string(seed)))
                    .ok());
    return lines_.text;
  };
  const std::string first = sampled(-5);
  EXPECT_EQ(sampled(-5), first);
  EXPECT_NE(sampled(6), first);
}

TEST_F(ServiceTest, StopsWorkingForAnAskerWhoHasGone) {
  start();
  lines_.is_here = false;
  EXPECT_EQ(ask(request("hi")).error().code, Code::kCancelled);
}

TEST_F(ServiceTest, RefusesWhenTooManyWait) {
  start({.sequences_max = 1, .waiting_max = 0});
  EXPECT_EQ(ask(request("hi")).error().code, Code::kResourceExhausted);
}

TEST_F(ServiceTest, EndsItsRequestsWhenItIsStopped) {
  start();
  must_stop_ = true;
  thread_.join();
  EXPECT_EQ(ask(request("hi")).error().code, Code::kCancelled);
}

TEST_F(ServiceTest, ATokenizerThatIsNotThereIsNamed) {
  const auto opened = open_chat("com.example.none");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kNotFound);
  EXPECT_NE(opened.error().text().find("com.example.none"), std::string::npos);
}

}  // namespace
}  // namespace mortise::serve
