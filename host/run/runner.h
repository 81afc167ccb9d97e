// The local runner: starts queued jobs as workers, watches them, renews their leases, passes on
// cancellations, publishes what they made and finds them again after a restart of the server.
// Called by app/mortised. One thread of its own does all of it; a worker never waits for it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "hub/hub.h"
#include "job/status.h"
#include "run/prepare.h"

namespace mortise::run {

struct RunnerOptions {
  std::string worker_program;  // empty: beside this program
  TaskDefaults task;
  int compute_slots = 1;  // train, evaluate and export at a time
  int ingest_slots = 1;
  int search_slots = 1;
  int serve_slots = 4;
  int64_t poll_ms = 100;
  int64_t term_after_ms = 10'000;  // from a cancellation to SIGTERM, and again to SIGKILL
  int64_t grace_ms = 10'000;       // from a final status to the end of the process
  int attempts_max = 5;            // of a serve job whose worker is lost
};

class Runner {
 public:
  Runner(hub::Hub& hub, base::Process& processes, base::Clock& clock, RunnerOptions options);
  ~Runner();  // stop()

  // Before start(): jobs that were running when the server ended. A worker that still lives is
  // watched again; one that ended meanwhile is published or failed with the reason.
  base::Status adopt();
  void start();  // the thread
  void stop();   // workers go on
  // One round: what the thread does each poll_ms. Tests call it without start(). [serial]
  void step();

 private:
  struct Watch;
  void start_queued();
  void start_job(const hub::Job& queued);
  base::Result<base::ProcessIdentity> launch(const hub::Job& job);
  void watch(const hub::Job& job, const base::ProcessIdentity& process);
  bool observe(Watch& watched);  // false: it is over, forget it
  void read_status(Watch& watched);
  void report_progress(Watch& watched);
  void pass_cancellation(Watch& watched);
  void renew_lease(Watch& watched);
  void bound_memory(Watch& watched);
  base::Status conclude(Watch& watched);
  base::Status conclude_done(Watch& watched);
  base::Status conclude_failed(Watch& watched);
  base::Status conclude_lost(Watch& watched);
  void advance_pipelines();
  void loop(std::stop_token stopping);

  hub::Hub* hub_;
  base::Process* processes_;
  base::Clock* clock_;
  RunnerOptions options_;
  std::map<std::string, std::unique_ptr<Watch>> watches_;  // by job id
  std::jthread thread_;
};

}  // namespace mortise::run
