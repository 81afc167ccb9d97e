// Negotiation and table copying: every sentence of plugin/plugin.h and plugin/library.h, tried.
#include <sys/stat.h>

#include "pack_folder.h"
#include "plugin/error_box.h"
#include "plugin/metric.h"
#include "plugin/plugin.h"
#include "plugin/registry.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Json;
using test::PackFolder;

// Loads loader_metric_<name> and returns the error that it is refused with.
base::Error refusal_of(const std::string& name) {
  const PackFolder pack("loader_metric_" + name);
  HostServices services;
  auto plugin = load(pack.decide(), services);
  if (!plugin.ok()) return plugin.error();
  auto metric = Metric::create(*plugin, Json());
  EXPECT_FALSE(metric.ok()) << name << " was taken";
  return metric.ok() ? base::Error() : metric.error();
}

void expect_refusal(const std::string& name, Code code, std::initializer_list<const char*> words) {
  const base::Error error = refusal_of(name);
  EXPECT_EQ(error.code, code) << error.text();
  for (const char* word : words) {
    EXPECT_NE(error.text().find(word), std::string::npos) << word << " is not in: " << error.text();
  }
}

std::vector<Json> rows(size_t count) {
  return std::vector<Json>(count, Json::object({{"prediction", "a"}}));
}

TEST(Plugin, CountsRowsThroughTheBorder) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  auto plugin = load(pack.decide(), services).value();
  auto metric = Metric::create(plugin, Json()).value();
  std::vector<double> scores;

  ASSERT_TRUE(metric.update(rows(2), &scores).ok());
  auto other = Metric::create(plugin, Json()).value();
  ASSERT_TRUE(other.update(rows(5)).ok());
  ASSERT_TRUE(metric.merge(other.save().value()).ok());
  const auto result = metric.finalize().value();

  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result[0].name, "count");
  EXPECT_EQ(result[0].value, 7.0);
  EXPECT_EQ(result[0].rows_count, 7u);
  EXPECT_EQ(scores, (std::vector<double>{0.5, 0.5}));
  EXPECT_TRUE(metric.facts().is_higher_better);
  EXPECT_EQ(plugin->label(), "com.example.count 1.0.0");
}

TEST(Plugin, KeepsPlaceAndHintOfThePluginsError) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  auto metric = Metric::create(load(pack.decide(), services).value(), Json()).value();

  const auto updated = metric.update(rows(3));

  ASSERT_FALSE(updated.ok());
  EXPECT_EQ(updated.error().code, Code::kInvalidArgument);
  EXPECT_EQ(updated.error().message, "Three rows are one too many.");
  EXPECT_EQ(updated.error().file, "rows.jsonl");
  EXPECT_EQ(updated.error().row, 3);
  EXPECT_EQ(updated.error().byte_offset, 91);
  EXPECT_EQ(updated.error().field, "/prediction");
  EXPECT_EQ(updated.error().hint, "Take two.");
}

TEST(Plugin, NamesRowAndColumnOfAValueThatDoesNotFit) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  auto metric = Metric::create(load(pack.decide(), services).value(), Json()).value();

  const auto updated =
      metric.update(std::vector<Json>{Json::object({{"prediction", "a"}}), Json::object()});

  ASSERT_FALSE(updated.ok());
  EXPECT_EQ(updated.error().row, 2);
  EXPECT_NE(updated.error().message.find("prediction"), std::string::npos);
}

TEST(Plugin, AcceptsAPackBuiltWithNewerHeaders) {
  const PackFolder pack("loader_metric_older_built");
  HostServices services;

  const auto plugin = load(pack.decide(), services);

  ASSERT_TRUE(plugin.ok()) << plugin.error().text();
  EXPECT_EQ((*plugin)->built_minor(), 9u);
}

TEST(Plugin, TakesLargerStructsWithPoisonedTails) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  LoadOptions options;
  options.poisoned_tail_bytes = 40;

  EXPECT_TRUE(load(pack.decide(), services, options).ok());
}

TEST(Plugin, RefusesWrongMagic) {
  expect_refusal("wrong_magic", Code::kFailedPrecondition,
                 {"magic", "0x3245534954524f4d", "0x3145534954524f4d", "rebuild"});
}

TEST(Plugin, RefusesNewerMinorWithBothValuesAndRemedy) {
  expect_refusal("newer_minor", Code::kFailedPrecondition,
                 {"needs_minor is 4", "this host has 0", "newer Mortise"});
}

