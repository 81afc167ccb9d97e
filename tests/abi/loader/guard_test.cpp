// What the guard catches, and what a dead process leaves behind.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "job/death_record.h"
#include "pack_folder.h"
#include "plugin/error_box.h"
#include "plugin/guard.h"
#include "plugin/metric.h"
#include "plugin/plugin.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Json;
using test::PackFolder;
using test::TemporaryFolder;

const std::string kLabel = "com.example.count 1.0.0";

LoadOptions guarded() {
  LoadOptions options;
  options.is_guarded = true;
  return options;
}

std::vector<Json> one_row() {
  return {Json::object({{"prediction", "a"}})};
}

// The rule that loader_metric_<name> breaks when it is made and fed one row.
std::string broken_rule(const std::string& name) {
  forget_violations();
  const PackFolder pack("loader_metric_" + name);
  HostServices services;
  auto metric = Metric::create(load(pack.decide(), services, guarded()).value(), Json());
  if (metric.ok()) (void)metric->update(one_row());
  const auto violations = violations_of(kLabel);
  return violations.empty() ? "none" : violations[0].rule;
}

TEST(Guard, FindsNothingInAPluginThatBehaves) {
  EXPECT_EQ(broken_rule("none"), "none");
}

TEST(Guard, CatchesReservedBytesOfFacts) {
  EXPECT_EQ(broken_rule("dirty_facts"), "reserved");
}

TEST(Guard, CatchesOkWithoutAHandle) {
  EXPECT_EQ(broken_rule("ok_without_instance"), "handle");
}

TEST(Guard, CatchesAnUnknownCode) {
  EXPECT_EQ(broken_rule("unknown_code"), "status");
}

TEST(Guard, CatchesAFreeOfMemoryThatIsNotThePlugins) {
  EXPECT_EQ(broken_rule("wild_free"), "service");
}

TEST(Guard, CatchesAReleaseOfABorrowedBatch) {
  EXPECT_EQ(broken_rule("releases_borrowed"), "borrowed");
}

TEST(Guard, CatchesASchemaThatWasReleasedAlready) {
  EXPECT_EQ(broken_rule("ends_released"), "release");
}

TEST(Guard, CatchesASecondDestroy) {
  forget_violations();
  const PackFolder pack("loader_metric_none");
  HostServices services;
  auto plugin = load(pack.decide(), services, guarded()).value();
  const auto* table = plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC).value();
  mortise_metric_instance* instance = nullptr;
  ErrorBox error;
  ASSERT_EQ(table->create(text_of("{}"), &instance, error.get()), MORTISE_STATUS_OK);

  table->destroy(instance);
  table->destroy(instance);

  ASSERT_EQ(violations_of(kLabel).size(), 1u);
  EXPECT_EQ(violations_of(kLabel)[0].rule, "handle");
  EXPECT_EQ(violations_of(kLabel)[0].slot, "mortise.metric/1 destroy");
}

TEST(Guard, CatchesASecondReleaseThroughACopy) {
  forget_violations();
  const PackFolder pack("loader_metric_none");
  HostServices services;
  auto plugin = load(pack.decide(), services, guarded()).value();
  const auto* table = plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC).value();
  mortise_metric_instance* instance = nullptr;
  ErrorBox error;
  ASSERT_EQ(table->create(text_of("{}"), &instance, error.get()), MORTISE_STATUS_OK);
  ArrowSchema schema{};
  ASSERT_EQ(table->requires_schema(instance, &schema, error.get()), MORTISE_STATUS_OK);
  ArrowSchema copy = schema;

  schema.release(&schema);
  copy.release(&copy);
  table->destroy(instance);

  ASSERT_EQ(violations_of(kLabel).size(), 1u);
  EXPECT_EQ(violations_of(kLabel)[0].rule, "release");
}

TEST(Guard, CatchesTwoThreadsInASerialInstance) {
  forget_violations();
  const PackFolder pack("loader_metric_none");
  HostServices services;
  auto plugin = load(pack.decide(), services, guarded()).value();
  const auto* table = plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC).value();
  mortise_metric_instance* instance = nullptr;
  ErrorBox error;
  ASSERT_EQ(table->create(text_of("{}"), &instance, error.get()), MORTISE_STATUS_OK);

  // From inside finalize, by its sink, another thread enters the same instance.
  struct Inner {
    const mortise_metric* table;
    mortise_metric_instance* instance;
    mortise_status status = MORTISE_STATUS_OK;
  } inner{table, instance};
  const auto sink = [](void* user, const mortise_metric_row*) -> mortise_status {
    auto* at = static_cast<Inner*>(user);
    std::thread([at] {
      ErrorBox second;
      SinkBox state;
      at->status = at->table->save(at->instance, state.get(), second.get());
    }).join();
    return MORTISE_STATUS_OK;
  };
  ASSERT_EQ(table->finalize(instance, sink, &inner, error.get()), MORTISE_STATUS_OK);
  table->destroy(instance);

  EXPECT_EQ(inner.status, MORTISE_STATUS_INTERNAL);
  ASSERT_EQ(violations_of(kLabel).size(), 1u);
  EXPECT_EQ(violations_of(kLabel)[0].rule, "serial");
}

// Runs loader_metric_<name> in a child with a death record and reads what it left.
job::DeathRecord record_of(const std::string& name, const std::string& path) {
  const PackFolder pack("loader_metric_" + name);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!start_death_record(path).ok()) ::_exit(90);
    HostServices services;
    auto metric = Metric::create(load(pack.decide(), services).value(), Json()).value();
    const InputNote note("rows 17..32 of train.jsonl");
    (void)metric.update(one_row());
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_NE(status, 0);  // a signal, or a code: a sanitizer turns the signal into 1
  return job::read_death_record(base::posix_file_ops(), path).value();
}

TEST(DeathRecord, NamesPackSlotAndInputAfterASegfault) {
  const TemporaryFolder folder;

  const job::DeathRecord record = record_of("segfault", folder.path() + "/death");

  EXPECT_EQ(record.signal, SIGSEGV);
  ASSERT_EQ(record.inside.size(), 1u);
  EXPECT_TRUE(record.inside[0].is_culprit);
  EXPECT_EQ(record.inside[0].pack, kLabel);
  EXPECT_EQ(record.inside[0].slot, "mortise.metric/1 update");
  EXPECT_EQ(record.text(),
            "com.example.count 1.0.0 died with SIGSEGV in mortise.metric/1 update on rows 17..32 "
            "of train.jsonl: 1 rows.");
}

TEST(DeathRecord, NamesTheSlotAfterAnAbort) {
  const TemporaryFolder folder;

  const job::DeathRecord record = record_of("abort", folder.path() + "/death");

  EXPECT_EQ(record.signal, SIGABRT);
  EXPECT_NE(record.text().find("died with SIGABRT in mortise.metric/1 update"), std::string::npos);
}

TEST(DeathRecord, NamesTheSlotThatEndedTheProcess) {
  const TemporaryFolder folder;

  const job::DeathRecord record = record_of("exit", folder.path() + "/death");

  EXPECT_EQ(record.signal, 0);
  EXPECT_NE(record.text().find("ended the process or was killed in mortise.metric/1 update"),
            std::string::npos);
}

TEST(DeathRecord, RefusesAFileThatIsNone) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/death") << "no";

  const auto record = job::read_death_record(base::posix_file_ops(), folder.path() + "/death");

  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace mortise::plugin
