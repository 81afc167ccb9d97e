#include <sys/stat.h>

#include "tests/unit/server/server_fixture.h"

namespace mortise::server {
namespace {

using base::Json;

TEST_F(ServerTest, AsksForItsToken) {
  EXPECT_EQ(call("GET", "/api/v1/datasets", "", "").status, 401);
  EXPECT_EQ(call("GET", "/api/v1/datasets", "", "mrt_wrong").status, 401);
  EXPECT_EQ(call("GET", "/api/v1/datasets", "", std::string(kToken) + "0").status, 401);
  EXPECT_EQ(call("GET", "/api/v1/datasets").status, 200);
  EXPECT_EQ(call("GET", "/healthz", "", "").status, 200);
}

TEST_F(ServerTest, SaysWhatIsWrongAsAProblem) {
  const RawAnswer answer = call("GET", "/api/v1/jobs/none");
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(answer.head.find("Content-Type: application/problem+json"), std::string::npos);
  EXPECT_EQ(json(answer)["code"].as_string(), "NOT_FOUND");
  EXPECT_EQ(call("GET", "/api/v1/nothing").status, 404);
  const RawAnswer wrong = call("PUT", "/api/v1/jobs");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_NE(wrong.head.find("Allow: GET, POST"), std::string::npos);
}

TEST_F(ServerTest, SpeaksOpenAisErrorsUnderItsPaths) {
  const RawAnswer answer = call("GET", "/v1/models", "", "");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(json(answer)["error"]["type"].as_string(), "authentication_error");
}

TEST_F(ServerTest, NamesTheFieldOfABadManifest) {
  const RawAnswer answer =
      call("POST", "/api/v1/jobs", R"({"kind":"train","model":"m","dataset":"d","lr":1})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(json(answer)["field"].as_string(), "/lr");
  EXPECT_EQ(call("POST", "/api/v1/jobs", "{").status, 400);
  EXPECT_EQ(call("POST", "/api/v1/jobs", "").status, 400);
  EXPECT_EQ(call("POST", "/api/v1/jobs", R"({"kind":"train","model":"m","dataset":"d"})").status,
            404);
  const RawAnswer unbuilt =
      call("POST", "/api/v1/jobs", R"({"kind":"export","model":"m","export":["onnx"]})");
  EXPECT_EQ(unbuilt.status, 501);
  EXPECT_EQ(json(unbuilt)["field"].as_string(), "/export");
  EXPECT_TRUE(hub_->jobs().list({}, {50, ""})->items.empty());
}

TEST_F(ServerTest, RefusesATokenizerThatIsNotHereBeforeAnythingIsSent) {
  const RawAnswer refused =
      call("POST", "/api/v1/uploads", R"({"name":"chest","task_type":"vqa","tokenizer":"nobody"})");
  EXPECT_EQ(refused.status, 404);
  EXPECT_NE(json(refused)["detail"].as_string().find("nobody"), std::string::npos);
  EXPECT_EQ(json(refused)["field"].as_string(), "/tokenizer");
  EXPECT_TRUE(json(call("GET", "/api/v1/uploads"))["items"].items().empty());
}

TEST_F(ServerTest, RefusesToCountTheTokensOfEdits) {
  const RawAnswer refused =
      call("POST", "/api/v1/uploads", R"({"name":"chest","change":"edit","max_length":9})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(json(refused)["field"].as_string(), "/max_length");
  EXPECT_FALSE(json(refused)["hint"].as_string().empty());
}

TEST_F(ServerTest, TakesAnUploadToAVersion) {
  const RawAnswer created =
      call("POST", "/api/v1/uploads", R"({"name":"chest","task_type":"vqa"})");
  ASSERT_EQ(created.status, 201);
  const std::string id = json(created)["id"].as_string();
  const std::string path = "/api/v1/uploads/" + id;
  ASSERT_EQ(send_file(id, "rows.jsonl", "{}\n{}\n").status, 201);
  ASSERT_EQ(send_file(id, "images/a.png", "PNG").status, 201);
  const RawAnswer committed = call("POST", path + "/commit");
  ASSERT_EQ(committed.status, 202);
  EXPECT_EQ(wait_for_job(json(committed)["id"].as_string()), "done");
  EXPECT_EQ(json(call("GET", path))["result"]["reference"].as_string(), "chest@1");
  const RawAnswer page = call("GET", path + "/report?format=html");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("</html>"), page.body.npos);
  EXPECT_EQ(page.body.find("<script"), page.body.npos);
  EXPECT_TRUE(json(call("GET", path + "/report")).is_object());
  EXPECT_EQ(call("GET", path + "/report?format=pdf").status, 400);
  EXPECT_EQ(json(call("GET", "/api/v1/datasets/chest@1/report")),
            json(call("GET", path + "/report")));
  EXPECT_EQ(call("GET", "/api/v1/datasets/chest/report?format=html").body, page.body);
  EXPECT_EQ(call("GET", "/api/v1/datasets/none/report").status, 404);
  const Json rows = json(call("GET", "/api/v1/datasets/chest/rows?offset=1"));
  ASSERT_EQ(rows["items"].size(), 1u);
  EXPECT_EQ(rows["items"].at(0)["n"].as_int(), 2);
  EXPECT_EQ(call("GET", "/api/v1/datasets/chest@1/media/images/a.png").body, "PNG");
  EXPECT_EQ(call("GET", "/api/v1/datasets/chest/rows.jsonl").body, "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(json(call("GET", "/api/v1/datasets"))["items"].at(0)["newest_version"].as_int(), 1);
}

TEST_F(ServerTest, CountsTheFacetsOfAllThatASearchFinds) {
  for (const char* name : {"a", "b"}) ASSERT_TRUE(add(version_of(name)).ok());

  const Json page = json(call("GET", "/api/v1/datasets?label=language%3Dzh&limit=1&facets=true"));
  EXPECT_EQ(page["items"].size(), 1u);
  EXPECT_EQ(page["facets"].dump(),
            R"({"count":2,"task_type":{"values":[{"value":"vqa","count":2}],"has_more":false},)"
            R"("labels":[{"name":"language","kind":"text","count":2,"values":[{"value":"zh",)"
            R"("count":2}],"has_more":false}],"has_more_labels":false})");
  EXPECT_FALSE(json(call("GET", "/api/v1/datasets?facets=false")).contains("facets"));
  const RawAnswer refused = call("GET", "/api/v1/datasets?facets=all");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(json(refused)["field"].as_string(), "facets");
}

TEST_F(ServerTest, SearchesAllRowsAsAJobThatTellsNobodyWhatFor) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const std::string path = "/api/v1/datasets/chest/search";

  const RawAnswer started = call("POST", path, R"({"grep":"Ann Smith","where":["n=1"]})");

  ASSERT_EQ(started.status, 202);
  const std::string job = "/api/v1/jobs/" + json(started)["id"].as_string();
  EXPECT_EQ(header_of(started, "Location"), job);
  ASSERT_EQ(wait_for_job(json(started)["id"].as_string()), "done");
  const RawAnswer shown = call("GET", job);
  EXPECT_EQ(json(shown)["manifest"]["dataset"].as_string(), "chest@1");
  EXPECT_EQ(json(shown)["manifest"]["search"]["matches_max"].as_int(), 10'000);
  EXPECT_EQ(shown.body.find("Smith"), shown.body.npos);
  EXPECT_EQ(call("GET", job + "/artifacts/matches.jsonl").body,  // what the fake worker found
            R"({"split":"","ratio":0.1,"seed":7,"grep":"Ann Smith","where":["n=1"]})");
}

TEST_F(ServerTest, RefusesSearchesThatCannotBe) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(hub_->datasets().withdraw("chest@1").ok());
  const auto refused = [&](const char* reference, const char* body) {
    const RawAnswer answer =
        call("POST", std::string("/api/v1/datasets/") + reference + "/search", body);
    return std::to_string(answer.status) + " " + json(answer)["field"].as_string();
  };

  EXPECT_EQ(refused("chest", R"({"where":["n>cat"]})"), "400 where");
  EXPECT_EQ(refused("chest", R"({"where":"n=1"})"), "400 /where");
  EXPECT_EQ(refused("chest", R"({"text":"a"})"), "400 /text");
  EXPECT_EQ(refused("chest", "{}"), "400 /grep");
  for (const char* limit : {"0", "1000001", "\"all\""}) {
    const std::string body = std::string(R"({"grep":"a","limit":)") + limit + "}";
    EXPECT_EQ(refused("chest", body.c_str()), "400 /limit") << limit;
  }
  EXPECT_EQ(refused("chest@1", R"({"grep":"a"})"), "409 ");
  EXPECT_EQ(refused("nobody", R"({"grep":"a"})"), "404 ");
  EXPECT_EQ(call("POST", "/api/v1/store/shred", R"({"dataset":"chest"})").status, 200);
  EXPECT_EQ(refused("chest@2", R"({"grep":"a"})"), "404 ");
  EXPECT_EQ(call("POST", "/api/v1/jobs",
                 R"({"kind":"search","dataset":"chest","search":{"domain":"d","query":"q",)"
                 R"("matches_max":1}})")
                .status,
            400);
}

TEST_F(ServerTest, CaresForTheStoreAndShredsADataSet) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  const Json scrubbed = json(call("POST", "/api/v1/store/scrub", "{}"));
  EXPECT_EQ(scrubbed["domains"].as_int(), 1);
  EXPECT_EQ(scrubbed["findings"].size(), 0u);
  EXPECT_TRUE(scrubbed["cursor"].is_null());
  const Json piece = json(call("POST", "/api/v1/store/scrub", R"({"bytes_per_second":100})"));
  const Json rest = json(call("POST", "/api/v1/store/scrub",
                              Json::object({{"cursor", piece["cursor"]}}).dump().c_str()));
  EXPECT_EQ(piece["chunks_ok"].as_int() + rest["chunks_ok"].as_int(),
            scrubbed["chunks_ok"].as_int());
  EXPECT_GT(rest["chunks_ok"].as_int(), 0);
  EXPECT_EQ(call("POST", "/api/v1/store/scrub", R"({"cursor":"none"})").status, 400);
  const Json verified = json(call("POST", "/api/v1/store/verify", "{}"));
  EXPECT_EQ(verified["versions"].as_int(), 1);
  EXPECT_EQ(verified["findings"].size(), 0u);
  EXPECT_TRUE(verified["cursor"].is_null());
  EXPECT_EQ(call("POST", "/api/v1/store/verify", R"({"reference":"none"})").status, 404);
  EXPECT_EQ(call("POST", "/api/v1/store/unlock", R"({"passphrase":"x"})").status, 409)
      << "the key is a file";
  EXPECT_EQ(json(call("GET", "/readyz"))["keys"].as_string(), "unlocked");
  EXPECT_EQ(json(call("POST", "/api/v1/store/rotate", "{}"))["kek_version"].as_int(), 2);
  EXPECT_EQ(call("POST", "/api/v1/store/compact", R"({"grace_seconds":0})").status, 200);
  const RawAnswer early = call("POST", "/api/v1/store/compact", R"({"grace_seconds":-5})");
  EXPECT_EQ(early.status, 400);
  EXPECT_EQ(json(early)["field"].as_string(), "/grace_seconds");
  EXPECT_EQ(call("POST", "/api/v1/store/backup", R"({"target":"near"})").status, 400);
  const std::string target = R"({"target":")" + (folder_ / "backup") + "\"}";
  EXPECT_EQ(json(call("POST", "/api/v1/store/backup", target))["domains"].as_int(), 1);
  EXPECT_EQ(json(call("GET", "/api/v1/datasets/chest/rows"))["items"].size(), 1u);
  const Json certificate = json(call("POST", "/api/v1/store/shred", R"({"dataset":"chest"})"));
  EXPECT_EQ(certificate["key_id"].as_string().size(), 32u);
  EXPECT_EQ(call("GET", "/api/v1/datasets/chest@1").status, 404);
  EXPECT_EQ(call("POST", "/api/v1/store/shred", R"({"dataset":"chest"})").status, 404);
  EXPECT_EQ(call("POST", "/api/v1/store/defragment", "{}").status, 404);
}

TEST_F(ServerTest, FollowsAJobToItsEnd) {
  ASSERT_EQ(import_model(), "m@1");
  ASSERT_TRUE(add(version_of("d")).ok());
  const Json job = json(
      call("POST", "/api/v1/jobs", R"({"kind":"train","name":"t","model":"m","dataset":"d"})"));
  const RawAnswer events = call("GET", "/api/v1/jobs/" + job["id"].as_string() + "/events");
  EXPECT_EQ(events.status, 200);
  EXPECT_NE(events.body.find("event: state\n"), std::string::npos);
  EXPECT_NE(events.body.find("event: metrics\ndata: {\"step\":1,\"loss\":2.5}"), std::string::npos)
      << events.body;
  EXPECT_NE(events.body.find("event: end\n"), std::string::npos);
  const Json shown = json(call("GET", "/api/v1/jobs/t"));
  EXPECT_EQ(shown["record"]["models"].at(0).as_string(), "t@1");
  EXPECT_EQ(shown["artifacts"].size(), 2u);
  EXPECT_EQ(call("GET", "/api/v1/jobs/t/artifacts/adapter/adapter_model.safetensors").body, "W");
  EXPECT_EQ(call("GET", "/api/v1/jobs/t/artifacts/other").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/models/t@1/files/adapter_model.safetensors").body, "W");
  EXPECT_EQ(json(call("GET", "/api/v1/jobs/t/metrics"))["items"].size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/jobs/t/log").status, 200);
  EXPECT_EQ(call("POST", "/api/v1/jobs/t/cancel").status, 409);
}

class ChatTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    ASSERT_EQ(import_model(), "m@1");
    ASSERT_EQ(call("POST", "/api/v1/endpoints", R"({"name":"e","model":"m"})").status, 201);
    for (int i = 0; i < 2000 && hub_->endpoints().get("e")->state != "ready"; ++i) {
      base::system_clock().sleep_ms(10);
    }
  }
  RawAnswer chat(const std::string& content, const std::string& more = "") {
    return call(
        "POST", "/v1/chat/completions",
        R"({"model":"e","messages":[{"role":"user","content":)" + content + "}]" + more + "}");
  }
};

TEST_F(ChatTest, AnswersInOnePiece) {
  const Json answer = json(chat("\"hi\""));
  EXPECT_EQ(answer["choices"].at(0)["message"]["content"].as_string(), "echo hi");
  EXPECT_EQ(answer["choices"].at(0)["finish_reason"].as_string(), "stop");
  EXPECT_EQ(answer["usage"]["total_tokens"].as_int(), 3);
  EXPECT_EQ(json(call("GET", "/v1/models"))["data"].at(0)["id"].as_string(), "e");
}

TEST_F(ChatTest, StreamsTokens) {
  const RawAnswer answer =
      chat("\"hi\"", R"(,"stream":true,"stream_options":{"include_usage":true})");
  EXPECT_NE(answer.head.find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_NE(answer.body.find(R"("delta":{"content":"h"})"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find(R"("total_tokens":3)"), std::string::npos);
  EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ChatTest, TakesImagesInsideTheRequestOnly) {
  const auto image = [](const std::string& url) {
    return R"([{"type":"image_url","image_url":{"url":")" + url + "\"}}]";
  };
  EXPECT_EQ(chat(image("data:image/png;base64,AAAA")).status, 200);
  for (const char* url :
       {"http://x/y.png", "https://x/y.png", "file:///etc/passwd", "data:text/html,x", ""}) {
    EXPECT_EQ(chat(image(url)).status, 400) << url;
  }
}

TEST_F(ChatTest, TakesSoundOfTheTwoFormatsThatOpenAiNames) {
  const auto sound = [](const std::string& audio) {
    return R"([{"type":"input_audio","input_audio":)" + audio + "}]";
  };
  EXPECT_EQ(chat(sound(R"({"data":"AAAA","format":"wav"})")).status, 200);
  EXPECT_EQ(chat(sound(R"({"data":"AAAA","format":"mp3"})")).status, 200);
  EXPECT_EQ(chat(sound(R"({"data":"AAAA","format":"flac"})")).status, 400);
  EXPECT_EQ(chat(sound(R"({"data":7,"format":"wav"})")).status, 400);
  EXPECT_EQ(chat(sound("\"AAAA\"")).status, 400);
}

TEST_F(ChatTest, BringsARefusalOfTheWorkerAsAnError) {
  EXPECT_EQ(chat("\"refuse\"").status, 400);
  EXPECT_EQ(chat("\"refuse\"", R"(,"stream":true)").status, 400);
}

constexpr const char* kTools =
    R"(,"tools":[{"type":"function","function":{"name":"weather","parameters":{}}}])";

TEST_F(ChatTest, GivesCallsOfToolsInOnePiece) {
  const Json choice = json(chat("\"Oslo\"", kTools))["choices"].at(0);
  EXPECT_EQ(choice["finish_reason"].as_string(), "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  const Json& call = choice["message"]["tool_calls"].at(0);
  EXPECT_TRUE(call["id"].as_string().starts_with("call_")) << call.dump();
  EXPECT_EQ(call["type"].as_string(), "function");
  EXPECT_EQ(call["function"]["name"].as_string(), "weather");
  EXPECT_EQ(call["function"]["arguments"].as_string(), R"({"text":"Oslo"})");
}

TEST_F(ChatTest, StreamsCallsOfToolsAsDeltas) {
  const RawAnswer answer = chat("\"Oslo\"", std::string(kTools) + R"(,"stream":true)");
  std::string id, name, arguments, finish;
  size_t from = 0;
  for (size_t at; (at = answer.body.find("data: {", from)) != std::string::npos; from = at + 1) {
    const size_t end = answer.body.find("\n\n", at);
    const Json chunk = *base::parse_json(answer.body.substr(at + 6, end - at - 6));
    const Json& choice = chunk["choices"].at(0);
    const Json& call = choice["delta"]["tool_calls"].at(0);
    EXPECT_EQ(call["index"].as_int(), 0);
    id += call["id"].as_string();
    name += call["function"]["name"].as_string();
    arguments += call["function"]["arguments"].as_string();
    finish += choice["finish_reason"].as_string();
  }
  EXPECT_TRUE(id.starts_with("call_")) << answer.body;
  EXPECT_EQ(id.rfind("call_"), 0u) << "the id comes once";
  EXPECT_EQ(name, "weather");
  EXPECT_EQ(arguments, R"({"text":"Oslo"})");
  EXPECT_EQ(finish, "tool_calls");
}

TEST_F(ChatTest, ToolsThatAreNotToBeCalledAreNotShown) {
  const Json choice =
      json(chat("\"hi\"", std::string(kTools) + R"(,"tool_choice":"none")"))["choices"].at(0);
  EXPECT_EQ(choice["message"]["content"].as_string(), "echo hi");
  EXPECT_FALSE(choice["message"].contains("tool_calls"));
}

TEST_F(ChatTest, NamesTheFieldThatItRefuses) {
  const RawAnswer answer = chat("\"hi\"", R"(,"n":2)");
  EXPECT_EQ(answer.status, 400);
  const Json error = json(answer)["error"];
  EXPECT_EQ(error["type"].as_string(), "invalid_request_error");
  EXPECT_EQ(error["param"].as_string(), "n");
  EXPECT_EQ(chat("7").status, 400);
  EXPECT_EQ(call("POST", "/v1/chat/completions",
                 R"({"model":"none","messages":[{"role":"user","content":"x"}]})")
                .status,
            404);
}

TEST_F(ChatTest, EndsWithItsEndpoint) {
  EXPECT_EQ(call("DELETE", "/api/v1/endpoints/e").status, 204);
  EXPECT_EQ(chat("\"hi\"").status, 404);
}

TEST(OwnerToken, IsMadeOnceAndForItsOwnerOnly) {
  const tests::TempFolder folder;
  const auto first = owner_token(base::posix_file_ops(), base::system_random(), folder.path());
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*owner_token(base::posix_file_ops(), base::system_random(), folder.path()), *first);
  struct stat facts {};
  ASSERT_EQ(::stat((folder / "token").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST(OwnerToken, IsRefusedWhenItIsNotWhole) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), folder / "token", "\n").ok());
  EXPECT_EQ(owner_token(base::posix_file_ops(), base::system_random(), folder.path()).error().code,
            base::Code::kDataLoss);
}

TEST_F(ServerTest, ListensWithoutATokenOnLoopbackOnly) {
  ServerOptions options;
  options.http.address = "0.0.0.0";
  EXPECT_EQ(Server::start(*hub_, options).error().code, base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace mortise::server
