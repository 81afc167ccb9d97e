#include "hub/scrub.h"

#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;

class ScrubTest : public HubFixture {
 protected:
  void SetUp() override {
    HubFixture::SetUp();
    ASSERT_TRUE(add(version_of("chest", {R"({"n":1})", R"({"n":2})"})).ok());
    ASSERT_TRUE(add(version_of("films", {"{}"}, {{"a.png", "A"}, {"b.png", "B"}})).ok());
  }
  std::string id_of(const std::string& name) { return domain(name)->domain_id(); }
  void overwrite(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, bytes).ok());
  }
  // From the cursor to the end, a record or so a call, each after a start of the server.
  ScrubReport scrub_in_pieces(std::string cursor, int& calls) {
    ScrubReport all;
    do {
      open(base::posix_file_ops());
      const auto report = scrub(*hub_, {.cursor = cursor, .bytes_max = 1});
      EXPECT_TRUE(report.ok()) << report.error().text();
      if (!report.ok()) break;
      all.domains += report->domains;
      all.chunks_ok += report->chunks_ok;
      all.bytes_read += report->bytes_read;
      std::ranges::copy(report->findings, std::back_inserter(all.findings));
      cursor = report->cursor;
      ++calls;
    } while (!cursor.empty());
    return all;
  }
};

TEST_F(ScrubTest, FindsNothingInWhatIsWhole) {
  const auto report = scrub(*hub_, {});

  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->domains, 2u);
  EXPECT_EQ(report->domains_total, 2u);
  EXPECT_GT(report->chunks_ok, 8u);
  EXPECT_GT(report->bytes_total, report->bytes_read);
  EXPECT_TRUE(report->findings.empty());
  EXPECT_EQ(report->cursor, "");
}

TEST_F(ScrubTest, GoesOnFromItsCursorAfterEachStart) {
  const auto whole = scrub(*hub_, {});
  int calls = 0;

  const ScrubReport pieces = scrub_in_pieces("", calls);

  EXPECT_EQ(pieces.domains, 2u);
  EXPECT_EQ(pieces.chunks_ok, whole->chunks_ok) << "each is read once";
  EXPECT_EQ(pieces.bytes_read, whole->bytes_read);
  EXPECT_GT(calls, 8);
}

TEST_F(ScrubTest, ACallAtARateTakesTwoSecondsOfIt) {
  const auto report = scrub(*hub_, {.bytes_per_second = 200});

  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_FALSE(report->cursor.empty());
  EXPECT_GE(report->bytes_read, 400u);
  EXPECT_LT(report->bytes_read, 800u) << "one record more at most";
}

TEST_F(ScrubTest, ADomainThatCannotBeOpenedIsAFindingAndTheOthersAreRead) {
  const std::string chest = id_of("chest");
  const uint64_t both = scrub(*hub_, {})->chunks_ok;
  overwrite(folder_ / "home/keys/domains/" + chest + ".key", "not a key");
  open(base::posix_file_ops());

  const auto report = scrub(*hub_, {});

  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->domains, 2u);
  EXPECT_GT(report->chunks_ok, 3u);
  EXPECT_LT(report->chunks_ok, both);
  ASSERT_EQ(report->findings.size(), 1u);
  EXPECT_EQ(report->findings[0].domain, chest);
  const base::Json finding = report->to_json()["findings"].at(0);
  EXPECT_EQ(finding["state"].as_string(), "unreadable");
  EXPECT_NE(finding["message"].as_string().find(chest + ".key"), std::string::npos)
      << finding.dump();
}

TEST_F(ScrubTest, ADamagedRecordNamesItsDomainInWhateverPieceItLies) {
  const std::string films = id_of("films"), folder = hub_->store().folder_of(films);
  const uint64_t all = scrub(*hub_, {})->chunks_ok;  // finishes the segments
  const auto segments = base::posix_file_ops().list(folder);
  ASSERT_EQ(segments->size(), 1u);
  const std::string path = base::join_path(folder, segments->at(0).name);
  std::string bytes = *base::read_file(base::posix_file_ops(), path);
  const size_t record = bytes.find("mrec", bytes.find("mrec") + 1);
  bytes[record + 110] = static_cast<char>(bytes[record + 110] ^ 1);
  overwrite(path, bytes);
  int calls = 0;

  const ScrubReport report = scrub_in_pieces("", calls);

  EXPECT_EQ(report.chunks_ok, all - 1);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].domain, films);
  EXPECT_EQ(report.findings[0].found.segment, segments->at(0).name);
  EXPECT_EQ(report.findings[0].found.byte_offset, record);
}

TEST_F(ScrubTest, ACursorOfADomainThatWasShreddedGoesOnBehindIt) {
  const std::string first = std::min(id_of("chest"), id_of("films"));
  const auto begun = scrub(*hub_, {.bytes_max = 1});
  ASSERT_TRUE(begun->cursor.starts_with(first + ":"));
  ASSERT_TRUE(hub_->store().shred(first).ok());

  const auto rest = scrub(*hub_, {.cursor = begun->cursor});

  ASSERT_TRUE(rest.ok()) << rest.error().text();
  EXPECT_EQ(rest->domains, 1u);
  EXPECT_TRUE(rest->findings.empty());
}

TEST_F(ScrubTest, RefusesACursorThatIsNoneOfOurs) {
  for (const std::string& cursor :
       {std::string("nonsense"), std::string(":"), id_of("chest") + ":nonsense"}) {
    EXPECT_EQ(scrub(*hub_, {.cursor = cursor}).error().code, Code::kInvalidArgument) << cursor;
  }
}

}  // namespace
}  // namespace mortise::hub
