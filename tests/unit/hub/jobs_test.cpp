#include "hub/jobs.h"

#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

class JobsTest : public HubFixture {};

TEST_F(JobsTest, ComeByPriorityThenByAge) {
  const auto low = hub_->jobs().submit({train("low", 10), "", "", ""});
  const auto first = hub_->jobs().submit({train("first", 60), "", "", ""});
  ASSERT_TRUE(hub_->jobs().submit({train("second", 60), "", "", ""}).ok());
  EXPECT_EQ(hub_->jobs().next({"train"})->id, first->id);
  EXPECT_EQ(hub_->jobs().next({"serve"}).error().code, Code::kNotFound);
}

TEST_F(JobsTest, StartOnceEachTime) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  const auto started = hub_->jobs().start(job->id);
  ASSERT_TRUE(started.ok());
  EXPECT_EQ(started->attempt, 1);
  EXPECT_EQ(hub_->jobs().start(job->id).error().code, Code::kAborted);
}

TEST_F(JobsTest, PublishExactlyOnce) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  const auto started = hub_->jobs().start(job->id);
  job::TaskResult result;
  result.artifacts = {{"x", "x", std::string(64, '0'), 1}};
  int published = 0;
  const auto more = [&](Connection&) {
    ++published;
    return base::Status();
  };
  ASSERT_TRUE(hub_->jobs().publish(*started, result, Json::object(), more).ok());
  EXPECT_EQ(hub_->jobs().publish(*started, result, Json::object(), more).error().code,
            Code::kAborted);
  EXPECT_EQ(published, 1);
  EXPECT_EQ(hub_->jobs().get(job->id)->state, "done");
  EXPECT_EQ(hub_->jobs().artifacts(job->id)->size(), 1u);
}

TEST_F(JobsTest, RefuseWhatAnOlderAttemptReports) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  const auto first = hub_->jobs().start(job->id);
  ASSERT_TRUE(hub_->jobs().requeue(*first, "lost").ok());
  const auto second = hub_->jobs().start(job->id);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->attempt, 2);
  EXPECT_EQ(hub_->jobs().set_progress(*first, Json::object()).error().code, Code::kAborted);
  EXPECT_EQ(hub_->jobs().set_process(*first, {1, 2, "x"}).error().code, Code::kAborted);
  EXPECT_EQ(hub_->jobs().publish(*first, {}, Json(), {}).error().code, Code::kAborted);
  EXPECT_EQ(hub_->jobs().finish(*first, "failed", "", Json()).error().code, Code::kAborted);
  EXPECT_EQ(hub_->jobs().get(job->id)->state, "running");
}

TEST_F(JobsTest, LeaveNothingWhenThePublicationFailsHalfWay) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  const auto started = hub_->jobs().start(job->id);
  job::TaskResult result;
  result.artifacts = {{"x", "x", std::string(64, '0'), 1}};
  const auto status = hub_->jobs().publish(*started, result, Json(), [](Connection&) {
    return base::Status(base::Error(Code::kInternal, "No."));
  });
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(hub_->jobs().get(job->id)->state, "running");
  EXPECT_TRUE(hub_->jobs().artifacts(job->id)->empty());
}

TEST_F(JobsTest, WriteAnEventForEachChange) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  const auto started = hub_->jobs().start(job->id);
  ASSERT_TRUE(hub_->jobs().finish(*started, "failed", "the disk is full", Json()).ok());
  const auto events = hub_->jobs().events(job->id);
  ASSERT_EQ(events->size(), 3u);
  EXPECT_EQ((*events)[1].to_state, "running");
  EXPECT_EQ((*events)[2].from_state, "running");
  EXPECT_EQ((*events)[2].reason, "the disk is full");
  EXPECT_EQ(hub_->jobs().events(job->id, (*events)[1].id)->size(), 1u);
}

TEST_F(JobsTest, AreCancelledAtOnceWhileTheyWait) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  ASSERT_TRUE(hub_->jobs().cancel(job->id).ok());
  EXPECT_EQ(hub_->jobs().get(job->id)->state, "cancelled");
  EXPECT_TRUE(hub_->jobs().cancel(job->id).ok());
  EXPECT_EQ(hub_->jobs().start(job->id).error().code, Code::kAborted);
}

TEST_F(JobsTest, AreAskedToEndWhileTheyRun) {
  const auto job = hub_->jobs().submit({train("a"), "", "", ""});
  const auto started = hub_->jobs().start(job->id);
  ASSERT_TRUE(hub_->jobs().cancel(job->id).ok());
  EXPECT_EQ(hub_->jobs().get(job->id)->state, "running");
  EXPECT_TRUE(hub_->jobs().get(job->id)->cancel_wanted);
  ASSERT_TRUE(hub_->jobs().finish(*started, "done", "", Json()).ok());
  EXPECT_EQ(hub_->jobs().cancel(job->id).error().code, Code::kFailedPrecondition);
}

TEST_F(JobsTest, AreListedPageByPageNewestFirst) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(hub_->jobs().submit({train("j" + std::to_string(i)), "", "", ""}).ok());
  }
  std::string names, cursor;
  do {
    const auto page = hub_->jobs().list({}, {2, cursor});
    ASSERT_TRUE(page.ok());
    for (const Job& job : page->items) names += job.name + " ";
    cursor = page->next_cursor;
  } while (!cursor.empty());
  EXPECT_EQ(names, "j4 j3 j2 j1 j0 ");
  EXPECT_EQ(hub_->jobs().list({}, {2, "nonsense"}).error().code, Code::kInvalidArgument);
}

TEST_F(JobsTest, AreFoundByNameAndSaySoWhenNot) {
  ASSERT_TRUE(hub_->jobs().submit({train("chest"), "", "", ""}).ok());
  const auto newer = hub_->jobs().submit({train("chest"), "", "", ""});
  EXPECT_EQ(hub_->jobs().get("chest")->id, newer->id);
  EXPECT_EQ(hub_->jobs().get("nobody").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace mortise::hub
