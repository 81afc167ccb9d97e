// What is told of versions: differences, lineage, words and labels of data sets.
#include <gtest/gtest.h>

#include "hub/diff.h"
#include "hub/lineage.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Json;

using Media = std::vector<std::pair<std::string, std::string>>;

class VersionsTest : public HubFixture {
 protected:
  Version made(const std::string& name, const std::vector<std::string>& rows,
               const Media& media = {{"a.png", "A"}}) {
    const auto reference = add(version_of(name, rows, media));
    EXPECT_TRUE(reference.ok());
    return hub_->datasets().resolve(*reference).value();
  }
  // "kind numbers fields" of each difference but the summary, which goes to `summary_`.
  std::string diff(const Version& from, const Version& to, const std::string& key = "") {
    std::string told;
    const auto status = diff_versions(*hub_, {from, to, key}, [&](const Json& one) -> base::Status {
      const std::string& kind = one["kind"].as_string();
      if (kind == "summary") {
        summary_ = one;
      } else if (kind == "row_changed") {
        told += "changed " + one["from_row"].dump() + ">" + one["to_row"].dump();
        for (const Json& field : one["fields"].items()) told += field["field"].as_string();
        told += "; ";
      } else {
        told += kind.substr(kind.find('_') + 1) + " " +
                (one.contains("row") ? one["row"].dump() : one["name"].as_string()) + "; ";
      }
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.error().text();
    return told;
  }
  store::RowId id_of(const Version& version, uint64_t row) {
    return hub_->datasets().rows(version)->ids(row, 1)->at(0);
  }
  Json summary_;
};

std::string row(int n, const char* answer) {
  return "{\"n\":" + std::to_string(n) + ",\"output\":\"" + answer + "\",\"question\":\"q" +
         std::to_string(n) + "\"}";
}

TEST_F(VersionsTest, DifferByPlaceWhenNoKeyIsGiven) {
  const Version one = made("d", {row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")});
  EXPECT_EQ(diff(one, made("d", {row(1, "a"), row(2, "B"), row(3, "c"), row(4, "d")})),
            "changed 2>2/output; ");
  EXPECT_EQ(diff(one, made("d", {row(2, "B"), row(3, "c"), row(4, "d"), row(5, "e")})),
            "removed 1; changed 2>1/output; added 4; ");
  EXPECT_EQ(summary_["rows_unchanged"].as_int(), 2);
  EXPECT_EQ(summary_["rows_removed"].as_int(), 1);
  EXPECT_EQ(diff(one, made("d", {row(4, "d"), row(1, "a"), row(3, "c"), row(2, "b")})), "")
      << "another order is no difference";
  EXPECT_EQ(diff(one, one), "");
}

TEST_F(VersionsTest, DifferByTheKeyFieldWhereverRowsStand) {
  const Version one = made("d", {row(1, "a"), row(2, "b"), row(3, "c")});
  const Version two = made("d", {row(3, "C"), row(4, "d"), row(1, "A")});
  EXPECT_EQ(diff(one, two, "n"), "changed 3>1/output; added 2; changed 1>3/output; removed 2; ");
  EXPECT_EQ(diff(one, two, "/nothing"),
            "added 1; added 2; added 3; removed 1; removed 2; removed 3; ");
}

TEST_F(VersionsTest, CountEqualRowsAsOftenAsBothHaveThem) {
  const Version one = made("d", {row(1, "a"), row(1, "a"), row(1, "a")});
  EXPECT_EQ(diff(one, made("d", {row(1, "a")})), "removed 2; removed 3; ");
  EXPECT_EQ(summary_["rows_unchanged"].as_int(), 1);
}

TEST_F(VersionsTest, DifferAcrossDataSetsAndInTheirMedia) {
  const Version one =
      made("d", {row(1, "a"), row(2, "b")}, {{"a.png", "A"}, {"b.png", "B"}, {"c.png", "C"}});
  const Version two =
      made("e", {row(1, "a"), row(2, "x")}, {{"a.png", "A"}, {"c.png", "X"}, {"d.png", "D"}});
  EXPECT_EQ(diff(one, two), "changed 2>2/output; removed b.png; changed c.png; added d.png; ");
  EXPECT_EQ(summary_["media_changed"].as_int(), 1);
}

TEST_F(VersionsTest, TellWhichJobsModelsAndEndpointsSawARow) {
  const Version one = made("d", {row(1, "a"), row(2, "b")});
  NewVersion next = version_of("d", {row(1, "a"), row(3, "c")});
  next.parent = {one.id, one.reference(), one.digest, 1, true};
  ASSERT_TRUE(add(next).ok());
  const auto job = hub_->jobs().submit({train("tuned"), "", "", ""}).value();
  ASSERT_TRUE(note_input(*hub_, job.id, "dataset", one.id).ok());
  auto prepared = prepared_model({{"config.json", "{}"}}).value();
  prepared.name = "m";
  prepared.job_id = job.id;
  const Model model = hub_->models().import(prepared).value();
  const auto second = hub_->jobs().submit({train("further"), "", "", ""}).value();
  ASSERT_TRUE(note_input(*hub_, second.id, "model", model.id).ok());
  auto derived = prepared_model({{"config.json", "[]"}}).value();
  derived.name = "m2";
  derived.job_id = second.id;
  ASSERT_TRUE(hub_->models().import(derived).ok());

  const Json of_one = lineage_of(*hub_, one).value();
  EXPECT_EQ(of_one["children"].at(0)["reference"].as_string(), "d@2");
  EXPECT_EQ(of_one["jobs"].size(), 2u);
  const Json of_two = lineage_of(*hub_, hub_->datasets().resolve("d@2").value()).value();
  EXPECT_EQ(of_two["parents"].at(0)["reference"].as_string(), "d@1");
  EXPECT_EQ(of_two["jobs"].size(), 0u);
  EXPECT_EQ(hub_->datasets().resolve("d@2")->manifest["parents"].at(0)["digest"].as_string(),
            one.digest);

  const auto rows = lineage_of_rows(*hub_, "d", {id_of(one, 0), id_of(one, 1)});
  ASSERT_TRUE(rows.ok()) << rows.error().text();
  EXPECT_EQ(rows->at(0)["versions"].size(), 2u);
  EXPECT_EQ(rows->at(1)["versions"].size(), 1u);
  EXPECT_EQ(rows->at(1)["models"].at(0)["reference"].as_string(), "m@1");
  EXPECT_EQ(rows->at(1)["models"].at(1)["reference"].as_string(), "m2@1") << "by way of m@1";
  const std::string& split = rows->at(1)["jobs"].at(0)["split"].as_string();
  EXPECT_TRUE(split == "train" || split == "held_out") << split;

  EXPECT_EQ(lineage_of_rows(*hub_, "d", {store::RowId{}}).error().code, Code::kNotFound);
  EXPECT_EQ(lineage_of_rows(*hub_, "nobody", {}).error().code, Code::kNotFound);
}

TEST_F(VersionsTest, AreNotHiddenByAChangeOfAnOlderOne) {
  const Version one = made("d", {row(1, "a")});
  NewVersion change = version_of("d", {row(2, "b")});
  change.parent = {one.id, one.reference(), one.digest, 1, true};
  ASSERT_TRUE(add(change).ok());
  const auto late = add(change);
  EXPECT_EQ(late.error().code, Code::kFailedPrecondition);
  EXPECT_NE(late.error().message.find("d@2"), std::string::npos) << late.error().text();
  change.parent->must_be_newest = false;
  EXPECT_EQ(*add(change), "d@3") << "a branch that was asked for";
}

TEST_F(VersionsTest, AreWithdrawnTaggedAndRestored) {
  made("d", {"{}"});
  made("d", {"{}", "{}"});
  Datasets& datasets = hub_->datasets();
  ASSERT_TRUE(datasets.move_tags("d", Json::object({{"stable", 1}})).ok());
  EXPECT_EQ(datasets.resolve("d@stable")->number, 1);
  ASSERT_TRUE(datasets.move_tags("d", Json::object({{"stable", 2}})).ok());
  EXPECT_EQ(datasets.resolve("d@stable")->number, 2);
  EXPECT_EQ(datasets.get("d")->tags, Json::object({{"stable", 2}}));
  EXPECT_EQ(datasets.move_tags("d", Json::object({{"x", 9}})).error().code, Code::kNotFound);
  EXPECT_EQ(datasets.move_tags("d", Json::object({{"7", 1}})).error().code, Code::kInvalidArgument);
  EXPECT_EQ(datasets.resolve("d@unknown").error().code, Code::kNotFound);

  ASSERT_TRUE(datasets.withdraw("d@2").ok());
  EXPECT_EQ(datasets.resolve("d")->number, 1);
  EXPECT_EQ(datasets.resolve("d@2")->state, "withdrawn") << "readable under its number";
  EXPECT_EQ(datasets.withdraw("d@2").error().code, Code::kNotFound);
  ASSERT_TRUE(datasets.restore("d", 2).ok());
  EXPECT_EQ(datasets.resolve("d")->number, 2);
  ASSERT_TRUE(datasets.move_tags("d", Json::object({{"stable", Json()}})).ok());
  EXPECT_EQ(datasets.resolve("d@stable").error().code, Code::kNotFound);
}

TEST_F(VersionsTest, AreFoundByTypedLabels) {
  for (const auto& [name, year] : {std::pair{"a", "2019"}, {"b", "2024"}}) {
    NewVersion version = version_of(name);
    version.labels = Json::object({{"year", year},
                                   {"taken", std::string(year) + "-05-01"},
                                   {"open", std::string(name) == "a"},
                                   {"language", "zh"}});
    ASSERT_TRUE(add(version).ok());
  }
  const auto names = [&](const std::vector<std::string>& labels) {
    std::string found;
    const auto page = hub_->datasets().list({"", labels}, {50, ""});
    if (!page.ok()) return page.error().field;
    for (const Dataset& dataset : page->items) found += dataset.name;
    return found;
  };
  EXPECT_EQ(names({"language=zh"}), "ab");
  EXPECT_EQ(names({"year>=2020"}), "b");
  EXPECT_EQ(names({"year<2024.5", "year!=2019.0"}), "b");
  EXPECT_EQ(names({"taken<2020-01-01"}), "a");
  EXPECT_EQ(names({"open=true"}), "a");
  EXPECT_EQ(names({"site!=x"}), "ab") << "those without the label too";
  EXPECT_EQ(names({"language>zh"}), "label") << "texts have no order";
  EXPECT_EQ(names({"language"}), "label");
}

TEST_F(VersionsTest, AreCountedByTheirLabelsAndTaskTypes) {
  const auto add_with = [&](const char* name, const char* task_type, Json labels) {
    NewVersion version = version_of(name);
    version.task_type = task_type;
    version.labels = std::move(labels);
    ASSERT_TRUE(add(version).ok());
  };
  add_with("a", "vqa",
           Json::object({{"language", "zh"}, {"year", 2019}, {"open", true}, {"site", "7"}}));
  add_with("b", "vqa", Json::object({{"language", "zh"}, {"year", 2024.5}, {"open", false}}));
  add_with("c", "caption",
           Json::object({{"language", "en"}, {"taken", "0999-12-31"}, {"site", "north"}}));
  add_with("d", "caption", Json::object({{"taken", "9999-01-02"}, {"open", true}}));

  EXPECT_EQ(
      hub_->datasets().facets({})->to_json().dump(),
      R"({"count":4,"task_type":{"values":[{"value":"caption","count":2},{"value":"vqa","count":2}],)"
      R"("has_more":false},"labels":[)"
      R"({"name":"language","kind":"text","count":3,"values":[{"value":"zh","count":2},)"
      R"({"value":"en","count":1}],"has_more":false},)"
      R"({"name":"open","kind":"bool","count":3,"values":[{"value":true,"count":2},)"
      R"({"value":false,"count":1}],"has_more":false},)"
      R"({"name":"taken","kind":"date","count":2,"min":"0999-12-31","max":"9999-01-02"},)"
      R"({"name":"year","kind":"number","count":2,"min":2019,"max":2024.5},)"
      R"({"name":"site","kind":"number","count":1,"min":7,"max":7},)"
      R"({"name":"site","kind":"text","count":1,"values":[{"value":"north","count":1}],)"
      R"("has_more":false}],"has_more_labels":false})");
  const auto chinese = hub_->datasets().facets({"", {"language=zh", "year>2020"}});
  EXPECT_EQ(chinese->count, 1);
  ASSERT_EQ(chinese->labels.size(), 3u);
  EXPECT_EQ(chinese->labels[2].min, 2024.5);
  EXPECT_EQ(hub_->datasets().facets({"nothing", {}})->to_json().dump(),
            R"({"count":0,"task_type":{"values":[],"has_more":false},"labels":[],)"
            R"("has_more_labels":false})");
  EXPECT_EQ(hub_->datasets().facets({"", {"language>zh"}}).error().field, "label");
}

TEST_F(VersionsTest, AreCountedByFiftyLabelsAndFiftyValuesAtMost) {
  for (int i = 0; i < 51; ++i) {
    NewVersion version = version_of("set" + std::to_string(i));
    version.labels = Json::object({{"site", "s" + std::to_string(i)}});
    for (int j = 0; i == 0 && j < 49; ++j) version.labels["k" + std::to_string(j)] = "v";
    ASSERT_TRUE(add(version).ok());
  }

  const Facets all = hub_->datasets().facets({}).value();
  ASSERT_EQ(all.labels.size(), 50u);
  EXPECT_FALSE(all.has_more_labels);
  EXPECT_EQ(all.labels[0].name, "site") << "what most have comes first";
  EXPECT_EQ(all.labels[0].count, 51);
  EXPECT_EQ(all.labels[0].values.size(), 50u);
  EXPECT_TRUE(all.labels[0].has_more);
  ASSERT_TRUE(hub_->datasets().describe("set1", Json(), Json::object({{"another", "v"}})).ok());
  EXPECT_EQ(hub_->datasets().facets({})->labels.size(), 50u);
  EXPECT_TRUE(hub_->datasets().facets({})->has_more_labels);
}

TEST_F(VersionsTest, AreFoundByWordsOfBothLanguages) {
  NewVersion version = version_of("chest_reports");
  version.description = "胸部Ｘ光片报告, Café";
  ASSERT_TRUE(add(version).ok());
  const auto count = [&](const char* query) {
    return hub_->datasets().list({query, {}}, {50, ""})->items.size();
  };
  for (const char* found : {"胸部", "光片", "报告", "片", "x", "CAFÉ", "chest rep", "x光片"}) {
    EXPECT_EQ(count(found), 1u) << found;
  }
  for (const char* missing : {"部光", "肺", "reports che sts", "hest", "%", "_"}) {
    EXPECT_EQ(count(missing), 0u) << missing;
  }
  ASSERT_TRUE(hub_->datasets().describe("chest_reports", Json("肺部"), Json()).ok());
  EXPECT_EQ(count("胸部"), 0u);
  EXPECT_EQ(count("肺部"), 1u);
}

}  // namespace
}  // namespace mortise::hub
