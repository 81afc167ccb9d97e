#include "run/runner.h"

#include <set>

#include "hub/made_files.h"
#include "hub/upkeep.h"
#include "job/dataset_file.h"
#include "run/publish.h"
#include "tests/unit/run/run_fixture.h"

namespace mortise::run {
namespace {

using base::Code;
using base::posix_file_ops;

class RunnerTest : public RunFixture {};

TEST_F(RunnerTest, PublishesTheAdapterOfATraining) {
  const std::string id = submit_train("done");
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
  const hub::Job done = job(id);
  EXPECT_EQ(done.record["models"].at(0).as_string(), "tuned@1");
  EXPECT_EQ(done.record["dataset"]["reference"].as_string(), "d@1");
  const auto model = hub_->models().resolve("tuned");
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->kind, "adapter");
  EXPECT_EQ(model->base, "m@1");
  EXPECT_EQ(hub_->jobs().artifacts(id)->size(), 2u);
  EXPECT_EQ(done.progress["state"], base::Json("done")) << "the last line counts, soon as it comes";
  EXPECT_EQ(done.progress["step"], base::Json(1));
}

TEST_F(RunnerTest, KeepsWhatATrainingMadeSealedWithTheKeyOfItsJob) {
  const std::string id = submit_train("done");
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
  const std::string domain = hub::domain_of_job(*hub_, id).value();
  const auto model = hub_->models().resolve("tuned");
  EXPECT_EQ(model->domain, domain);
  for (const std::string& folder :
       {model->folder, hub_->task_folder(id, 1) + "/artifacts/adapter"}) {
    for (const char* name : {"/adapter_config.json", "/adapter_model.safetensors"}) {
      const auto stored = base::read_file(posix_file_ops(), folder + name);
      EXPECT_TRUE(stored->starts_with("mrtfil01" + domain)) << folder << name;
    }
  }
  auto files = hub::files_of_model(*hub_, *model);
  EXPECT_EQ(base::read_file(*files, model->folder + "/adapter_model.safetensors").value(), "W");
  EXPECT_EQ(model->files.at(1).size_bytes, 1u);
  const std::string other = submit_train("done");
  ASSERT_TRUE(step_until_state(other, "done"));
  EXPECT_NE(hub::domain_of_job(*hub_, other).value(), domain);
}

TEST_F(RunnerTest, LosesWhatATrainingMadeWithTheKeyOfItsJob) {
  const std::string id = submit_train("done");
  ASSERT_TRUE(step_until_state(id, "done"));
  ASSERT_TRUE(hub::shred(*hub_, "job:" + id).ok());
  EXPECT_EQ(hub::files_of_attempt(*hub_, id, 1).error().code, Code::kNotFound);
  const std::string next = submit_train("done", R"("adapter":"tuned",)");
  ASSERT_TRUE(step_until_state(next, "failed"));
}

TEST_F(RunnerTest, ReadsWhatWasMadeBeforeItWasSealed) {
  const std::string id = submit_train("fail");
  ASSERT_TRUE(step_until_state(id, "failed"));
  const std::string folder = hub_->task_folder(id, 1);
  job::Task task = job::read_task(posix_file_ops(), folder).value();
  task.inputs.sealed_folders.clear();
  ASSERT_TRUE(job::write_task(posix_file_ops(), folder, task).ok());
  const std::string state = folder + "/checkpoints/checkpoint-3/state.safetensors";
  ASSERT_TRUE(base::make_folders(posix_file_ops(), folder + "/checkpoints/checkpoint-3").ok());
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), state, "readable").ok());

  auto made = hub::files_of_attempt(*hub_, id, 1);
  EXPECT_EQ(made->domain, "");
  EXPECT_EQ(base::read_file(made->files, state).value(), "readable");
  const auto resumed = hub_->jobs().submit({train("again"), "", id, ""});
  const auto started = hub_->jobs().start(resumed->id);
  const auto prepared = prepare_task(*hub_, *started, {});
  ASSERT_TRUE(prepared.ok()) << prepared.error().text();
  EXPECT_EQ(job::domain_of(prepared->inputs, state), "");
  EXPECT_EQ(job::domain_of(prepared->inputs, prepared->output_folder),
            hub::domain_of_job(*hub_, resumed->id).value());
}

