// OpenAI's Files and Uploads, and the form reader under them.
#include "server/multipart.h"
#include "tests/unit/server/server_fixture.h"

namespace mortise::server {
namespace {

using base::Code;

class FilesTest : public ServerTest {
 protected:
  RawAnswer send_form(const std::string& path, const std::string& body) {
    return call("POST", path, body, kToken, "Content-Type: multipart/form-data; boundary=B\r\n");
  }
  static std::string field(const std::string& name, const std::string& value) {
    return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  }
  static std::string file(const std::string& name, const std::string& filename,
                          const std::string& content) {
    return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + filename +
           "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + content + "\r\n";
  }
  Json stored(const std::string& content, const std::string& purpose = "fine-tune") {
    return json(send_form(
        "/v1/files", field("purpose", purpose) + file("file", "r.jsonl", content) + "--B--\r\n"));
  }
};

TEST_F(FilesTest, AreStoredListedReadAndDeleted) {
  const Json made = stored("{}\n");
  EXPECT_EQ(made["object"].as_string(), "file");
  EXPECT_EQ(made["bytes"].as_int(), 3);
  EXPECT_EQ(made["filename"].as_string(), "r.jsonl");
  EXPECT_EQ(made["purpose"].as_string(), "fine-tune");
  const std::string path = "/v1/files/" + made["id"].as_string();
  EXPECT_EQ(json(call("GET", path))["id"].as_string(), made["id"].as_string());
  EXPECT_EQ(call("GET", path + "/content").body, "{}\n");
  const Json second = stored("B", "vision");
  const Json list = json(call("GET", "/v1/files?limit=1"));
  EXPECT_EQ(list["data"].at(0)["id"].as_string(), second["id"].as_string());
  EXPECT_TRUE(list["has_more"].as_bool());
  const Json rest = json(call("GET", "/v1/files?after=" + second["id"].as_string()));
  EXPECT_EQ(rest["data"].at(0)["id"].as_string(), made["id"].as_string());
  EXPECT_FALSE(rest["has_more"].as_bool());
  EXPECT_EQ(json(call("GET", "/v1/files?purpose=vision"))["data"].size(), 1u);
  EXPECT_TRUE(json(call("DELETE", path))["deleted"].as_bool());
  EXPECT_EQ(call("GET", path).status, 404);
}

TEST_F(FilesTest, RefuseInOpenAisWords) {
  const RawAnswer purpose =
      send_form("/v1/files", field("purpose", "fun") + file("file", "f", "x") + "--B--\r\n");
  EXPECT_EQ(purpose.status, 400);
  EXPECT_EQ(json(purpose)["error"]["param"].as_string(), "purpose");
  EXPECT_EQ(send_form("/v1/files", field("purpose", "vision") + "--B--\r\n").status, 400);
  EXPECT_EQ(send_form("/v1/files", file("file", "f", "x")).status, 400) << "no last boundary";
  EXPECT_EQ(
      send_form("/v1/files", field("expires_after[seconds]", "1") + field("purpose", "vision") +
                                 file("file", "f", "x") + "--B--\r\n")
          .status,
      400);
  EXPECT_EQ(call("POST", "/v1/files", "{}").status, 415);
  EXPECT_EQ(json(call("GET", "/v1/files/file-0"))["error"]["code"].as_string(), "NOT_FOUND");
  EXPECT_EQ(call("GET", "/v1/files/other").status, 404);
  EXPECT_EQ(json(call("GET", "/v1/files"))["data"].size(), 0u);
}

TEST_F(FilesTest, ComeInParts) {
  const Json upload = json(
      call("POST", "/v1/uploads",
           R"({"filename":"a.jsonl","purpose":"fine-tune","bytes":4,"mime_type":"text/jsonl"})"));
  EXPECT_EQ(upload["status"].as_string(), "pending");
  const std::string path = "/v1/uploads/" + upload["id"].as_string();
  const auto part = [&](const std::string& content) {
    return json(send_form(path + "/parts", file("data", "p", content) + "--B--\r\n"))["id"]
        .as_string();
  };
  const std::string a = part("01"), b = part("23");
  EXPECT_EQ(call("POST", path + "/complete", R"({"part_ids":[")" + a + "\"]}").status, 400)
      << "bytes are missing";
  EXPECT_EQ(call("POST", path + "/complete", R"({"part_ids":["x"]})").status, 400);
  const Json done =
      json(call("POST", path + "/complete", R"({"part_ids":[")" + b + "\",\"" + a + "\"]}"));
  EXPECT_EQ(done["status"].as_string(), "completed");
  EXPECT_EQ(call("GET", "/v1/files/" + done["file"]["id"].as_string() + "/content").body, "2301");
  EXPECT_EQ(call("POST", path + "/cancel").status, 409);
  EXPECT_EQ(json(call("GET", "/v1/files"))["data"].size(), 1u) << "parts are no files";
}

