// tus 1.0.0 over a socket: every MUST of the protocol, and what this server promises beyond it.
#include <cstdio>
#include <thread>

#include "tests/unit/server/server_fixture.h"

namespace mortise::server {
namespace {

std::string base64(const std::string& text) {
  return base::to_base64(base::as_bytes(text));
}

class TusTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    upload_ = json(call("POST", "/api/v1/uploads", R"({"name":"chest","task_type":"vqa"})"))["id"]
                  .as_string();
  }
  std::string metadata(const std::string& name) {
    return "Upload-Metadata: upload " + base64(upload_) + ",filename " + base64(name) + "\r\n";
  }
  // The path of a new transfer of a file "x".
  std::string created(const std::string& length = "Upload-Length: 10\r\n") {
    const RawAnswer answer = tus("POST", "/api/v1/uploads", length + metadata("x"));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return header_of(answer, "Location");
  }
  RawAnswer patch(const std::string& path, int64_t offset, const std::string& body,
                  const std::string& headers = "") {
    return tus("PATCH", path, "Upload-Offset: " + std::to_string(offset) + "\r\n" + headers, body);
  }
  std::string offset_of(const std::string& path) {
    return header_of(tus("HEAD", path), "Upload-Offset");
  }
  std::string content_of(const std::string& name) {
    const auto files = hub_->uploads().files(upload_, {1000, ""});
    for (const store::NamedObject& file : files->items) {
      if (file.name == name) return domain("chest")->read_all(file.ref).value();
    }
    return "(no such file)";
  }
  std::string upload_;
};

TEST_F(TusTest, TakesAFileInPiecesAndSaysWhereItIs) {
  const std::string path = created();
  EXPECT_EQ(offset_of(path), "0");
  const RawAnswer first = patch(path, 0, "01234");
  EXPECT_EQ(first.status, 204);
  EXPECT_EQ(header_of(first, "Upload-Offset"), "5");
  EXPECT_EQ(header_of(first, "Tus-Resumable"), "1.0.0");
  EXPECT_TRUE(header_of(first, "Upload-Expires").ends_with(" GMT"));
  EXPECT_EQ(content_of("x"), "(no such file)");
  EXPECT_EQ(header_of(patch(path, 5, "56789"), "Upload-Offset"), "10");
  const RawAnswer head = tus("HEAD", path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(header_of(head, "Upload-Offset"), "10");
  EXPECT_EQ(header_of(head, "Upload-Length"), "10");
  EXPECT_EQ(header_of(head, "Upload-Metadata"),
            "upload " + base64(upload_) + ",filename " + base64("x"));
  EXPECT_EQ(header_of(head, "Cache-Control"), "no-store");
  EXPECT_EQ(content_of("x"), "0123456789");
}

TEST_F(TusTest, KeepsWhatArrivedBeforeALinkBroke) {
  const std::string path = created();
  {
    RawClient client(server_->port());
    client.send("PATCH " + path + " HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n" +
                "Authorization: Bearer " + kToken +
                "\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
                "Content-Length: 10\r\n\r\n0123");
    client.end_sending();
    EXPECT_EQ(header_of(client.receive(), "Upload-Offset"), "4");
  }
  EXPECT_EQ(offset_of(path), "4");
  EXPECT_EQ(patch(path, 4, "456789").status, 204);
  EXPECT_EQ(content_of("x"), "0123456789");
}

TEST_F(TusTest, RefusesAWrongOffsetAndSaysTheRightOne) {
  const std::string path = created();
  ASSERT_EQ(patch(path, 0, "01234").status, 204);
  for (const int64_t offset : {0, 4, 6, 11}) {
    const RawAnswer answer = patch(path, offset, "x");
    EXPECT_EQ(answer.status, 409) << offset;
    EXPECT_EQ(header_of(answer, "Upload-Offset"), "5");
    EXPECT_EQ(header_of(answer, "Tus-Resumable"), "1.0.0");
    EXPECT_EQ(header_of(answer, "Content-Type"), "application/problem+json");
  }
  EXPECT_EQ(offset_of(path), "5");
}

}  // namespace
}  // namespace mortise::server
