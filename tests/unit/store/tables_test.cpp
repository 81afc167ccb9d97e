// Row tables, name tables and the files over them.
#include <gtest/gtest.h>

#include <random>

#include "store/row_search.h"
#include "store/row_table.h"
#include "store/table_files.h"
#include "tests/support/temp_folder.h"

namespace mortise::store {
namespace {

using base::Code;

class TablesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Domain::open(base::posix_file_ops(), base::system_random(), base::system_clock(),
                               key_, {folder_.path(), {}});
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    domain_ = *opened;
  }
  ObjectRef put(std::string_view text) { return domain_->put(base::as_bytes(text)).value(); }
  NameTable table(const std::vector<std::string>& names) {
    std::vector<NamedObject> entries;
    for (const std::string& name : names) entries.push_back({name, put("of " + name)});
    return NameTable::open(domain_, write_names(domain_, entries)->ref).value();
  }
  static std::vector<std::string> names_of(const NameTable& table) {
    std::vector<std::string> names;
    EXPECT_TRUE(table
                    .visit([&](const NamedObject& entry) -> base::Status {
                      names.push_back(entry.name);
                      return {};
                    })
                    .ok());
    return names;
  }

  tests::TempFolder folder_;
  DomainKey key_ = DomainKey::make("0a", base::system_random());
  std::shared_ptr<Domain> domain_;
};

