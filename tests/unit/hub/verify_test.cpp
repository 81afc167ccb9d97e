#include "hub/verify.h"

#include "hub/upkeep.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;

class VerifyTest : public HubFixture {
 protected:
  // Changes the bytes of every record in the finished segments of a name's domain.
  void damage(const std::string& name) {
    base::FileOps& files = base::posix_file_ops();
    ASSERT_TRUE(domain(name)->finish_segment().ok());
    const std::string folder = hub_->store().folder_of(domain(name)->domain_id());
    const auto segments = files.list(folder);
    for (const base::FileInfo& file : *segments) {
      std::string text = *base::read_file(files, folder + "/" + file.name);
      for (size_t at = text.find("mrec"); at != std::string::npos; at = text.find("mrec", at + 1)) {
        text[at + 110] = static_cast<char>(text[at + 110] ^ 1);
      }
      ASSERT_TRUE(base::write_file_durably(files, folder + "/" + file.name, text).ok());
    }
    open(files);
  }
  base::Result<VerifyReport> verify_one(const std::string& reference) {
    VerifyOptions options;
    options.reference = reference;
    return verify(*hub_, options);
  }
  void set(const std::string& statement) {
    ASSERT_TRUE(hub_->database()
                    .write([&](Connection& connection) -> base::Status {
                      MORTISE_TRY(connection.run(statement));
                      return {};
                    })
                    .ok());
  }
};

TEST_F(VerifyTest, ReadsAllThatVersionsName) {
  ASSERT_TRUE(add(version_of("chest", {R"({"n":1})", R"({"n":2})"})).ok());
  ASSERT_TRUE(add(version_of("films", {"{}"}, {{"a.png", "A"}, {"b.png", "B"}})).ok());

  const auto report = verify_all(*hub_);

  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->versions, 2u);
  EXPECT_EQ(report->versions_total, 2u);
  // Each: row table, one group, name table, its names, report; originals are the media's table.
  EXPECT_EQ(report->objects, 5u + 6u);
  EXPECT_TRUE(report->findings.empty()) << report->to_json().dump();
  const auto one = verify_one("films@1");
  EXPECT_EQ(one->versions, 1u);
  EXPECT_EQ(one->objects, 6u);
  EXPECT_EQ(one->cursor, "");
}

TEST_F(VerifyTest, GoesOnWhereItStopped) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(add(version_of("chest", {"{}"}, {{"a.png", "A"}, {"b.png", "B"}})).ok());
  ASSERT_TRUE(add(version_of("films")).ok());
  const auto whole = verify_all(*hub_);
  ASSERT_TRUE(whole.ok());

  VerifyOptions options{.reference = {}, .cursor = {}, .bytes_max = 1};
  uint64_t versions = 0, bytes = 0;
  int calls = 0;
  do {
    const auto report = verify(*hub_, options);
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_TRUE(report->findings.empty()) << report->to_json().dump();
    versions += report->versions;
    bytes += report->bytes_read;
    options.cursor = report->cursor;
    ++calls;
  } while (!options.cursor.empty() && calls < 100);

  EXPECT_EQ(versions, 3u);
  EXPECT_GT(calls, 3);
  EXPECT_GE(bytes, whole->bytes_read) << "a table is read again by each call";
}

TEST_F(VerifyTest, NamesWhatIsDamaged) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(add(version_of("films")).ok());
  damage("films");

  const auto report = verify_all(*hub_);

  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->versions, 2u);
  ASSERT_FALSE(report->findings.empty());
  for (const VerifyFinding& finding : report->findings) EXPECT_EQ(finding.version, "films@1");
  EXPECT_EQ(report->findings[0].part, "rows");
  EXPECT_EQ(verify_one("chest")->findings.size(), 0u);
}

TEST_F(VerifyTest, SeesAManifestThatWasChangedAndCountsThatDoNotFit) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  set("UPDATE versions SET manifest = '{\"manifest_version\":1}', row_count = 7");
  const auto report = verify_all(*hub_);
  ASSERT_EQ(report->findings.size(), 2u) << report->to_json().dump();
  EXPECT_EQ(report->findings[0].part, "manifest");
  EXPECT_NE(report->findings[0].message.find("digest"), std::string::npos);
  EXPECT_EQ(report->findings[1].message, "The table has 1 rows, the database says 7.");
}

TEST_F(VerifyTest, SeesRowsThatAreNotTheManifestsRows) {
  ASSERT_TRUE(add(version_of("chest", {R"({"n":1})"})).ok());
  const NewVersion other = version_of("chest", {R"({"n":2})"});
  set("UPDATE versions SET rows_ref = '" + to_text(other.rows) + "'");
  const auto report = verify_all(*hub_);
  ASSERT_EQ(report->findings.size(), 1u) << report->to_json().dump();
  EXPECT_EQ(report->findings[0].part, "manifest");
  EXPECT_EQ(report->findings[0].name, "rows");
}

TEST_F(VerifyTest, SeesAKeyThatIsGone) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(hub_->store().shred(hub_->datasets().resolve("chest")->domain).ok());
  const auto report = verify_all(*hub_);
  ASSERT_EQ(report->findings.size(), 1u);
  EXPECT_EQ(report->findings[0].part, "key");
}

TEST_F(VerifyTest, LeavesShreddedVersionsOut) {
  ASSERT_TRUE(add(version_of("chest")).ok());
  ASSERT_TRUE(shred(*hub_, "chest").ok());
  EXPECT_EQ(verify_all(*hub_)->versions, 0u);
  EXPECT_EQ(verify_one("chest").error().code, Code::kNotFound);
}

TEST_F(VerifyTest, RefusesACursorThatIsNone) {
  for (const char* cursor : {"x", "a:b:c", "a:9:0", "a:0:", ":"}) {
    VerifyOptions options;
    options.cursor = cursor;
    EXPECT_EQ(verify(*hub_, options).error().code, Code::kInvalidArgument) << cursor;
  }
}

}  // namespace
}  // namespace mortise::hub
