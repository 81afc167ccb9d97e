#include "hub/models.h"

#include "hub/lineage.h"
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

// A deleted model does not come back, so what stands on it is named first.
TEST_F(ModelFoldersTest, AreNotDeletedWhileAnAdapterStandsOnThem) {
  auto adapter = prepared_model({{"adapter_config.json", "{}"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  adapter->name = "tuned";
  adapter->base = "m";
  EXPECT_EQ(hub_->models().import(*adapter)->base, "m@1");

  for (const char* reference : {"m", "m@1"}) {
    const auto refused = hub_->models().remove(reference);
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(refused.error().message, "The model is used by the adapter tuned@1.");
    EXPECT_TRUE(hub_->models().resolve("m").ok());
  }
  EXPECT_TRUE(hub_->models().remove("tuned").ok());
  EXPECT_TRUE(hub_->models().remove("m").ok());
}

TEST_F(ModelFoldersTest, RefuseAnAdapterWithoutABaseThatIsThere) {
  const auto refused = [&](const char* base) {
    auto adapter = prepared_model({{"adapter_config.json", "{}"}}).value();
    adapter.name = "tuned";
    adapter.base = base;
    const auto made = hub_->models().import(adapter);
    EXPECT_FALSE(base::posix_file_ops().exists(adapter.folder).value());
    EXPECT_EQ(made.error().field, "/base");
    return made.error().code;
  };
  EXPECT_EQ(refused(""), Code::kInvalidArgument);
  EXPECT_EQ(refused("gone"), Code::kNotFound);
  EXPECT_EQ(refused("m@7"), Code::kNotFound);
}

TEST_F(ModelFoldersTest, AreNotDeletedWhileAnEndpointServesThem) {
  ASSERT_TRUE(hub_->endpoints()
                  .start("ask", manifest(R"({"kind":"serve","model":"m","name":"ask"})"))
                  .ok());
  const std::string job = hub_->endpoints().get("ask")->job_id;
  ASSERT_TRUE(note_input(*hub_, job, "model", hub_->models().resolve("m")->id).ok());

  const auto refused = hub_->models().remove("m");
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().message, "The model is used by the endpoint ask.");
}

TEST_F(ModelFoldersTest, RefuseAFolderThatIsNoModel) {
  const auto prepared = prepared_model({{"notes.txt", "x"}});
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code, Code::kInvalidArgument);
  EXPECT_NE(prepared.error().message.find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace mortise::hub
