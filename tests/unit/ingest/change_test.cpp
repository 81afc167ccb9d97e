#include "ingest/change.h"

#include <gtest/gtest.h>

#include "schemas/schemas.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using base::Json;

std::string row_text(int n, const std::string& image, const std::string& output) {
  return "{\"image_path\":\"" + image + "\",\"output\":\"" + output + "\",\"question\":\"q" +
         std::to_string(n) + "\"}";
}

// A parent of `rows` rows that use a.png, the last one b.png, and an upload of a change of it.
class ChangeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    domain_ = store::Domain::open(base::posix_file_ops(), base::system_random(),
                                  base::system_clock(), key_, {folder_.path(), {}})
                  .value();
  }
  void make_parent(int rows) {
    store::RowTableWriter writer(domain_, key_);
    for (int i = 0; i < rows; ++i) {
      const std::string text = row_text(i, i + 1 == rows ? "b.png" : "a.png", padding_);
      ASSERT_TRUE(writer.add(text).ok());
      ids_.push_back(store::to_text(store::RowHash(key_).of(text)));
    }
    parent_ = store::RowTable::open(domain_, writer.finish().value()).value();
    parent_media_ = names({{"a.png", grey_png(4, 1)}, {"b.png", grey_png(4, 2)}});
  }
  store::NameTable names(const std::vector<std::pair<std::string, std::string>>& files) {
    std::vector<store::NamedObject> entries;
    for (const auto& [name, bytes] : files) {
      entries.push_back({name, domain_->put(base::as_bytes(bytes)).value()});
    }
    return store::NameTable::open(domain_, store::write_names(domain_, entries)->ref).value();
  }
  // Prepares a request over an upload of these files.
  ChangeRequest request(const std::vector<std::pair<std::string, std::string>>& files) {
    upload_.emplace(domain_, names(files));
    upload_->set_below(std::make_unique<SealedUpload>(domain_, *parent_media_));
    output_.emplace(domain_, key_);
    return {.task_type = "vqa",
            .rows_names = {"edits.jsonl"},
            .domain = domain_,
            .parent = &*parent_,
            .parent_media = &*parent_media_,
            .upload = &*upload_,
            .output = &*output_};
  }
  Changed edited(std::deque<std::string> edits,
                 const std::vector<std::pair<std::string, std::string>>& files = {}) {
    FakeRows source(std::move(edits));
    const ChangeRequest wanted = request(files);
    auto changed = edit_rows(source, wanted, {});
    EXPECT_TRUE(changed.ok()) << changed.error().text();
    return changed.value();
  }
  store::RowTable rows_of(const Changed& changed) {
    return store::RowTable::open(domain_, changed.rows).value();
  }
  std::string media_of_version(const Changed& changed) {
    std::string joined;
    EXPECT_TRUE(store::NameTable::open(domain_, changed.media)
                    ->visit([&](const store::NamedObject& entry) -> base::Status {
                      joined += entry.name + " ";
                      return {};
                    })
                    .ok());
    return joined;
  }
  static std::string codes(const Changed& changed) {
    EXPECT_FALSE(changed.ingested.accepted);
    std::string found;
    for (const Finding& one : changed.ingested.report.findings) found += one.code + " ";
    return found;
  }

  tests::TempFolder folder_;
  store::DomainKey key_ = store::DomainKey::make("0a", base::system_random());
  std::shared_ptr<store::Domain> domain_;
  std::string padding_ = "yes";
  std::optional<store::RowTable> parent_;
  std::optional<store::NameTable> parent_media_;
  std::vector<std::string> ids_;
  std::optional<SealedUpload> upload_;
  std::optional<SealedOutput> output_;
};

TEST_F(ChangeTest, WritesOnlyTheGroupsOfEditedRowsAgain) {
  padding_ = std::string(1000, 'x');  // 250 rows a group
  make_parent(1000);
  ASSERT_GT(parent_->groups().size(), 3u);

  const Changed changed = edited(
      {R"({"id":")" + ids_[0] + R"(","patch":[{"op":"replace","path":"/output","value":"no"}]})"});

  ASSERT_TRUE(changed.ingested.accepted);
  const store::RowTable rows = rows_of(changed);
  EXPECT_EQ(rows.row_count(), 1000u);
  EXPECT_EQ(rows.row(0).value(), row_text(0, "a.png", "no"));
  EXPECT_EQ(rows.row(999).value(), parent_->row(999).value());
  EXPECT_FALSE(rows.groups()[0].ref == parent_->groups()[0].ref);
  for (size_t i = 1; i < rows.groups().size(); ++i) {
    EXPECT_TRUE(rows.groups()[i].ref == parent_->groups()[i].ref) << i;
  }
  EXPECT_EQ(changed.ingested.report.change["rows_changed"].as_int(), 1);
}

