// Each layout of the catalogue: a set of that layout, in its authors' own files, becomes the rows
// that it should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/crypto.h"
#include "ingest/catalog/import.h"
#include "tests/support/media_files.h"
#include "tests/support/png.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/ingest_catalog/layouts.h"

namespace mortise::ingest::catalog {
namespace {

using base::Json;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

std::string png() {
  return tests::png_of(140, {9, 9, 9});
}

std::string replaced(std::string text, const std::string& word, const std::string& by) {
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + by.size())) {
    text.replace(at, word.size(), by);
  }
  return text;
}

// What the rows call the picture that stood in them.
std::string kept_name() {
  return "media/" + base::to_hex(base::sha256(base::as_bytes(png()))).substr(0, 32) + ".png";
}

std::string canonical(const std::string& json) {
  return base::parse_json(replaced(json, "@KEPT", kept_name())).value().canonical();
}

const std::regex kMadeName("media/[0-9a-f]{32}");

class Layouts : public testing::Test {
 protected:
  Layouts() : registry_(pack::usual_search(base::posix_file_ops(), "", false).value(), services_) {}

  void write(const std::string& name, const std::string& content) {
    const std::string path = folder_ / ("set/" + name);
    base::FileOps& files = base::posix_file_ops();
    ASSERT_TRUE(base::make_folders(files, path.substr(0, path.rfind('/'))).ok());
    ASSERT_TRUE(base::write_file_durably(files, path, content).ok());
    request_.files[name] = path;
  }

  base::Result<ImportResult> import(const LayoutSample& sample) {
    base::FileOps& files = base::posix_file_ops();
    (void)base::remove_tree(files, folder_ / "set");
    (void)base::remove_tree(files, folder_ / "out");
    request_ = {};
    for (const auto& [name, content] : sample.files) {
      write(name, replaced(content, "@PNG", base::to_base64(base::as_bytes(png()))));
    }
    for (const std::string& name : sample.media) write(name, tests::media_named(name));
    EXPECT_TRUE(base::make_folders(files, folder_ / "out").ok());
    if (sample.set.starts_with("{")) {
      own_.fields = base::parse_json(sample.set).value();
      request_.entry = &own_;
    } else {
      MORTISE_ASSIGN(request_.entry, catalog().find(sample.set));
    }
    request_.task = sample.task;
    request_.folder = folder_ / "set";
    request_.output_folder = folder_ / "out";
    return import_set(files, registry_, request_, {});
  }

  std::vector<std::string> rows() {
    const auto text = base::read_file(base::posix_file_ops(), folder_ / "out/rows.jsonl");
    std::vector<std::string> lines;
    std::string line;
    for (const char c : text.ok() ? *text : "") {
      if (c == '\n')
        lines.push_back(std::exchange(line, {}));
      else
        line += c;
    }
    return lines;
  }

  tests::TempFolder folder_;
  plugin::HostServices services_;
  plugin::Registry registry_;
  ImportRequest request_;
  Entry own_;
};

std::vector<std::string> expected(const LayoutSample& sample) {
  std::vector<std::string> rows;
  for (const std::string& row : sample.rows) rows.push_back(canonical(row));
  return rows;
}

TEST_F(Layouts, EachImportsFromTheFilesOfASetToItsRows) {
  for (const LayoutSample& sample : imported_layouts()) {
    SCOPED_TRACE(sample.layout + ": " + sample.set);

    const auto imported = import(sample);

    ASSERT_TRUE(imported.ok()) << imported.error().text();
    EXPECT_EQ((*request_.entry).fields["native_layout"].as_string(), sample.layout);
    EXPECT_TRUE(imported->ingested.accepted) << imported->ingested.report.to_json().dump(2);
    std::vector<std::string> made = rows();
    if (sample.rows[0].find("media/*") != std::string::npos) {
      for (std::string& row : made) row = std::regex_replace(row, kMadeName, "media/*");
    }
    EXPECT_THAT(made, ElementsAreArray(expected(sample)));
  }
}

TEST_F(Layouts, AllFortyFourAreImportedOrRefused) {
  std::set<std::string> tried = {"parquet-url", "tsv-url-caption"};  // addresses: refused below
  for (const LayoutSample& sample : imported_layouts()) tried.insert(sample.layout);

  EXPECT_EQ(tried.size(), 44u);
  for (const Entry& entry : catalog().entries()) {
    EXPECT_TRUE(tried.contains(entry.fields["native_layout"].as_string())) << entry.id();
  }
}

