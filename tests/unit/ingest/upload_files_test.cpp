// The files of a local check: those that an upload would send, and what its rows name beside them.
#include "ingest/upload_files.h"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace mortise::ingest {
namespace {

using base::Code;
using Names = std::vector<std::string>;

class LocalFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"rows.jsonl", "LICENSE", "images/1.png"}) {
      const std::string path = folder_.path() + "/" + name;
      ASSERT_TRUE(base::make_folders(base::posix_file_ops(), path.substr(0, path.rfind('/'))).ok());
      ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, name).ok());
    }
  }
  Names visited(const LocalFiles& files) {
    Names names;
    EXPECT_TRUE(files
                    .visit([&](const std::string& name) -> base::Status {
                      names.push_back(name);
                      return {};
                    })
                    .ok());
    return names;
  }

  const tests::TempFolder folder_;
};

TEST_F(LocalFilesTest, WhatLiesBesideARowsFileIsThereWhenItIsNamedAndIsNotVisited) {
  const LocalFiles files(base::posix_file_ops(), {{"rows.jsonl", folder_.path() + "/rows.jsonl"}},
                         folder_.path());

  EXPECT_EQ(visited(files), Names{"rows.jsonl"});
  EXPECT_TRUE(files.contains("images/1.png").value());
  EXPECT_EQ(files.open("images/1.png").value()->size().value(), 12u);
  EXPECT_EQ(files.below("images").value(), Names{});
}

TEST_F(LocalFilesTest, NothingElseIsThere) {
  const LocalFiles files(base::posix_file_ops(), {{"rows.jsonl", folder_.path() + "/rows.jsonl"}},
                         folder_.path() + "/images");
  const LocalFiles alone(base::posix_file_ops(), {{"rows.jsonl", folder_.path() + "/rows.jsonl"}});

  EXPECT_TRUE(files.contains("1.png").value());
  EXPECT_FALSE(alone.contains("images/1.png").value());
  for (const char* name : {"../LICENSE", "2.png", "", "."}) {
    EXPECT_FALSE(files.contains(name).value()) << name;
    EXPECT_EQ(files.open(name).error().code, Code::kNotFound) << name;
  }
}

}  // namespace
}  // namespace mortise::ingest
