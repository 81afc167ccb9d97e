// The catalogue as it is shipped: every entry has an importer and a mapping, and how many import as
// they come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/file_ops.h"
#include "ingest/catalog/entry.h"
#include "pack/find.h"
#include "tests/unit/ingest_catalog/layouts.h"

namespace mortise::ingest::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Catalog, EveryEntryHasAnImporter) {
  base::FileOps& files = base::posix_file_ops();
  const auto search = pack::usual_search(files, "", false);
  ASSERT_TRUE(search.ok());
  std::set<std::string> known;
  for (const pack::Listed& listed : pack::list_packs(files, *search)) {
    ASSERT_TRUE(listed.manifest.ok()) << listed.manifest.error().text();
    for (const base::Json& plugin : listed.manifest->document["plugins"].items()) {
      known.insert(plugin["id"].as_string());
    }
  }

  for (const Entry& entry : catalog().entries()) {
    EXPECT_TRUE(known.contains(entry.plugin_id())) << entry.id() << ": " << entry.plugin_id();
  }
}

TEST(Catalog, EveryMappingIsReadOrRefusedWithTheNoteOfItsSet) {
  std::string refused;
  int64_t importable = 0, needs_preparation = 0;
  for (const Entry& entry : catalog().entries()) {
    const auto mapping = entry.mapping("");
    if (mapping.ok()) {
      ++importable;
      continue;
    }
    ++needs_preparation;
    refused += entry.id() + ": " + mapping.error().message + "\n";
    EXPECT_EQ(mapping.error().code, base::Code::kFailedPrecondition);
    EXPECT_THAT(mapping.error().message, HasSubstr(entry.id()));
    EXPECT_THAT(mapping.error().hint, HasSubstr(entry.fields["notes"].as_string()));
  }
  std::printf("%s%lld sets: %lld importable, %lld need preparation\n", refused.c_str(),
              static_cast<long long>(catalog().entries().size()),
              static_cast<long long>(importable), static_cast<long long>(needs_preparation));

  EXPECT_EQ(catalog().entries().size(), 409u);
  EXPECT_GE(importable, 373);
  EXPECT_EQ(importable + needs_preparation, 409);
}

TEST(Catalog, StatusIsComputedFromTheMapping) {
  EXPECT_EQ(catalog().find("coco-captions").value()->status()["status"].as_string(), "importable");
  const base::Json refused = catalog().find("pubtabnet").value()->status();
  EXPECT_EQ(refused["status"].as_string(), "needs preparation");
  EXPECT_THAT(refused["reason"].as_string(), HasSubstr("\"table_html\" is no word"));
}

TEST(Catalog, SearchKeepsWhatFitsEveryCondition) {
  Query query;
  query.task = "asr";
  query.layout = "transcript-list-tree";
  query.words = "AISHELL sep";
  std::vector<std::string> ids;
  for (const Entry* entry : catalog().search(query)) ids.push_back(entry->id());
  EXPECT_THAT(ids, ElementsAre("aishell-1"));

  query.modality = "video";
  EXPECT_TRUE(catalog().search(query).empty());
}

TEST(Catalog, ABrokenLineNamesItsRowAndByte) {
  const auto broken = Catalog::parse("{\"id\":\"a\",\"mapping\":{}}\n{\"id\":");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().row, 2);
  EXPECT_GE(broken.error().byte_offset, 24);
  EXPECT_EQ(Catalog::parse("{\"mapping\":{}}\n").error().row, 1);
}

}  // namespace
}  // namespace mortise::ingest::catalog