TEST(Plugin, AcceptsThatMinorOnAHostThatHasIt) {
  const PackFolder pack("loader_metric_newer_minor");
  HostServices services;
  LoadOptions options;
  options.host_minor = 4;

  EXPECT_TRUE(load(pack.decide(), services, options).ok());
}

TEST(Plugin, RefusesAnotherGeneration) {
  expect_refusal("wrong_generation", Code::kFailedPrecondition, {"generation is 2", "has 1"});
}

TEST(Plugin, RefusesAnIdThatTheManifestDoesNotName) {
  expect_refusal("wrong_id", Code::kFailedPrecondition,
                 {"plugin_id", "com.example.other", "com.example.count"});
}

TEST(Plugin, RefusesReservedBytesThatAreNotZero) {
  expect_refusal("dirty_reserved", Code::kFailedPrecondition, {"reserved"});
}

TEST(Plugin, RefusesAReplyWithoutGetInterface) {
  expect_refusal("no_interface", Code::kFailedPrecondition, {"get_interface"});
}

TEST(Plugin, PassesOnThePluginsOwnRefusal) {
  expect_refusal("refuses", Code::kFailedPrecondition, {"refuses this host", "code 14"});
}

TEST(Plugin, RefusesANullTableByName) {
  expect_refusal("null_table", Code::kUnimplemented,
                 {"com.example.count 1.0.0", "mortise.metric/1", "manifest lists it"});
}

TEST(Plugin, RefusesATableThatEndsBeforeARequiredSlot) {
  expect_refusal("short_table", Code::kInvalidArgument, {"lacks", "finalize", "struct_size"});
}

TEST(Plugin, RefusesATableShorterThanItsHead) {
  expect_refusal("tiny_table", Code::kInvalidArgument, {"struct_size 4"});
}

TEST(Plugin, RefusesUnknownTableFlags) {
  expect_refusal("table_flags", Code::kInvalidArgument, {"unknown flags 1"});
}

TEST(Plugin, RefusesOkWithoutAnInstance) {
  expect_refusal("ok_without_instance", Code::kInternal, {"com.example.count 1.0.0"});
}

TEST(Plugin, RefusesASchemaThatWasReleasedAlready) {
  expect_refusal("ends_released", Code::kInvalidArgument, {"released"});
}

TEST(Plugin, AnswersUnimplementedForAHoleAndNamesPackAndSlot) {
  const PackFolder pack("loader_metric_holes");
  HostServices services;
  auto metric = Metric::create(load(pack.decide(), services).value(), Json()).value();

  const auto saved = metric.save();

  ASSERT_FALSE(saved.ok());
  EXPECT_EQ(saved.error().code, Code::kUnimplemented);
  EXPECT_NE(saved.error().message.find("com.example.count 1.0.0"), std::string::npos);
  EXPECT_NE(saved.error().message.find("save of mortise.metric/1"), std::string::npos);
}

TEST(Plugin, TurnsAnExceptionIntoAnInternalError) {
  const PackFolder pack("loader_metric_throws");
  HostServices services;
  forget_violations();

  auto metric = Metric::create(load(pack.decide(), services).value(), Json());

  ASSERT_FALSE(metric.ok());
  EXPECT_EQ(metric.error().code, Code::kInternal);
  EXPECT_NE(metric.error().message.find("no such vocabulary"), std::string::npos);
  ASSERT_EQ(violations_of("com.example.count 1.0.0").size(), 1u);
  EXPECT_EQ(violations_of("com.example.count 1.0.0")[0].rule, "exception");
}

TEST(Plugin, RefusesScoresThatAreFewerThanRows) {
  const PackFolder pack("loader_metric_short_scores");
  HostServices services;
  auto metric = Metric::create(load(pack.decide(), services).value(), Json()).value();
  std::vector<double> scores;

  const auto updated = metric.update(rows(2), &scores);

  ASSERT_FALSE(updated.ok());
  EXPECT_NE(updated.error().message.find("8 bytes of scores for 2 rows"), std::string::npos);
  EXPECT_TRUE(scores.empty());
}

TEST(Plugin, TurnsAnUnknownCodeIntoUnknownWithItsNumber) {
  const PackFolder pack("loader_metric_unknown_code");
  HostServices services;
  LoadOptions options;
  options.is_guarded = false;
  auto metric = Metric::create(load(pack.decide(), services, options).value(), Json()).value();

  const auto updated = metric.update(rows(1));

  ASSERT_FALSE(updated.ok());
  EXPECT_EQ(updated.error().code, Code::kUnknown);
  ASSERT_EQ(updated.error().details.size(), 1u);
  EXPECT_EQ(updated.error().details[0].second, "99");
}

