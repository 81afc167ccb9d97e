// tus 1.0.0 over a socket: every MUST of the protocol, and what this server promises beyond it.
#include <cstdio>
#include <deque>
#include <map>

#include "tests/support/faulty_file_ops.h"
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
  static std::string checksum(const std::string& algorithm, const std::string& text) {
    const auto bytes = base::as_bytes(text);
    const std::string digest = algorithm == "sha1" ? base::to_base64(base::sha1(bytes))
                                                   : base::to_base64(base::sha256(bytes));
    return "Upload-Checksum: " + algorithm + " " + digest + "\r\n";
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

// The server over a disk that writes down its calls; no runner beside it.
class TusOnDiskTest : public ServerTest {
 protected:
  void SetUp() override {
    hub::HubFixture::SetUp();
    open(files_);
    ServerOptions options = options_;
    options.token = kToken;
    server_ = Server::start(*hub_, options).value();
  }
  void TearDown() override {
    server_.reset();
    hub_.reset();
  }
  tests::FaultyFileOps files_{base::posix_file_ops()};
};

TEST_F(TusOnDiskTest, AnAcknowledgedOffsetIsSynced) {
  const std::string upload =
      json(call("POST", "/api/v1/uploads", R"({"name":"chest","task_type":"vqa"})"))["id"]
          .as_string();
  const RawAnswer made = tus("POST", "/api/v1/uploads?upload=" + upload,
                             "Upload-Length: 10\r\nUpload-Metadata: filename eA==\r\n");
  const size_t before = files_.calls().size();
  ASSERT_EQ(tus("PATCH", header_of(made, "Location"), "Upload-Offset: 0\r\n", "01234").status, 204);
  std::map<std::string, bool> is_synced;  // of each file written to
  for (size_t i = before; i < files_.calls().size(); ++i) {
    const std::string& call = files_.calls()[i];
    if (call.starts_with("write ")) is_synced[call.substr(6)] = false;
    if (call.starts_with("sync ")) is_synced[call.substr(5)] = true;
  }
  EXPECT_FALSE(is_synced.empty());
  for (const auto& [path, synced] : is_synced) EXPECT_TRUE(synced) << path;
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

TEST_F(TusTest, SaysWhatItServes) {
  for (const char* path : {"/api/v1/uploads", "/api/v1/uploads/0123"}) {
    const RawAnswer answer =
        call("OPTIONS", path, "", "", "Tus-Resumable: 0.2.2\r\n");  // which is ignored here
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(header_of(answer, "Tus-Version"), "1.0.0");
    EXPECT_EQ(header_of(answer, "Tus-Extension"),
              "creation,creation-with-upload,creation-defer-length,checksum,expiration,"
              "termination,concatenation");
    EXPECT_EQ(header_of(answer, "Tus-Checksum-Algorithm"), "sha1,sha256");
    EXPECT_EQ(header_of(answer, "Tus-Max-Size"), "1099511627776");
  }
}

TEST_F(TusTest, RefusesOtherVersionsWithoutDoingAnything) {
  const std::string path = created();
  for (const char* version : {"", "Tus-Resumable: 0.2.2\r\n"}) {
    const RawAnswer answer = call("PATCH", path, "01234", kToken,
                                  std::string(version) +
                                      "Content-Type: application/offset+octet-stream\r\n"
                                      "Upload-Offset: 0\r\n");
    EXPECT_EQ(answer.status, 412);
    EXPECT_EQ(header_of(answer, "Tus-Version"), "1.0.0");
  }
  EXPECT_EQ(call("DELETE", path).status, 412);
  EXPECT_EQ(offset_of(path), "0");
}

TEST_F(TusTest, RefusesBadCreations) {
  const auto status = [&](const std::string& headers, const std::string& body = "") {
    return tus("POST", "/api/v1/uploads", headers, body).status;
  };
  EXPECT_EQ(status(metadata("x")), 400) << "no length";
  EXPECT_EQ(status("Upload-Length: 1\r\nUpload-Defer-Length: 1\r\n" + metadata("x")), 400);
  EXPECT_EQ(status("Upload-Defer-Length: 2\r\n" + metadata("x")), 400);
  for (const char* length : {"-1", "1x", "", "0x5", "99999999999999999999"}) {
    EXPECT_EQ(status("Upload-Length: " + std::string(length) + "\r\n" + metadata("x")), 400)
        << length;
  }
  EXPECT_EQ(status("Upload-Length: 1099511627777\r\n" + metadata("x")), 413);
  EXPECT_EQ(status("Upload-Length: 2\r\n" + metadata("x"), "abc"), 413);
  for (const char* pairs : {"filename eA==,filename eA==", "filename *", ","}) {
    EXPECT_EQ(status("Upload-Length: 1\r\nUpload-Metadata: " + std::string(pairs) + "\r\n"), 400)
        << pairs;
  }
  for (const char* name : {"../x", "/x", ""}) {
    EXPECT_EQ(status("Upload-Length: 1\r\n" + metadata(name)), 400) << name;
  }
  EXPECT_EQ(status("Upload-Length: 1\r\nUpload-Metadata: filename eA==,upload " + base64("0123") +
                   "\r\n"),
            404);
  EXPECT_EQ(status("Upload-Length: 1\r\nUpload-Concat: other\r\n" + metadata("x")), 400);
  EXPECT_EQ(status("Upload-Length: 1\r\nUpload-Metadata: filename eA==,sha256 eA==\r\n"), 400);
}

TEST_F(TusTest, RefusesBadPatches) {
  const std::string path = created();
  const std::string type = "Content-Type: text/plain\r\nTus-Resumable: 1.0.0\r\n";
  EXPECT_EQ(call("PATCH", path, "x", kToken, type + "Upload-Offset: 0\r\n").status, 415);
  EXPECT_EQ(tus("PATCH", path, "", "x").status, 400) << "no offset";
  EXPECT_EQ(patch(path, 0, "01234567890").status, 413);
  EXPECT_EQ(patch("/api/v1/uploads/0123", 0, "x").status, 404);
  EXPECT_EQ(tus("HEAD", "/api/v1/uploads/" + upload_).status, 404) << "it is no transfer";
  EXPECT_EQ(patch(path, 0, "x", "Upload-Length: 11\r\n").status, 400) << "it was said already";
  EXPECT_EQ(offset_of(path), "0");
}

TEST_F(TusTest, TakesTheWholeWithTheCreation) {
  const RawAnswer answer =
      tus("POST", "/api/v1/uploads", "Upload-Length: 3\r\n" + metadata("x"), "abc");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(header_of(answer, "Upload-Offset"), "3");
  EXPECT_EQ(content_of("x"), "abc");
  EXPECT_EQ(tus("POST", "/api/v1/uploads", "Upload-Length: 0\r\n" + metadata("e")).status, 201);
  EXPECT_EQ(content_of("e"), "");
}

TEST_F(TusTest, ComparesChecksums) {
  const std::string path = created();
  EXPECT_EQ(patch(path, 0, "01234", "Upload-Checksum: md5 eA==\r\n").status, 400);
  EXPECT_EQ(patch(path, 0, "01234", "Upload-Checksum: sha1 eA==\r\n").status, 400);
  const RawAnswer wrong = patch(path, 0, "x1234", checksum("sha1", "01234"));
  EXPECT_EQ(wrong.status, 460);
  EXPECT_EQ(header_of(wrong, "Upload-Offset"), "0");
  EXPECT_EQ(offset_of(path), "0");
  EXPECT_EQ(patch(path, 0, "01234", checksum("sha1", "01234")).status, 204);
  EXPECT_EQ(patch(path, 5, "56789", checksum("sha256", "5678x")).status, 460);
  EXPECT_EQ(patch(path, 5, "56789", checksum("sha256", "56789")).status, 204);
  EXPECT_EQ(content_of("x"), "0123456789");
}

TEST_F(TusTest, ComparesTheWholeWithTheSha256OfItsMetadata) {
  const auto send = [&](const std::string& text, const std::string& of) {
    const std::string digest = base::to_hex(base::sha256(base::as_bytes(of)));
    return send_file(upload_, "x", text, ",sha256 " + base64(digest));
  };
  EXPECT_EQ(send("abd", "abc").status, 460);
  EXPECT_EQ(content_of("x"), "(no such file)");
  EXPECT_EQ(send("abc", "abc").status, 201);
  EXPECT_EQ(content_of("x"), "abc");
}

TEST_F(TusTest, LearnsADeferredLengthOnce) {
  const std::string path = created("Upload-Defer-Length: 1\r\n");
  ASSERT_EQ(patch(path, 0, "01234").status, 204);
  const RawAnswer head = tus("HEAD", path);
  EXPECT_EQ(header_of(head, "Upload-Defer-Length"), "1");
  EXPECT_EQ(header_of(head, "Upload-Length"), "");
  EXPECT_EQ(patch(path, 5, "", "Upload-Length: 4\r\n").status, 400) << "less than has arrived";
  EXPECT_EQ(patch(path, 5, "567", "Upload-Length: 8\r\n").status, 204);
  EXPECT_EQ(header_of(tus("HEAD", path), "Upload-Length"), "8");
  EXPECT_EQ(content_of("x"), "01234567");
}

TEST_F(TusTest, JoinsPartsInTheOrderThatIsAskedFor) {
  const auto part = [&](const std::string& text) {
    const RawAnswer answer =
        tus("POST", "/api/v1/uploads",
            "Upload-Concat: partial\r\nUpload-Length: " + std::to_string(text.size()) +
                "\r\nUpload-Metadata: upload " + base64(upload_) + "\r\n",
            text);
    EXPECT_EQ(answer.status, 201);
    return header_of(answer, "Location");
  };
  const std::string a = part("hello"), b = part(" world");
  EXPECT_EQ(header_of(tus("HEAD", a), "Upload-Concat"), "partial");
  const std::string concat =
      "final;http://localhost" + a + " " + b + " " + b;  // absolute or not, and one twice
  const RawAnswer made =
      tus("POST", "/api/v1/uploads", "Upload-Concat: " + concat + "\r\n" + metadata("x"));
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(content_of("x"), "hello world world");
  const std::string path = header_of(made, "Location");
  const RawAnswer head = tus("HEAD", path);
  EXPECT_EQ(header_of(head, "Upload-Concat"), concat);
  EXPECT_EQ(header_of(head, "Upload-Offset"), "17");
  EXPECT_EQ(header_of(head, "Upload-Length"), "17");
  EXPECT_EQ(patch(path, 17, "x").status, 403);
  EXPECT_EQ(tus("POST", "/api/v1/uploads",
                "Upload-Length: 1\r\nUpload-Concat: " + concat + "\r\n" + metadata("x"))
                .status,
            400);
}

TEST_F(TusTest, JoinsNoPartsThatAreUnfinishedOrOfAnotherDataSet) {
  const auto join = [&](const std::string& parts) {
    return tus("POST", "/api/v1/uploads", "Upload-Concat: final;" + parts + "\r\n" + metadata("y"))
        .status;
  };
  const std::string open =
      header_of(tus("POST", "/api/v1/uploads",
                    "Upload-Concat: partial\r\nUpload-Length: 5\r\nUpload-Metadata: upload " +
                        base64(upload_) + "\r\n"),
                "Location");
  EXPECT_EQ(join(open), 409);
  const std::string other = header_of(tus("POST", "/api/v1/uploads?dataset=other",
                                          "Upload-Concat: partial\r\nUpload-Length: 1\r\n", "x"),
                                      "Location");
  EXPECT_EQ(join(other), 403);
  EXPECT_EQ(join(created()), 403) << "it is no partial one";
  EXPECT_EQ(join("/api/v1/uploads/0123"), 404);
  EXPECT_EQ(join("/elsewhere/0123"), 400);
  EXPECT_EQ(join(""), 400);
}

TEST_F(TusTest, EndsAnUploadForGood) {
  const std::string path = created();
  EXPECT_EQ(tus("DELETE", path).status, 204);
  const RawAnswer head = tus("HEAD", path);
  EXPECT_EQ(head.status, 410);
  EXPECT_EQ(header_of(head, "Upload-Offset"), "");
  EXPECT_EQ(patch(path, 0, "x").status, 410);
  EXPECT_EQ(tus("DELETE", path).status, 410);
  const RawAnswer whole =
      tus("POST", "/api/v1/uploads", "Upload-Length: 1\r\n" + metadata("x"), "x");
  EXPECT_EQ(tus("DELETE", header_of(whole, "Location")).status, 204);
  EXPECT_EQ(content_of("x"), "(no such file)");
}

TEST_F(TusTest, TakesTheMethodFromItsOverride) {
  const std::string path = created();
  const RawAnswer answer =
      tus("POST", path, "X-HTTP-Method-Override: PATCH\r\nUpload-Offset: 0\r\n", "01234");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(header_of(answer, "Upload-Offset"), "5");
  EXPECT_EQ(tus("POST", path, "X-HTTP-Method-Override: BREW\r\n").status, 501);
  EXPECT_EQ(tus("POST", path, "X-HTTP-Method-Override: DELETE\r\n").status, 204);
  EXPECT_EQ(tus("HEAD", path).status, 410);
}

TEST_F(TusTest, HandsAStaleRequestOverToTheOneThatResumes) {
  const std::string path = created("Upload-Length: 10\r\n");
  // Sends half, then nothing; the server cannot know. One that comes while the question below is
  // answered is refused itself, so another is sent until one holds the upload.
  std::deque<RawClient> stale;
  int status = 0;
  for (int i = 0; i < 50 && status != 423; ++i) {
    stale.emplace_back(server_->port());
    stale.back().send("PATCH " + path + " HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n" +
                      "Authorization: Bearer " + kToken +
                      "\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
                      "Content-Length: 10\r\n\r\n01234");
    base::system_clock().sleep_ms(100);
    status = patch(path, 9, "x").status;
  }
  EXPECT_EQ(status, 423);
  const int64_t begin = base::system_clock().monotonic_ns();
  EXPECT_EQ(offset_of(path), "5");
  EXPECT_LT(base::system_clock().monotonic_ns() - begin, INT64_C(5'000'000'000));
  EXPECT_EQ(patch(path, 5, "56789").status, 204);
  EXPECT_EQ(content_of("x"), "0123456789");
}

TEST_F(TusTest, JoinsTheOpenUploadOfADataSetByName) {
  const auto send = [&](const std::string& name) {
    return tus("POST", "/api/v1/uploads",
               "Upload-Length: 1\r\nUpload-Metadata: dataset " + base64("fresh") + ",filename " +
                   base64(name) + "\r\n",
               "x");
  };
  EXPECT_EQ(send("a").status, 201);
  const RawAnswer second = send("b");
  const Json shown = json(call("GET", header_of(second, "Location")));
  EXPECT_EQ(shown["state"].as_string(), "complete");
  const Json upload = json(call("GET", "/api/v1/uploads/" + shown["upload"].as_string()));
  EXPECT_EQ(upload["name"].as_string(), "fresh");
  EXPECT_EQ(upload["files_count"].as_int(), 2);
}

// The tar of one file of three bytes, without its end mark.
std::string archive_of(const std::string& name, const std::string& three_bytes) {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  block.replace(124, 11, "00000000003");
  block[156] = '0';
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  block.replace(148, 7, text, 7);
  return block + three_bytes + std::string(509, '\0');
}

TEST_F(TusTest, TakesAFolderAsABundleWholeOrNotAtAll) {
  const std::string archive = archive_of("images/a.png", "PNG");
  EXPECT_EQ(send_file(upload_, "b", archive, ",bundle").status, 400) << "it has no end mark";
  EXPECT_TRUE(names_of(upload_).empty());
  EXPECT_EQ(send_file(upload_, "b", archive + std::string(1024, '\0'), ",bundle").status, 201);
  EXPECT_EQ(names_of(upload_), std::vector<std::string>{"images/a.png"});
  EXPECT_EQ(content_of("images/a.png"), "PNG");
  EXPECT_EQ(json(call("GET", "/api/v1/uploads/" + upload_))["size_bytes"].as_int(), 3);
  EXPECT_EQ(
      tus("POST", "/api/v1/uploads", "Upload-Length: 1\r\nUpload-Metadata: bundle\r\n").status, 400)
      << "it belongs to no upload";
}

class FullDiskTest : public TusTest {
 protected:
  void SetUp() override {
    options_.headroom_bytes = INT64_MAX;  // more than any disk has
    TusTest::SetUp();
  }
};

TEST_F(FullDiskTest, RefusesWhatHasNoRoomBeforeItIsSent) {
  const RawAnswer answer = tus("POST", "/api/v1/uploads", "Upload-Length: 1\r\n" + metadata("x"));
  EXPECT_EQ(answer.status, 507);
  EXPECT_EQ(json(answer)["code"].as_string(), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(tus("POST", "/api/v1/uploads", "Upload-Length: 0\r\n" + metadata("x")).status, 201);
}

}  // namespace
}  // namespace mortise::server
