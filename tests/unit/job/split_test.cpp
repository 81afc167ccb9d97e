#include "job/split.h"

#include <gtest/gtest.h>

#include <string>

namespace mortise::job {
namespace {

std::string row(int i) {
  return "{\"text\":\"" + std::to_string(i) + "\"}";
}

TEST(IsHeldOut, SplitsNearTheRatioAndASmallerRatioHoldsOutAPart) {
  int held = 0;
  for (int i = 0; i < 4000; ++i) {
    held += is_held_out(row(i), 0.25, 7) ? 1 : 0;
    EXPECT_FALSE(is_held_out(row(i), 0, 7));
    EXPECT_LE(is_held_out(row(i), 0.1, 7), is_held_out(row(i), 0.25, 7));
  }
  EXPECT_NEAR(held, 1000, 120);
}

// Literal sides: a release that moved a row to the other side would let a model be scored on rows
// that it was trained on.
TEST(IsHeldOut, PutsEachRowWhereItAlwaysWas) {
  std::string sides, of_another_seed;
  for (int i = 0; i < 40; ++i) {
    sides += is_held_out(row(i), 0.25, 7) ? 'h' : '.';
    of_another_seed += is_held_out(row(i), 0.25, 8) ? 'h' : '.';
  }
  EXPECT_EQ(sides, ".h.h...h.....h.h..h...h.hh..hh.h......hh");
  EXPECT_EQ(of_another_seed, "....hh.hh.h..h.h....h............h......");
}

}  // namespace
}  // namespace mortise::job