TEST_F(Layouts, AMissingFileIsAFindingOfItsRow) {
  LayoutSample sample = imported_layouts()[0];
  sample.media = {"other.jpg"};

  const auto imported = import(sample);

  ASSERT_TRUE(imported.ok()) << imported.error().text();
  EXPECT_FALSE(imported->ingested.accepted);
  EXPECT_EQ(imported->ingested.report.codes.at("media_missing"), 2);
  EXPECT_EQ(imported->ingested.report.findings[0].row, 1);
  EXPECT_THAT(imported->ingested.report.findings[0].message, HasSubstr("9.jpg"));
}

TEST_F(Layouts, AMissingTableNamesItsFileAndTheRow) {
  LayoutSample sample = imported_layouts()[4];
  ASSERT_EQ(sample.set, "activitynet-qa");
  sample.files.erase("val_a.json");

  const auto imported = import(sample);

  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().code, base::Code::kNotFound);
  EXPECT_THAT(imported.error().message, HasSubstr("activitynet-qa, task video_qa, target output"));
  EXPECT_THAT(imported.error().message, HasSubstr("*_a.json"));
  EXPECT_EQ(imported.error().file, "val_q.json");
  EXPECT_EQ(imported.error().row, 1);
}

TEST_F(Layouts, AJoinWithoutAPartnerIsAnError) {
  LayoutSample sample = imported_layouts()[4];
  sample.files["val_a.json"] = R"([{"answer":"a man","question_id":"v_other"}])";

  const auto imported = import(sample);

  ASSERT_FALSE(imported.ok());
  EXPECT_THAT(imported.error().message, HasSubstr("\"v_abc_1\""));
}

TEST_F(Layouts, ASetOfAddressesIsRefusedAndNothingIsFetched) {
  for (const LayoutSample& sample :
       std::vector<LayoutSample>{{"parquet-url", "laion-400m", "", {{"a.parquet", "x"}}, {}, {}},
                                 {"tsv-url-caption",
                                  "cc3m",
                                  "caption",
                                  {{"a.tsv", "a dog\thttps://example.invalid/1.jpg\n"}},
                                  {},
                                  {}}}) {
    const auto imported = import(sample);

    ASSERT_FALSE(imported.ok());
    EXPECT_EQ(imported.error().code, base::Code::kFailedPrecondition);
    EXPECT_THAT(imported.error().message, HasSubstr("nothing is ever fetched"));
    EXPECT_THAT(imported.error().hint, HasSubstr("WebDataset"));
  }
}

TEST_F(Layouts, AnImporterThatIsNotInstalledIsNamed) {
  plugin::Registry none({}, services_);
  LayoutSample sample = imported_layouts()[0];
  ASSERT_TRUE(import(sample).ok());

  const auto imported = import_set(base::posix_file_ops(), none, request_, {});

  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().code, base::Code::kNotFound);
  EXPECT_THAT(imported.error().text(), HasSubstr("mortise.format_coco"));
}

TEST_F(Layouts, AFolderWithoutTheFileOfRowsNamesTheSetsOwnFiles) {
  LayoutSample sample = imported_layouts()[0];
  sample.files = {{"notes.txt", "no rows"}};
  const auto named = import(sample);
  ASSERT_FALSE(named.ok());
  EXPECT_EQ(named.error().code, base::Code::kNotFound);
  EXPECT_EQ(named.error().message,
            "The folder holds no file of rows of coco-captions: captions_*.json.");
  EXPECT_THAT(named.error().hint, HasSubstr("site: cocodataset.org"));

  sample = imported_layouts()[1];
  sample.files = {{"a/notes.txt", "no rows"}};
  sample.media = {"a/1.jpg", "b/2.jpg"};  // not to be read as folders of classes
  const auto told = import(sample);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().message,
            "The folder holds no file of rows of coco-instances-2014-2017: a file of the layout "
            "coco-instances that mortise.format_coco reads.");
}

TEST_F(Layouts, AnUnknownSetOrTaskIsNotFound) {
  const auto set = import({"", "coco-caption", "", {}, {}, {}});
  EXPECT_EQ(set.error().code, base::Code::kNotFound);
  EXPECT_THAT(set.error().hint, HasSubstr("coco-captions"));

  LayoutSample sample = imported_layouts()[0];
  sample.task = "asr";
  const auto task = import(sample);
  EXPECT_EQ(task.error().code, base::Code::kNotFound);
  EXPECT_THAT(task.error().hint, HasSubstr("caption"));
}

}  // namespace
}  // namespace mortise::ingest::catalog
