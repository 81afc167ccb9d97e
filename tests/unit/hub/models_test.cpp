#include "hub/models.h"

#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;

class ModelFoldersTest : public HubFixture {
 protected:
  void SetUp() override {
    HubFixture::SetUp();
    auto prepared = prepared_model({{"config.json", "{}"}});
    ASSERT_TRUE(prepared.ok()) << prepared.error().text();
    prepared->name = "m";
    folder_of_m_ = prepared->folder;
    ASSERT_TRUE(hub_->models().import(*prepared).ok());
  }
  bool is_there() { return base::posix_file_ops().exists(folder_of_m_).value(); }
  std::string folder_of_m_;
};

TEST_F(ModelFoldersTest, AreNotFoundAfterDeletionAndTheirFoldersGoAtTheNextStart) {
  ASSERT_TRUE(hub_->models().remove("m").ok());

  EXPECT_EQ(hub_->models().resolve("m").error().code, Code::kNotFound);
  EXPECT_TRUE(is_there());
  open(base::posix_file_ops());
  EXPECT_FALSE(is_there());
}

TEST_F(ModelFoldersTest, KeepTheFolderOfADeletedModelWhileAJobIsRunning) {
  const auto job = hub_->jobs().submit({train("t"), "", "", ""});
  ASSERT_TRUE(hub_->jobs().start(job->id).ok());
  ASSERT_TRUE(hub_->models().remove("m").ok());

  open(base::posix_file_ops());
  EXPECT_TRUE(is_there());
  const Job running = hub_->jobs().get(job->id).value();
  ASSERT_TRUE(hub_->jobs().finish(running, "failed", "over", base::Json()).ok());
  open(base::posix_file_ops());
  EXPECT_FALSE(is_there());
}

TEST_F(ModelFoldersTest, RefuseAFolderThatIsNoModel) {
  const auto prepared = prepared_model({{"notes.txt", "x"}});
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code, Code::kInvalidArgument);
  EXPECT_NE(prepared.error().message.find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace mortise::hub