TEST_F(RunnerTest, HandsTheDataSetOutAsObjectsOfItsDomain) {
  const std::string id = submit_train("done");
  ASSERT_TRUE(step_until_state(id, "done"));
  const auto dataset =
      job::read_dataset_file(posix_file_ops(), hub_->task_folder(id, 1) + "/dataset.json");
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->domain, domain("d")->domain_id());
  const auto rows = store::parse_object_ref(dataset->rows_object);
  EXPECT_EQ(store::RowTable::open(domain("d"), *rows)->row(0).value(), "{}");
}

TEST_F(RunnerTest, TurnsAnUploadIntoAVersion) {
  const std::string upload = upload_of("chest");
  const auto check = hub_->uploads().begin_check(upload);
  ASSERT_TRUE(step_until_state(check->id, "done")) << job(check->id).error.dump();
  const auto version = hub_->datasets().resolve("chest");
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(version->row_count, 2);
  EXPECT_EQ(version->media_count, 1);
  EXPECT_EQ(version->manifest["report"]["object"].as_string(), to_text(version->report));
  EXPECT_EQ(hub_->uploads().get(upload)->state, "committed");
  EXPECT_EQ(hub_->uploads().get(upload)->result["reference"].as_string(), "chest@1");
}

TEST_F(RunnerTest, HandsTheFolderOfTheTokenizersModelToACheck) {
  ASSERT_TRUE(step_until_state(submit_train("done"), "done"));
  for (const char* model : {"m", "tuned"}) {  // an adapter's tokenizer is its base's
    const auto upload = hub_->uploads().create(
        "long",
        base::Json::object({{"task_type", "vqa"}, {"tokenizer", model}, {"max_length", 9}}));
    ASSERT_TRUE(upload.ok()) << upload.error().text();
    ASSERT_TRUE(hub_->uploads().put_file(upload->id, "rows.jsonl", sealed("long", "{}\n")).ok());
    const auto check = hub_->uploads().begin_check(upload->id);
    ASSERT_TRUE(check.ok()) << check.error().text();
    const auto started = hub_->jobs().start(check->id);
    const auto task = prepare_task(*hub_, *started, {});
    ASSERT_TRUE(task.ok()) << task.error().text();
    EXPECT_EQ(task->inputs.model_folder, hub_->models().resolve("m")->folder);
    EXPECT_EQ(task->manifest["ingest"]["max_length"].as_int(), 9);
  }
}