TEST_F(ChangeTest, DeletesARowAndTheMediumThatOnlyItUsed) {
  make_parent(3);
  const Changed changed = edited({R"({"id":")" + ids_[2] + R"(","delete":true})"});
  EXPECT_EQ(rows_of(changed).row_count(), 2u);
  EXPECT_EQ(media_of_version(changed), "a.png ");
  const Changed other = edited({R"({"id":")" + ids_[0] + R"(","delete":true})"});
  EXPECT_EQ(media_of_version(other), "a.png b.png ") << "another row uses a.png";
}

TEST_F(ChangeTest, PutsARowAndAFileInThePlaceOfOthers) {
  make_parent(3);
  const Changed changed =
      edited({R"({"id":")" + ids_[1] + R"(","row":)" + row_text(7, "new.png", "no") + "}"},
             {{"new.png", grey_png(4, 3)}, {"b.png", grey_png(8, 3)}});
  ASSERT_TRUE(changed.ingested.accepted);
  EXPECT_EQ(rows_of(changed).row(1).value(), row_text(7, "new.png", "no"));
  EXPECT_EQ(media_of_version(changed), "a.png b.png new.png ");
  EXPECT_EQ(changed.ingested.report.change["media_replaced"].as_int(), 1);
}

// Each is produced below.
TEST(ChangeCodes, AreThoseOfTheTable) {
  std::string codes;
  const Json table = base::parse_json(schemas::text("checks.json")).value();
  for (const Json& one : table["checks"].items()) {
    if (one["of"].as_string() == "change") codes += one["code"].as_string() + " ";
  }
  EXPECT_EQ(codes, "edit_id edit_unclear edit_twice edit_patch edit_unknown_row media_taken ");
}

TEST_F(ChangeTest, RefusesEditsThatAreWrongAndSaysWhich) {
  make_parent(3);
  const std::string id = R"({"id":")" + ids_[0] + "\"";
  EXPECT_EQ(codes(edited({R"({"id":"7","delete":true})"})), "edit_id ");
  EXPECT_EQ(codes(edited({id + "}"})), "edit_unclear ");
  EXPECT_EQ(codes(edited({id + R"(,"delete":true,"row":{}})"})), "edit_unclear ");
  EXPECT_EQ(codes(edited({id + R"(,"delete":false})"})), "edit_unclear ");
  EXPECT_EQ(codes(edited({id + R"(,"delete":true})", id + R"(,"delete":true})"})), "edit_twice ");
  EXPECT_EQ(codes(edited({id + R"(,"patch":[{"op":"remove","path":"/nothing"}]})"})),
            "edit_patch ");
  EXPECT_EQ(codes(edited({R"({"id":"row:00000000000000000000000000000000","delete":true})"})),
            "edit_unknown_row ");
  const Changed broken = edited({id + R"(,"row":)" + row_text(1, "gone.png", "x") + "}"});
  EXPECT_EQ(codes(broken), "media_missing ");
  EXPECT_EQ(broken.ingested.report.findings[0].row, 1);
  const Changed bad_file = edited({id + R"(,"delete":true})"}, {{"b.png", "no picture"}});
  EXPECT_FALSE(bad_file.ingested.accepted) << "a file that replaces one must be one";
}

TEST_F(ChangeTest, RefusesToLeaveNoRowAndToDoNothing) {
  make_parent(1);
  FakeRows all({R"({"id":")" + ids_[0] + R"(","delete":true})"}), none({});
  const ChangeRequest wanted = request({});
  EXPECT_EQ(edit_rows(all, wanted, {}).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(edit_rows(none, wanted, {}).error().code, base::Code::kInvalidArgument);
}

TEST_F(ChangeTest, AppendsBehindTheParentsRows) {
  padding_ = std::string(1000, 'x');
  make_parent(1000);
  const ChangeRequest wanted = request({{"c.png", grey_png(4, 9)}, {"a.png", grey_png(4, 1)}});
  const auto read = [&]() -> base::Result<IngestResult> {
    MORTISE_TRY(wanted.output->add(row_text(5, "c.png", "new")));
    IngestResult result;
    result.accepted = true;
    result.used_media = {"c.png"};
    return result;
  };
  const Changed changed = append_rows(wanted, read).value();
  ASSERT_TRUE(changed.ingested.accepted);
  const store::RowTable rows = rows_of(changed);
  EXPECT_EQ(rows.row_count(), 1001u);
  EXPECT_EQ(rows.row(1000).value(), row_text(5, "c.png", "new"));
  EXPECT_TRUE(rows.groups()[0].ref == parent_->groups()[0].ref);
  EXPECT_EQ(media_of_version(changed), "a.png b.png c.png ");
  EXPECT_EQ(changed.ingested.report.change["rows_added"].as_int(), 1);

  const ChangeRequest other = request({{"a.png", grey_png(4, 200)}});
  const auto refused = append_rows(other, [] {
    IngestResult result;
    result.accepted = true;
    return base::Result<IngestResult>(result);
  });
  EXPECT_EQ(codes(*refused), "media_taken ");
}

}  // namespace
}  // namespace mortise::ingest
