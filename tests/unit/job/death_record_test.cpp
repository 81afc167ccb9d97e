#include "job/death_record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "tests/support/temp_folder.h"

namespace mortise::job {
namespace {

using base::Code;

struct DeathRecordTest : testing::Test {
  // Two threads: 7 in a slot within a slot, 8 in none any more.
  DeathRecordTest() {
    std::strcpy(area->slots[0].pack, "com.example.f1 1.0.0");
    std::strcpy(area->slots[0].slot, "mortise.metric/1 update");
    std::strcpy(area->slots[1].pack, "com.example.rows 2.0.0");
    std::strcpy(area->slots[1].slot, "stream get_next");
    area->slots_count = area->threads_count = 2;
    area->threads[0] = {.thread = 7, .depth = 2, .last = 0, .calls = {1, 2}, .input = "rows 1..9"};
    area->threads[1] = {.thread = 8, .depth = 0, .last = 1, .calls = {1}, .input = ""};
  }
  void write() {
    const std::string_view bytes(reinterpret_cast<const char*>(area.get()), sizeof(DeathArea));
    ASSERT_TRUE(
        base::write_file_durably(base::posix_file_ops(), folder / "death_record", bytes).ok());
  }
  base::Error error() {
    return death_error(base::posix_file_ops(), folder.path(), "It ended", "Look there.");
  }
  tests::TempFolder folder;
  std::unique_ptr<DeathArea> area = std::make_unique<DeathArea>();
};

TEST_F(DeathRecordTest, GivesTheInnermostCallFirstAndTheLastOfAThreadInNone) {
  write();
  const auto record = read_death_record(base::posix_file_ops(), folder / "death_record");
  ASSERT_TRUE(record.ok()) << record.error().text();
  ASSERT_EQ(record->inside.size(), 2u);
  EXPECT_EQ(record->inside[0].slot, "stream get_next");
  EXPECT_EQ(record->inside[1].slot, "mortise.metric/1 update");
  ASSERT_EQ(record->last.size(), 1u);
  EXPECT_EQ(record->last[0].pack, "com.example.f1 1.0.0");
}

TEST_F(DeathRecordTest, AKilledWorkersErrorNamesPackSlotAndInput) {
  write();
  EXPECT_EQ(error().code, Code::kInternal);
  EXPECT_EQ(
      error().message,
      "It ended: com.example.rows 2.0.0 ended the process or was killed in stream get_next on "
      "rows 1..9.");
  EXPECT_EQ(error().details[0],
            std::pair(std::string("pack"), std::string("com.example.rows 2.0.0")));
}

TEST_F(DeathRecordTest, AnErrorWithoutAPluginCallSaysHowItEndedOnly) {
  area->threads[0].depth = 0;
  write();
  EXPECT_EQ(error().message, "It ended.");
  EXPECT_EQ(error().hint, "Look there.");
  EXPECT_TRUE(error().details.empty());
}

TEST_F(DeathRecordTest, AnErrorWithoutARecordSaysHowItEndedOnly) {
  EXPECT_EQ(error().message, "It ended.");
}

TEST_F(DeathRecordTest, NumbersBeyondTheTablesAreNotFollowed) {
  area->slots_count = area->threads_count = 4'000'000'000;
  area->threads[0] = {.thread = 7, .depth = 99, .last = 0, .calls = {5000, 3}, .input = ""};
  std::memset(area->threads[0].input, 'x', sizeof area->threads[0].input);  // no end
  write();
  const auto record = read_death_record(base::posix_file_ops(), folder / "death_record");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->inside.size(), ThreadTrace::kDepthMax);
  EXPECT_EQ(record->inside[0].input.size(), sizeof area->threads[0].input);
}

TEST_F(DeathRecordTest, AFileThatIsNoneIsRefused) {
  area->magic = 1;
  write();
  const auto record = read_death_record(base::posix_file_ops(), folder / "death_record");
  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().code, Code::kDataLoss);
  EXPECT_EQ(record.error().file, folder / "death_record");
}

}  // namespace
}  // namespace mortise::job