TEST(Library, RefusesAFileThatWasChangedAfterInstall) {
  const PackFolder pack("loader_metric_none");
  const auto decision = pack.decide();
  std::ofstream(pack.library_path(), std::ios::app) << "x";
  HostServices services;

  const auto plugin = load(decision, services);

  ASSERT_FALSE(plugin.ok());
  EXPECT_EQ(plugin.error().code, Code::kDataLoss);
  EXPECT_NE(plugin.error().message.find(decision.library.sha256), std::string::npos);
  EXPECT_EQ(plugin.error().file, pack.library_path());
}

TEST(Library, HashesAgainWhenTheLibraryIsLoadedAlready) {
  const PackFolder pack("loader_metric_none");
  const auto decision = pack.decide();
  HostServices services;
  ASSERT_TRUE(load(decision, services).ok());
  std::filesystem::remove(pack.library_path());
  std::ofstream(pack.library_path()) << "not an ELF file";

  const auto again = load(decision, services);

  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kDataLoss);
}

TEST(Library, RefusesASymbolicLink) {
  const PackFolder pack("loader_metric_none");
  const auto decision = pack.decide();
  std::filesystem::rename(pack.library_path(), pack.root() + "/real.so");
  std::filesystem::create_symlink(pack.root() + "/real.so", pack.library_path());
  HostServices services;

  const auto plugin = load(decision, services);

  ASSERT_FALSE(plugin.ok());
  EXPECT_EQ(plugin.error().code, Code::kPermissionDenied);
}

TEST(Library, RefusesAFileThatEverybodyMayWrite) {
  const PackFolder pack("loader_metric_none");
  ::chmod(pack.library_path().c_str(), 0666);
  HostServices services;

  const auto plugin = load(pack.decide(), services);

  ASSERT_FALSE(plugin.ok());
  EXPECT_EQ(plugin.error().code, Code::kPermissionDenied);
}

TEST(Library, RefusesALibraryWithoutTheEntry) {
  const PackFolder pack("loader_no_entry");
  HostServices services;

  const auto plugin = load(pack.decide(), services);

  ASSERT_FALSE(plugin.ok());
  EXPECT_EQ(plugin.error().code, Code::kInvalidArgument);
  EXPECT_NE(plugin.error().message.find("mortise_entry_1"), std::string::npos);
}

TEST(Library, GivesTheLinkersWordsForAFileThatDoesNotLoad) {
  PackFolder pack("loader_metric_none");
  std::ofstream(pack.library_path(), std::ios::trunc) << "not an ELF file";
  pack.write_manifest();
  HostServices services;

  const auto plugin = load(pack.decide(), services);

  ASSERT_FALSE(plugin.ok());
  EXPECT_EQ(plugin.error().code, Code::kFailedPrecondition);
  EXPECT_NE(plugin.error().message.find("does not load"), std::string::npos);
}

TEST(Registry, LoadsOnceAndRemembersWhatWasUsed) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  Registry registry(pack.search(), services);

  ASSERT_TRUE(registry.open_metric("com.example.count").ok());
  ASSERT_TRUE(registry.open_metric("com.example.count", Json::object({{"n", 3}})).ok());

  EXPECT_EQ(registry.list("metric"), std::vector<std::string>{"com.example.count"});
  ASSERT_EQ(registry.used().size(), 1u);
  EXPECT_EQ(registry.used()[0].version, "1.0.0");
  EXPECT_EQ(registry.used()[0].pack_sha256, pack.decide().manifest.sha256);
}

TEST(Registry, RefusesAConfigurationThatThePluginsSchemaRefuses) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  Registry registry(pack.search(), services);

  const auto metric = registry.open_metric("com.example.count", Json::object({{"n", "three"}}));

  ASSERT_FALSE(metric.ok());
  EXPECT_EQ(metric.error().code, Code::kInvalidArgument);
  EXPECT_NE(metric.error().text().find("/n"), std::string::npos) << metric.error().text();
}

TEST(Registry, SaysWhereItLookedForAnUnknownPlugin) {
  const PackFolder pack("loader_metric_none");
  HostServices services;
  Registry registry(pack.search(), services);

  const auto metric = registry.open_metric("com.example.nothing");

  ASSERT_FALSE(metric.ok());
  EXPECT_EQ(metric.error().code, Code::kNotFound);
  EXPECT_NE(metric.error().message.find(pack.search().places[0].folder), std::string::npos);
}

}  // namespace
}  // namespace mortise::plugin
