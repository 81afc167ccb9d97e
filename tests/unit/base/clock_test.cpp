// Time and randomness. Processes are in process_test.cpp.
#include "base/clock.h"

#include <gtest/gtest.h>

#include <set>

namespace mortise::base {
namespace {

class CountingRandom final : public Random {
 public:
  void fill(std::span<std::byte> buffer) override {
    for (std::byte& each : buffer) each = static_cast<std::byte>(next_++);
  }

 private:
  int next_ = 0x0e;
};

TEST(FormatUtc, WritesSecondsSince1970) {
  constexpr int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_utc(1795497000 * kSecond), "2026-11-24T05:10:00Z");
  EXPECT_EQ(format_utc(951868799 * kSecond + 999'999'999), "2000-02-29T23:59:59Z");
}

TEST(FormatUtc, RoundsTimesBefore1970Down) {
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(format_utc(-1'000'000'000), "1969-12-31T23:59:59Z");
}

TEST(SystemClock, SleepsAtLeastAsLongAsAsked) {
  Clock& clock = system_clock();
  const int64_t before = clock.monotonic_ns();

  clock.sleep_ms(20);

  EXPECT_GE(clock.monotonic_ns() - before, 20'000'000);
}

TEST(SystemClock, DoesNotSleepForNegativeTimes) {
  const int64_t before = system_clock().monotonic_ns();
  system_clock().sleep_ms(-5);
  system_clock().sleep_ms(0);
  EXPECT_LT(system_clock().monotonic_ns() - before, 1'000'000'000);
}

TEST(SystemClock, TellsATimeAfterThisWasWritten) {
  EXPECT_GT(system_clock().now_ns(), INT64_C(1'700'000'000'000'000'000));
}

TEST(RandomHex, WritesTwoLowerCaseDigitsAByte) {
  CountingRandom random;
  EXPECT_EQ(random_hex(random, 3), "0e0f10");
  EXPECT_EQ(random_hex(random, 0), "");
}

TEST(SystemRandom, GivesOtherBytesEachTime) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_hex(system_random(), 16));
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace mortise::base
