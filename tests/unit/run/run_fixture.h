// A hub, a runner that is stepped by hand, and the fake worker.
#pragma once

#include <signal.h>

#include <map>

#include "run/runner.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::run {

class RunFixture : public hub::HubFixture {
 protected:
  void SetUp() override {
    hub::HubFixture::SetUp();
    start_runner();
    ASSERT_NO_FATAL_FAILURE(add_model());
    ASSERT_TRUE(add(version_of("d")).ok());
  }
  void TearDown() override {
    // No test may leave a worker behind.
    const auto running = hub_->jobs().list({"running", "", ""}, {1000, ""});
    for (const hub::Job& job : running->items) {
      if (job.process.pid != 0) (void)base::system_process().signal(job.process, SIGKILL);
    }
  }

  void start_runner(int64_t term_after_ms = 10'000) {
    runner_.reset();
    RunnerOptions options;
    options.worker_program = MORTISE_FAKE_WORKER;
    options.term_after_ms = term_after_ms;
    options.task.lease_ms = 60'000;
    runner_ =
        std::make_unique<Runner>(*hub_, base::system_process(), base::system_clock(), options);
  }
  // The server ends and starts again; workers go on.
  void restart() {
    runner_.reset();
    open(base::posix_file_ops());
    start_runner();
    ASSERT_TRUE(runner_->adopt().ok());
  }

  void add_model() {
    auto prepared = prepared_model({{"config.json", "{}"}});
    ASSERT_TRUE(prepared.ok());
    prepared->name = "m";
    ASSERT_TRUE(hub_->models().import(*prepared).ok());
  }

  std::string submit(const std::string& text) {
    const auto job = hub_->jobs().submit({manifest(text), "", "", ""});
    EXPECT_TRUE(job.ok());
    return job->id;
  }
  std::string submit_train(const std::string& fake, const std::string& members = "") {
    return submit(R"({"kind":"train","name":"tuned","model":"m","dataset":"d",)" + members +
                  R"("x-fake":")" + fake + "\"}");
  }
  hub::Job job(const std::string& id) { return hub_->jobs().get(id).value(); }

  // Steps until `is_there`; false after 20 s.
  bool step_until(const std::function<bool()>& is_there) {
    for (int i = 0; i < 2000; ++i) {
      runner_->step();
      if (is_there()) return true;
      base::system_clock().sleep_ms(10);
    }
    return false;
  }
  bool step_until_state(const std::string& id, const std::string& state) {
    return step_until([&] { return job(id).state == state; });
  }
  bool step_until_worker(const std::string& id) {
    return step_until([&] { return job(id).progress["phase"].is_string(); });
  }

  std::unique_ptr<Runner> runner_;
};

}  // namespace mortise::run