TEST_F(RunnerTest, RefusesALengthWithoutATokenizer) {
  const auto refused =
      hub_->uploads().create("long", base::Json::object({{"task_type", "vqa"}, {"max_length", 9}}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_NE(refused.error().text().find("tokenizer"), std::string::npos) << refused.error().text();
}

TEST_F(RunnerTest, KeepsTheReportOfAnUploadThatIsRefused) {
  auto upload = hub_->uploads().create("bad", base::Json::object({{"task_type", "vqa"}}));
  ASSERT_TRUE(hub_->uploads().put_file(upload->id, "rows.jsonl", sealed("bad", "{}\n")).ok());
  const std::string ingest = R"("ingest":{"upload":")" + upload->id + R"("})";
  const auto text =
      manifest(R"({"kind":"ingest","name":"bad","task":"vqa","x-fake":"refuse",)" + ingest + "}");
  const auto refused = hub_->jobs().submit({text, "", "", ""});
  ASSERT_TRUE(step_until_state(refused->id, "failed"));
  const auto after = hub_->uploads().get(upload->id);
  EXPECT_EQ(after->state, "failed");
  const auto report = store::parse_object_ref(after->report_ref);
  ASSERT_TRUE(report.ok()) << after->report_ref;
  EXPECT_EQ(domain("bad")->read_all(*report).value(), R"({"findings":["row 1"]})");
  EXPECT_EQ(hub_->datasets().resolve("bad").error().code, Code::kNotFound);
}

TEST_F(RunnerTest, KeepsTheWorkersOwnError) {
  const std::string id = submit_train("fail");
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_EQ(job(id).error["detail"].as_string(), "It went wrong.");
  EXPECT_EQ(job(id).error["row"].as_int(), 7);
}

TEST_F(RunnerTest, NamesSignalPackSlotAndInputOfAWorkerThatDied) {
  const std::string id = submit_train("crash");
  ASSERT_TRUE(step_until_state(id, "failed"));
  const base::Json error = job(id).error;
  EXPECT_EQ(error["detail"].as_string(),
            "The worker was ended by signal 11: com.example.f1 1.0.0 died with SIGSEGV in "
            "mortise.metric/1 update on rows 1..32.");
  EXPECT_NE(error["hint"].as_string().find("mortise plugin check"), std::string::npos);
  EXPECT_EQ(error["details"]["pack"].as_string(), "com.example.f1 1.0.0");
  EXPECT_EQ(error["details"]["slot"].as_string(), "mortise.metric/1 update");
  EXPECT_EQ(error["details"]["input"].as_string(), "rows 1..32");
}

TEST_F(RunnerTest, EndsAWorkerThatHoldsMoreMemoryThanItsManifestAllows) {
  const std::string id = submit_train("greedy", R"("resources":{"memory_bytes":33554432},)");
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_NE(job(id).error["detail"].as_string().find("memory_bytes allows 33554432"),
            std::string::npos)
      << job(id).error.dump();
}

TEST_F(RunnerTest, LetsAWorkerWithinItsMemoryEnd) {
  const std::string id = submit_train("done", R"("resources":{"memory_bytes":1073741824},)");
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
}

TEST_F(RunnerTest, RefusesAnArtifactThatIsNotWhatWasRecorded) {
  const std::string id = submit_train("lie");
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_EQ(job(id).error["code"].as_string(), "DATA_LOSS");
  EXPECT_EQ(hub_->models().resolve("tuned").error().code, Code::kNotFound);
}

TEST_F(RunnerTest, FailsAJobWhoseModelIsGone) {
  const std::string id = submit_train("done");
  ASSERT_TRUE(hub_->models().remove("m").ok());
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_EQ(job(id).error["code"].as_string(), "NOT_FOUND");
}

TEST_F(RunnerTest, CancelsAWorkerOverItsChannel) {
  const std::string id = submit_train("wait");
  ASSERT_TRUE(step_until_worker(id));
  ASSERT_TRUE(hub_->jobs().cancel(id).ok());
  ASSERT_TRUE(step_until_state(id, "cancelled"));
}

TEST_F(RunnerTest, KillsAWorkerThatDoesNotListen) {
  start_runner(50);
  const std::string id = submit_train("stubborn");
  ASSERT_TRUE(step_until_worker(id));
  ASSERT_TRUE(hub_->jobs().cancel(id).ok());
  ASSERT_TRUE(step_until_state(id, "cancelled"));
}

TEST_F(RunnerTest, RunsOneTrainingAtATime) {
  const std::string first = submit_train("wait");
  const std::string second = submit_train("done");
  ASSERT_TRUE(step_until_worker(first));
  for (int i = 0; i < 5; ++i) runner_->step();
  EXPECT_EQ(job(second).state, "queued");
  ASSERT_TRUE(hub_->jobs().cancel(first).ok());
  ASSERT_TRUE(step_until_state(second, "done"));
}

TEST_F(RunnerTest, FindsARunningWorkerAfterARestart) {
  const std::string id = submit_train("wait");
  ASSERT_TRUE(step_until_worker(id));
  const int64_t pid = job(id).process.pid;
  restart();
  runner_->step();
  EXPECT_EQ(job(id).state, "running");
  EXPECT_EQ(job(id).process.pid, pid);
  EXPECT_EQ(job(id).attempt, 1);
  ASSERT_TRUE(hub_->jobs().cancel(id).ok());
  ASSERT_TRUE(step_until_state(id, "cancelled"));
}

TEST_F(RunnerTest, FindsAWorkerWhoseNumberWasNotWrittenDown) {
  const std::string id = submit_train("wait");
  ASSERT_TRUE(step_until_worker(id));
  const int64_t pid = job(id).process.pid;
  ASSERT_TRUE(hub_->jobs().set_process(job(id), {}).ok());
  restart();
  EXPECT_EQ(job(id).process.pid, pid);
  ASSERT_TRUE(hub_->jobs().cancel(id).ok());
  ASSERT_TRUE(step_until_state(id, "cancelled"));
}

TEST_F(RunnerTest, PublishesWhatAWorkerFinishedWhileTheServerWasAway) {
  const std::string id = submit_train("slow");
  ASSERT_TRUE(step_until_worker(id));
  const base::ProcessIdentity process = job(id).process;
  runner_.reset();
  while (base::system_process().is_alive(process)) base::system_clock().sleep_ms(10);
  restart();
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
  EXPECT_TRUE(hub_->models().resolve("tuned@1").ok());
  EXPECT_FALSE(hub_->models().resolve("tuned@2").ok());
}

TEST_F(RunnerTest, FailsWithAReasonWhatDiedWhileTheServerWasAway) {
  const std::string id = submit_train("wait");
  ASSERT_TRUE(step_until_worker(id));
  ASSERT_TRUE(base::system_process().signal(job(id).process, SIGKILL).ok());
  restart();
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_FALSE(job(id).error["detail"].as_string().empty());
}

TEST_F(RunnerTest, StartsAJobAgainWhoseWorkerNeverCame) {
  const std::string id = submit_train("done");
  ASSERT_TRUE(hub_->jobs().start(id).ok());  // and here the server ends
  restart();
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
  EXPECT_EQ(job(id).attempt, 2);
}

TEST_F(RunnerTest, DoesNotTakeAnotherProcessForItsWorker) {
  const std::string id = submit_train("wait");
  ASSERT_TRUE(step_until_worker(id));
  const base::ProcessIdentity worker = job(id).process;
  // As after a restart of the machine: the number belongs to somebody else now.
  ASSERT_TRUE(hub_->jobs().set_process(job(id), {::getpid(), 1, worker.boot_id}).ok());
  restart();
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_TRUE(base::system_process().signal(worker, SIGKILL).ok());
}

TEST_F(RunnerTest, StartsAServeJobAgainWhenItsWorkerIsLost) {
  const auto endpoint =
      hub_->endpoints().start("e", manifest(R"({"kind":"serve","name":"e","model":"m"})"));
  ASSERT_TRUE(step_until([&] { return hub_->endpoints().get("e")->state == "ready"; }));
  ASSERT_TRUE(base::system_process().signal(job(endpoint->job_id).process, SIGKILL).ok());
  ASSERT_TRUE(step_until([&] { return job(endpoint->job_id).attempt == 2; }));
  ASSERT_TRUE(step_until([&] { return hub_->endpoints().get("e")->state == "ready"; }));
  ASSERT_TRUE(hub_->endpoints().stop("e").ok());
  ASSERT_TRUE(step_until_state(endpoint->job_id, "cancelled"));
}

TEST_F(RunnerTest, ResumesFromTheNewestWholeCheckpoint) {
  const std::string id = submit_train("fail");
  ASSERT_TRUE(step_until_state(id, "failed"));
  const std::string checkpoints = hub_->task_folder(id, 1) + "/checkpoints";
  for (const char* name : {"checkpoint-9", "checkpoint-10", "checkpoint-11.partial", "other"}) {
    ASSERT_TRUE(posix_file_ops().make_folder(checkpoints + "/" + name).ok());
  }
  EXPECT_EQ(newest_checkpoint(*hub_, job(id)), checkpoints + "/checkpoint-10");
  const auto resumed = hub_->jobs().submit({train("again"), "", id, ""});
  const auto started = hub_->jobs().start(resumed->id);
  const auto task = prepare_task(*hub_, *started, {});
  ASSERT_TRUE(task.ok()) << task.error().text();
  EXPECT_EQ(task->inputs.checkpoint_folder, checkpoints + "/checkpoint-10");
  // It is sealed in the first job's domain, what the second makes in its own; both keys go along.
  const std::string first = hub::domain_of_job(*hub_, id).value();
  const std::string second = hub::domain_of_job(*hub_, resumed->id).value();
  EXPECT_EQ(job::domain_of(task->inputs, checkpoints + "/checkpoint-10/state.safetensors"), first);
  const std::string own = hub_->task_folder(resumed->id, 1);
  EXPECT_EQ(job::domain_of(task->inputs, own + "/checkpoints/partial"), second);
  EXPECT_EQ(job::domain_of(task->inputs, own + "/status.jsonl"), "");
  std::set<std::string> handed;
  for (const auto& key : store::DomainKey::parse_all(keys_of(*hub_, *task).value()).value()) {
    handed.insert(key.domain_id());
  }
  EXPECT_EQ(handed, (std::set<std::string>{domain("d")->domain_id(), first, second}));
}

TEST_F(RunnerTest, ResumesAResumedJobThatHadNoCheckpointOfItsOwn) {
  const std::string id = submit_train("fail");
  ASSERT_TRUE(step_until_state(id, "failed"));
  const std::string checkpoint = hub_->task_folder(id, 1) + "/checkpoints/checkpoint-3";
  ASSERT_TRUE(base::make_folders(posix_file_ops(), checkpoint).ok());
  const auto second = hub_->jobs().submit({train("again"), "", id, ""});
  ASSERT_TRUE(hub_->jobs().start(second->id).ok());
  const auto third = hub_->jobs().submit({train("third"), "", second->id, ""});
  const auto started = hub_->jobs().start(third->id);
  const auto task = prepare_task(*hub_, *started, {});
  ASSERT_TRUE(task.ok()) << task.error().text();
  EXPECT_EQ(task->inputs.checkpoint_folder, checkpoint);
}

TEST_F(RunnerTest, PutsAnAdapterOnItsBase) {
  ASSERT_TRUE(step_until_state(submit_train("done"), "done"));
  const auto evaluated = hub_->jobs().submit(
      {manifest(R"({"kind":"evaluate","model":"tuned","dataset":"d","plugins":{}})"), "", "", ""});
  const auto started = hub_->jobs().start(evaluated->id);
  const auto task = prepare_task(*hub_, *started, {});
  ASSERT_TRUE(task.ok()) << task.error().text();
  EXPECT_EQ(task->inputs.model_folder, hub_->models().resolve("m")->folder);
  EXPECT_EQ(task->inputs.adapter_folder, hub_->models().resolve("tuned")->folder);
  EXPECT_EQ(job::domain_of(task->inputs, task->inputs.model_folder), "");  // imported
  EXPECT_EQ(job::domain_of(task->inputs, task->inputs.adapter_folder),
            hub_->models().resolve("tuned")->domain);
}

TEST_F(RunnerTest, GoesOnFromTheAdapterThatTheMethodNames) {
  ASSERT_TRUE(step_until_state(submit_train("done"), "done"));
  const auto next = hub_->jobs().submit(
      {manifest(R"({"kind":"train","model":"m","dataset":"d","method":{"init_adapter":"tuned"}})"),
       "", "", ""});
  const auto started = hub_->jobs().start(next->id);
  const auto task = prepare_task(*hub_, *started, {});
  ASSERT_TRUE(task.ok()) << task.error().text();
  EXPECT_EQ(task->inputs.model_folder, hub_->models().resolve("m")->folder);
  EXPECT_EQ(task->inputs.adapter_folder, hub_->models().resolve("tuned")->folder);
}

TEST_F(RunnerTest, RefusesToTrainOnFromAModelAsIfItWereAnAdapter) {
  const auto next = hub_->jobs().submit(
      {manifest(R"({"kind":"train","model":"m","dataset":"d","method":{"init_adapter":"m"}})"), "",
       "", ""});
  const auto started = hub_->jobs().start(next->id);
  const auto task = prepare_task(*hub_, *started, {});
  ASSERT_FALSE(task.ok());
  EXPECT_NE(task.error().message.find("is not an adapter"), std::string::npos);
}

TEST_F(RunnerTest, RefusesTwoAdaptersToGoOnFrom) {
  const auto next = hub_->jobs().submit({manifest(R"({"kind":"train","model":"m","dataset":"d",
      "adapter":"a","method":{"init_adapter":"b"}})"),
                                         "", "", ""});
  const auto started = hub_->jobs().start(next->id);
  const auto task = prepare_task(*hub_, *started, {});
  ASSERT_FALSE(task.ok());
  EXPECT_EQ(task.error().field, "/method/init_adapter");
}

}  // namespace
}  // namespace mortise::run