TEST_F(FilesTest, PartsOfACancelledUploadAreRefused) {
  const Json upload =
      json(call("POST", "/v1/uploads",
                R"({"filename":"a","purpose":"vision","bytes":2,"mime_type":"image/png"})"));
  const std::string path = "/v1/uploads/" + upload["id"].as_string();
  EXPECT_EQ(json(call("POST", path + "/cancel"))["status"].as_string(), "cancelled");
  EXPECT_EQ(send_form(path + "/parts", file("data", "p", "01") + "--B--\r\n").status, 404);
  EXPECT_EQ(call("POST", "/v1/uploads", R"({"filename":"a","purpose":"vision"})").status, 400);
}

TEST_F(FilesTest, BecomeTheRowsOfADataSet) {
  const Json made = stored("{}\n{}\n");
  const std::string id =
      json(call("POST", "/api/v1/uploads", R"({"name":"d","task_type":"vqa"})"))["id"].as_string();
  const std::string path = "/api/v1/uploads/" + id + "/files";
  EXPECT_EQ(call("POST", path, R"({"file":")" + made["id"].as_string() + "\"}").status, 201);
  EXPECT_EQ(names_of(id), std::vector<std::string>{"r.jsonl"});
  EXPECT_EQ(
      call("POST", path, R"({"file":")" + made["id"].as_string() + R"(","name":"../x"})").status,
      400);
  EXPECT_EQ(call("POST", path, R"({"file":"file-0"})").status, 404);
  EXPECT_EQ(wait_for_job(json(call("POST", "/api/v1/uploads/" + id + "/commit"))["id"].as_string()),
            "done");
}

// What a form holds when it comes in pieces of this size: "name(filename)=content;".
base::Result<std::string> read(const std::string& form, size_t piece) {
  std::string found;
  MORTISE_ASSIGN(FormReader reader,
                 FormReader::begin("multipart/form-data; boundary=\"B\"",
                                   {.begin_part =
                                        [&](const std::string& name, const std::string& filename) {
                                          found += name + "(" + filename + ")=";
                                          return base::Status();
                                        },
                                    .data =
                                        [&](base::ByteView bytes) {
                                          found += base::as_text(bytes);
                                          return base::Status();
                                        },
                                    .end_part =
                                        [&] {
                                          found += ";";
                                          return base::Status();
                                        }}));
  for (size_t at = 0; at < form.size(); at += piece) {
    MORTISE_TRY(reader.take(base::as_bytes(std::string_view(form).substr(at, piece))));
  }
  MORTISE_TRY(reader.finish());
  return found;
}

TEST(Form, IsReadHoweverItIsCut) {
  const std::string form =
      "preamble\r\n--B\r\nContent-Disposition: form-data; name=\"a;b\"\r\n\r\n1\r\n--\r\n"
      "\r\n--B\r\ncontent-disposition: form-data; filename=\"q\\\"x\"; name=f\r\nX: y\r\n\r\n"
      "\r\n--B--\r\nepilogue";
  for (size_t piece = 1; piece <= form.size(); ++piece) {
    EXPECT_EQ(read(form, piece).value(), "a;b()=1\r\n--\r\n;f(q\"x)=;") << piece;
  }
}

TEST(Form, IsRefusedWhenItIsBroken) {
  EXPECT_EQ(FormReader::begin("text/plain", {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(FormReader::begin("multipart/form-data", {}).error().code, Code::kInvalidArgument);
  for (const char* form : {"", "--B\r\n", "--Bx", "--B\r\nX: y\r\n\r\n\r\n--B--",
                           "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx"}) {
    EXPECT_FALSE(read(form, 3).ok()) << form;
  }
  EXPECT_EQ(read("--B\r\n" + std::string(20'000, 'x'), 100).error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace mortise::server
