// Learning rates of every schedule against transformers'.
#include "engine/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/file_ops.h"

namespace mortise::engine {
namespace {

TEST(ScheduleGolden, EveryStepHasTheRateOfTransformers) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: no golden rates.";
  const std::string folder = std::string(fixtures) + "/goldens/lr-schedules";
  const auto entries = base::posix_file_ops().list(folder);
  ASSERT_TRUE(entries.ok());
  size_t rows = 0;
  for (const auto& entry : *entries) {
    const auto text = base::read_file(base::posix_file_ops(), folder + "/" + entry.name);
    const auto json = base::parse_json(*text);
    ASSERT_TRUE(json.ok());
    for (const base::Json& row : (*json)["rows"].items()) {
      const auto schedule = Schedule::create({.type = row["name"].as_string(),
                                              .learning_rate = row["base_lr"].as_double(),
                                              .warmup_steps = row["warmup_steps"].as_int(),
                                              .training_steps = row["training_steps"].as_int(),
                                              .options = row["options"]});
      ASSERT_TRUE(schedule.ok()) << schedule.error().text();
      for (size_t s = 0; s < row["lr"].size(); ++s) {
        const double want = row["lr"].at(s).as_double();
        EXPECT_LE(std::abs(schedule->at(static_cast<int64_t>(s)) - want), 1e-12 * want)
            << row["name"].as_string() << " " << row["options"].dump() << " step " << s;
      }
      ++rows;
    }
  }
  EXPECT_GE(rows, 30u);
}

}  // namespace
}  // namespace mortise::engine
