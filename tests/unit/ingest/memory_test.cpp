// A check's memory does not grow with the rows beyond its index of copies. Ten thousand rows by
// default; a million where MORTISE_CAMPAIGN is long (label slow).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "ingest/ingest.h"

namespace mortise::ingest {
namespace {

constexpr int64_t kGrowthMax = int64_t{256} << 20;

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

// Different rows of 40 words, made one at a time; the highest memory seen between them is kept.
class EndlessRows final : public RowSource {
 public:
  explicit EndlessRows(int64_t count) : count_(count) {}
  base::Result<bool> next(Row& row) override {
    if (made_ == count_) return false;
    row.text = R"({"query":"Question )" + std::to_string(made_) + R"(?","response":")";
    for (int64_t i = 0; i < 40; ++i) {
      row.text += "w" + std::to_string((made_ * 7919 + i * i * 104729 + made_ * i) % 100'003) + " ";
    }
    row.text += "\"}";
    row.byte_offset = made_++;
    if (made_ % 10'000 == 0) most_ = std::max(most_, resident_bytes());
    return true;
  }
  int64_t most_resident_bytes() const { return most_; }

 private:
  int64_t count_, made_ = 0, most_ = 0;
};

TEST(IngestMemory, StaysWithinItsBoundForAMillionRows) {
  const char* campaign = std::getenv("MORTISE_CAMPAIGN");
  const bool is_long = campaign != nullptr && std::string_view(campaign) == "long";
  const int64_t count = is_long ? 1'000'000 : 10'000;
  const LocalFiles none(base::posix_file_ops(), {});
  IngestRequest request;
  request.task_type = "sft";
  request.rows_names = {"rows.jsonl"};
  request.upload = &none;
  EndlessRows rows(count);
  const int64_t before = resident_bytes();

  const auto result = run_ingest(rows, request, {});

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->report.rows_count, count);
  EXPECT_EQ(result->report.bad_rows_count, 0);
  const int64_t growth = rows.most_resident_bytes() - before;
  std::printf("%lld rows: memory grew by %lld MB\n", static_cast<long long>(count),
              static_cast<long long>(growth >> 20));
  EXPECT_LE(growth, kGrowthMax);
}

}  // namespace
}  // namespace mortise::ingest
