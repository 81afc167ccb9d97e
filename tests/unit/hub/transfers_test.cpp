#include "hub/transfers.h"

#include "hub/upkeep.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

constexpr uint64_t kRoom = 1u << 30;

class TransfersTest : public HubFixture {
 protected:
  void SetUp() override {
    HubFixture::SetUp();
    upload_ = hub_->uploads().create("chest", Json::object())->id;
  }
  Transfer wanted(int64_t size_bytes, const std::string& kind = "file") {
    Transfer transfer;
    transfer.owner = "ann";
    transfer.upload_id = upload_;
    transfer.kind = kind;
    transfer.name = "x";
    transfer.size_bytes = size_bytes;
    return transfer;
  }
  Transfer created(int64_t size_bytes, const std::string& kind = "file") {
    const auto made = hub_->transfers().create(wanted(size_bytes, kind), kRoom);
    EXPECT_TRUE(made.ok()) << made.error().text();
    return *made;
  }
  static std::string status_of(const base::Error& error) {
    for (const auto& [key, value] : error.details) {
      if (key == "status") return value;
    }
    return "";
  }
  // As if its last byte had come this long ago.
  void age(const std::string& id, int64_t days) {
    const int64_t past_ns = base::system_clock().now_ns() - days * INT64_C(86'400'000'000'000);
    EXPECT_TRUE(hub_->database()
                    .write([&](Connection& connection) -> base::Status {
                      MORTISE_TRY(connection.run(
                          "UPDATE transfers SET expires_ns = ?2 WHERE id = ?1", {id, past_ns}));
                      return {};
                    })
                    .ok());
  }
  std::string upload_;
};

TEST_F(TransfersTest, AreTheirPartsEndToEndAndOutliveTheServer) {
  Transfer transfer = created(6);
  ASSERT_TRUE(
      hub_->transfers().append(transfer, {sealed("chest", "ab"), sealed("chest", "c")}).ok());
  EXPECT_EQ(transfer.offset_bytes, 3);
  open(base::posix_file_ops());
  auto again = hub_->transfers().get(transfer.id, "ann");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->offset_bytes, 3);
  ASSERT_TRUE(hub_->transfers().append(*again, {sealed("chest", "def")}).ok());
  ASSERT_TRUE(again->is_whole());
  ASSERT_TRUE(hub_->transfers().finish(*again).ok());
  EXPECT_TRUE(hub_->transfers().finish(*again).ok()) << "again is allowed";
  EXPECT_EQ(domain("chest")->read_all(store::parse_object_ref(again->file_ref).value()).value(),
            "abcdef");
  EXPECT_EQ(names_of(upload_), std::vector<std::string>{"x"});
}

TEST_F(TransfersTest, TakeBytesFromTheirTrueOffsetOnly) {
  Transfer transfer = created(6);
  Transfer stale = transfer;
  ASSERT_TRUE(hub_->transfers().append(transfer, {sealed("chest", "ab")}).ok());
  EXPECT_EQ(hub_->transfers().append(stale, {sealed("chest", "zz")}).error().code, Code::kAborted);
  EXPECT_EQ(hub_->transfers().get(transfer.id, "ann")->offset_bytes, 2);
}

TEST_F(TransfersTest, AreSeenByTheirOwnerOnly) {
  const Transfer transfer = created(6);
  EXPECT_EQ(hub_->transfers().get(transfer.id, "bob").error().code, Code::kNotFound);
  EXPECT_EQ(status_of(hub_->transfers().get(transfer.id, "bob").error()), "") << "a plain 404";
}

TEST_F(TransfersTest, ExpireAndLeaveNothingBehind) {
  Transfer transfer = created(6);
  ASSERT_TRUE(hub_->transfers().append(transfer, {sealed("chest", "abc")}).ok());
  Transfer partial = created(3, "partial");
  ASSERT_TRUE(hub_->transfers().append(partial, {sealed("chest", "xyz")}).ok());
  ASSERT_TRUE(hub_->transfers().finish(partial).ok());
  ASSERT_TRUE(domain("chest")->finish_segment().ok());
  ASSERT_TRUE(compact(*hub_, {.dead_share_max = 0, .grace_ns = 0}).ok());
  EXPECT_EQ(domain("chest")->counts().chunks, 2u) << "what is on its way is kept";

  for (const std::string& id : {transfer.id, partial.id}) {
    age(id, 1);
    EXPECT_EQ(status_of(hub_->transfers().get(id, "ann").error()), "410");
  }
  ASSERT_TRUE(compact(*hub_, {.dead_share_max = 0, .grace_ns = 0}).ok());
  EXPECT_EQ(domain("chest")->counts().chunks, 0u);
  EXPECT_EQ(status_of(hub_->transfers().get(transfer.id, "ann").error()), "410");
  age(transfer.id, 31);
  ASSERT_TRUE(hub_->transfers().expire().ok());
  EXPECT_EQ(status_of(hub_->transfers().get(transfer.id, "ann").error()), "") << "forgotten";
}

TEST_F(TransfersTest, HoldTheRoomForWhatTheyWillBring) {
  ASSERT_TRUE(hub_->transfers().create(wanted(60), 100).ok());
  const auto refused = hub_->transfers().create(wanted(41), 100);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ(status_of(refused.error()), "") << "507";
  EXPECT_TRUE(hub_->transfers().create(wanted(40), 100).ok());
}

TEST_F(TransfersTest, AreAThousandOpenAtMostForOneOwner) {
  ASSERT_TRUE(hub_->database()
                  .write([&](Connection& connection) -> base::Status {
                    for (int64_t i = 0; i < kTransfersOpenMax; ++i) {
                      MORTISE_TRY(connection.run(
                          "INSERT INTO transfers VALUES (?1, 'ann', '', '', 'file', 'open', '', '',"
                          " '', '', '', '', 1, 0, '', 0, ?2)",
                          {std::to_string(i), INT64_MAX}));
                    }
                    return {};
                  })
                  .ok());
  EXPECT_EQ(status_of(hub_->transfers().create(wanted(1), kRoom).error()), "429");
  Transfer other = wanted(1);
  other.owner = "bob";
  EXPECT_TRUE(hub_->transfers().create(other, kRoom).ok());
}

TEST_F(TransfersTest, EndWithTheirUpload) {
  Transfer transfer = created(6);
  ASSERT_TRUE(hub_->transfers().append(transfer, {sealed("chest", "abc")}).ok());
  ASSERT_TRUE(hub_->uploads().remove(upload_).ok());
  EXPECT_EQ(status_of(hub_->transfers().get(transfer.id, "ann").error()), "410");
  EXPECT_EQ(hub_->transfers().create(wanted(1), kRoom).error().code, Code::kNotFound);
}

TEST_F(TransfersTest, AreOverWhenTheirSha256Differs) {
  Transfer asked = wanted(3);
  asked.sha256 = std::string(64, '0');
  auto transfer = hub_->transfers().create(asked, kRoom);
  ASSERT_TRUE(hub_->transfers().append(*transfer, {sealed("chest", "abc")}).ok());
  EXPECT_EQ(status_of(hub_->transfers().finish(*transfer).error()), "460");
  EXPECT_EQ(status_of(hub_->transfers().get(transfer->id, "ann").error()), "410");
  EXPECT_TRUE(names_of(upload_).empty());
}

}  // namespace
}  // namespace mortise::hub
