// Names as numbers.
#include "ingest/name_index.h"

#include <gtest/gtest.h>

namespace mortise::ingest {
namespace {

TEST(NameIndex, GivesEachNameTheNextNumberOnce) {
  NameIndex index;
  EXPECT_EQ(index.find("a.png"), NameIndex::kNone);
  EXPECT_EQ(index.add("a.png"), 0u);
  EXPECT_EQ(index.add(""), 1u);
  EXPECT_EQ(index.add("a.pn"), 2u);
  EXPECT_EQ(index.add("a.png"), 0u);
  EXPECT_EQ(index.count(), 3u);
  EXPECT_EQ(index.name(0), "a.png");
  EXPECT_EQ(index.name(1), "");
  EXPECT_EQ(index.find("a.pn"), 2u);
  EXPECT_EQ(index.find("a"), NameIndex::kNone);
}

TEST(NameIndex, FindsTenThousandNamesAfterItHasGrown) {
  NameIndex index;
  const auto name = [](uint32_t i) {
    return "images/" + std::to_string(i * 7919 % 10'007) + ".png";
  };
  for (uint32_t i = 0; i < 10'000; ++i) ASSERT_EQ(index.add(name(i)), i);
  for (uint32_t i = 0; i < 10'000; ++i) {
    ASSERT_EQ(index.find(name(i)), i);
    ASSERT_EQ(index.name(i), name(i));
  }
}

}  // namespace
}  // namespace mortise::ingest