// Of none, of some, of whole blocks and of one more: each name is found, none between two is.
TEST_F(TablesTest, FindEachNameOfManyBlocks) {
  for (const size_t count : {0u, 1u, 255u, 256u, 257u, 1'024u, 3'000u}) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back(std::to_string(10'000 + 2 * i));
    const NameTable found = table(names);
    ASSERT_EQ(found.count(), count);
    for (size_t step = 0; step < count; ++step) {
      const size_t i = step * 997 % count;  // not in their order
      const std::string between = std::to_string(10'000 + 2 * i + 1);
      ASSERT_TRUE(found.find(names[i]).value().has_value()) << names[i];
      EXPECT_EQ(*found.find(names[i]).value(), put("of " + names[i]));
      EXPECT_EQ(found.at(i)->name, names[i]);
      EXPECT_FALSE(found.find(between).value().has_value()) << between;
      EXPECT_EQ(found.after(names[i]).value(), i + 1);
      EXPECT_EQ(found.after(between).value(), i + 1);
    }
    for (const char* beside : {"", "0", "1", "9"}) {
      EXPECT_FALSE(found.find(beside).value().has_value()) << beside;
      EXPECT_EQ(found.after(beside).value(), beside[0] == '9' ? count : 0u) << beside;
    }
    EXPECT_EQ(found.at(count).error().code, Code::kOutOfRange);
  }
}

TEST_F(TablesTest, GiveEachRowBackByItsNumber) {
  RowTableWriter writer(domain_, key_);
  std::vector<std::string> rows;
  for (int i = 0; i < 5000; ++i) {
    rows.push_back("{\"n\":" + std::to_string(i) + ",\"t\":\"" + std::string(i % 300, 'x') + "\"}");
  }
  for (const std::string& row : rows) ASSERT_TRUE(writer.add(row).ok());
  const auto table = RowTable::open(domain_, writer.finish().value());

  ASSERT_TRUE(table.ok()) << table.error().text();
  EXPECT_EQ(table->row_count(), 5000u);
  EXPECT_GT(table->groups().size(), 2u);
  for (const size_t i : {size_t{0}, size_t{1234}, size_t{4999}}) {
    EXPECT_EQ(table->row(i).value(), rows[i]);
  }
  EXPECT_EQ(table->row(5000).error().code, Code::kOutOfRange);
  EXPECT_EQ(table->ids(4999, 10)->at(0), RowHash(key_).of(rows[4999]));
  std::vector<std::string> seen;
  ASSERT_TRUE(table
                  ->visit(1000, 3000,
                          [&](uint64_t, std::string_view row) -> base::Status {
                            seen.emplace_back(row);
                            return {};
                          })
                  .ok());
  EXPECT_EQ(seen, std::vector<std::string>(rows.begin() + 1000, rows.begin() + 4000));
}

TEST_F(TablesTest, KeepARowLongerThanAGroup) {
  RowTableWriter writer(domain_, key_);
  const std::string longest(3u << 20, 'y');
  for (const std::string& row : {std::string("a"), longest, std::string("b")}) {
    ASSERT_TRUE(writer.add(row).ok());
  }
  const auto table = RowTable::open(domain_, writer.finish().value());
  EXPECT_EQ(table->row(1).value(), longest);
  EXPECT_EQ(table->row(2).value(), "b");
}

TEST_F(TablesTest, ShareGroupsBetweenVersions) {
  RowTableWriter first(domain_, key_);
  for (int i = 0; i < 20000; ++i) ASSERT_TRUE(first.add("row " + std::to_string(i)).ok());
  const auto table = RowTable::open(domain_, first.finish().value());
  const uint64_t before = domain_->counts().chunks;
  RowTableWriter second(domain_, key_);
  for (const RowGroup& group : table->groups()) {
    ASSERT_TRUE(second.add_group(group, *table->ids(group.first_row, group.row_count)).ok());
  }
  ASSERT_TRUE(second.add("one more").ok());

  const auto longer = RowTable::open(domain_, second.finish().value());

  EXPECT_EQ(longer->row_count(), 20001u);
  EXPECT_EQ(longer->row(20000).value(), "one more");
  EXPECT_LE(domain_->counts().chunks, before + 2);  // the new group and the new table
}

TEST_F(TablesTest, AreSearchedWithinBoundsAndFromWhereTheLastSearchEnded) {
  RowTableWriter writer(domain_, key_);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(writer.add(R"({"n":)" + std::to_string(i) + "}").ok());
  }
  const RowTable table = RowTable::open(domain_, writer.finish().value()).value();
  auto matcher = job::RowMatcher::make({.where = {"n>=290", "n<305"}}).value();
  std::vector<uint64_t> found, pieces;
  const auto search = [&](const SearchBounds& bounds) {
    found.clear();
    pieces.clear();
    return search_rows(
               table, matcher, bounds,
               [&](uint64_t index, std::string_view row) -> base::Status {
                 EXPECT_EQ(row, R"({"n":)" + std::to_string(index) + "}");
                 found.push_back(index);
                 return {};
               },
               [&](uint64_t next) -> base::Status {
                 pieces.push_back(next);
                 return {};
               })
        .value();
  };

  EXPECT_EQ(search({}).next_row, 1000u);
  EXPECT_EQ(found.size(), 15u);
  EXPECT_EQ(pieces, (std::vector<uint64_t>{256, 512, 768, 1000}));
  EXPECT_EQ(search({.first_row = 0, .rows_max = 292}).next_row, 292u) << "a server's answer";
  EXPECT_EQ(found, (std::vector<uint64_t>{290, 291}));
  EXPECT_EQ(search({.first_row = 292, .matches_max = 2}).next_row, 294u);
  EXPECT_EQ(found, (std::vector<uint64_t>{292, 293}));
  EXPECT_EQ(search({.first_row = 2000}).next_row, 2000u) << "behind the end there is nothing";
  EXPECT_EQ(search({.matches_max = 0}).next_row, 0u);
}

TEST_F(TablesTest, AreSearchedNoFurtherThanTheTakerWants) {
  RowTableWriter writer(domain_, key_);
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(writer.add("{}").ok());
  const RowTable table = RowTable::open(domain_, writer.finish().value()).value();
  auto matcher = job::RowMatcher::make({}).value();
  const auto full = [](uint64_t, std::string_view) -> base::Status {
    return base::Error(Code::kResourceExhausted, "It is full.");
  };
  const auto fine = [](uint64_t, std::string_view) { return base::Status(); };
  uint64_t seen = 0;

  EXPECT_EQ(search_rows(table, matcher, {}, full).error().code, Code::kResourceExhausted);
  const auto cut = search_rows(table, matcher, {}, fine, [&](uint64_t next) -> base::Status {
    seen = next;
    return base::Error(Code::kCancelled, "Enough.");
  });
  EXPECT_EQ(cut.error().code, Code::kCancelled);
  EXPECT_EQ(seen, 256u);
  const auto page = search_rows(table, matcher, {.first_row = 7, .matches_max = 10}, fine,
                                [&](uint64_t next) -> base::Status {
                                  seen = next;
                                  return {};
                                });
  EXPECT_EQ(page->next_row, 17u);
  EXPECT_EQ(page->matches, 10u);
  EXPECT_EQ(seen, 17u);
}

TEST_F(TablesTest, RefuseAnotherObject) {
  EXPECT_EQ(RowTable::open(domain_, put("no table")).error().code, Code::kDataLoss);
  EXPECT_EQ(RowTable::open(domain_, put(std::string(100, 'z'))).error().code, Code::kDataLoss);
  EXPECT_EQ(NameTable::open(domain_, put(std::string(100, 'z'))).error().code, Code::kDataLoss);
  std::string lie = "MRTNAM01" + std::string(24, '\xff');
  EXPECT_EQ(NameTable::open(domain_, put(lie)).error().code, Code::kDataLoss);
  lie = "MRTROW01" + std::string(24, '\xff');
  EXPECT_EQ(RowTable::open(domain_, put(lie)).error().code, Code::kDataLoss);
}

TEST_F(TablesTest, FindNamesAndPagesOfThem) {
  const NameTable names = table({"b/1.png", "a.png", "b/2.png", "c"});

  EXPECT_EQ(names_of(names), (std::vector<std::string>{"a.png", "b/1.png", "b/2.png", "c"}));
  EXPECT_EQ(domain_->read_all(**names.find("b/2.png")).value(), "of b/2.png");
  EXPECT_FALSE(names.find("b")->has_value());
  EXPECT_EQ(names.after("a.png").value(), 1u);
  EXPECT_EQ(names.after("aa").value(), 1u);
  EXPECT_EQ(names.after("z").value(), 4u);
  EXPECT_EQ(names.at(4).error().code, Code::kOutOfRange);
  EXPECT_EQ(table({}).count(), 0u);
}

TEST_F(TablesTest, MergeSoThatTheLastWins) {
  const NameTable one = table({"a", "b"});
  const auto other = write_names(domain_, {{"b", put("newer")}, {"c", put("of c")}});
  const auto merged =
      merge_names(domain_, {one, NameTable::open(domain_, other->ref).value(), table({})});
  const auto names = NameTable::open(domain_, merged.value());
  EXPECT_EQ(names_of(*names), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(domain_->read_all(**names->find("b")).value(), "newer");
}

// 150,000 names are 11 MB: more than a table holds in memory while it is written.
TEST_F(TablesTest, GrowBeyondWhatIsHeldAndMergeInOrder) {
  const ObjectRef same = put("same"), newer = put("newer");
  const auto name = [](size_t i) { return std::to_string(1'000'000 + i); };
  std::vector<NameTable> parts;
  for (size_t part = 0; part < 30; ++part) {
    std::vector<NamedObject> entries;
    for (size_t i = 0; i < 5'000; ++i) entries.push_back({name(i * 30 + part), same});
    const auto written = write_names(domain_, entries);
    ASSERT_TRUE(written.ok()) << written.error().text();
    parts.push_back(NameTable::open(domain_, written->ref).value());
  }
  const auto last = write_names(domain_, {{name(77'777), newer}});
  parts.push_back(NameTable::open(domain_, last->ref).value());
  const auto merged = merge_names(domain_, parts);
  ASSERT_TRUE(merged.ok()) << merged.error().text();
  const NameTable all = NameTable::open(domain_, *merged).value();
  ASSERT_EQ(all.count(), 150'000u);
  size_t next = 0;
  const base::Status seen = all.visit([&](const NamedObject& entry) -> base::Status {
    EXPECT_EQ(entry.name, name(next));
    EXPECT_EQ(entry.ref, next == 77'777 ? newer : same);
    ++next;
    return {};
  });
  EXPECT_TRUE(seen.ok() && next == 150'000u);
  EXPECT_EQ(*all.find(name(149'999)).value(), same);
  EXPECT_FALSE(all.find(name(150'000)).value().has_value());
}

TEST_F(TablesTest, AreFilesThatAreOnlyRead) {
  TableFiles files(domain_, table({"b/1.png", "a.png", "b/c/2.png", "b0"}));

  auto file = files.open("b/1.png", base::OpenMode::kRead);
  ASSERT_TRUE(file.ok()) << file.error().text();
  EXPECT_EQ((*file)->size().value(), 10u);
  EXPECT_EQ((*file)->descriptor(), -1);
  std::byte bytes[4];
  EXPECT_EQ((*file)->read_at(8, bytes).value(), 2u);
  EXPECT_EQ(base::as_text({bytes, 2}), "ng");
  const auto root = files.list("/");
  ASSERT_EQ(root->size(), 3u);
  EXPECT_EQ((*root)[1].name, "b");
  EXPECT_TRUE((*root)[1].is_folder);
  const auto below = files.list("b");
  ASSERT_EQ(below->size(), 2u);
  EXPECT_EQ((*below)[0].name, "1.png");
  EXPECT_TRUE((*below)[1].is_folder);
  EXPECT_TRUE(files.exists("b/c").value());
  EXPECT_FALSE(files.exists("d").value());
  EXPECT_EQ(files.list("d").error().code, Code::kNotFound);
  EXPECT_EQ(files.open("d", base::OpenMode::kRead).error().code, Code::kNotFound);
  EXPECT_EQ(files.open("d", base::OpenMode::kCreateNew).error().code, Code::kPermissionDenied);
  EXPECT_EQ(files.remove("a.png").error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace mortise::store
