// A pack built from the headers of 1.0 works on the present ones, also when the host's structs are
// larger than the pack knows.
#include <cmath>

#include "mortise/cpp/arrow_build.hpp"
#include "mortise/cpp/view.hpp"
#include "mortise/kind/metric.h"
#include "tests/abi/fake_host.h"

namespace mortise::abi {
namespace {

// mortise_metric_facts as a later host may have it: with a tail that the pack must leave alone.
struct LaterFacts {
  mortise_metric_facts facts{};
  unsigned char tail[32];
};

class FrozenPack : public ::testing::Test {
 protected:
  FrozenPack() : pack_(MORTISE_FROZEN_PACK, host_) {
    table_ = pack_.table<mortise_metric>(MORTISE_KIND_METRIC);
    sdk::ErrorCollector error;
    table_->create(sdk::text("{}"), &instance_, error.raw());
  }
  ~FrozenPack() override { table_->destroy(instance_); }

  FakeHost host_;
  LoadedPack pack_;
  const mortise_metric* table_;
  mortise_metric_instance* instance_ = nullptr;
};

TEST_F(FrozenPack, NeedsNoMoreThanMinorZero) {
  ASSERT_EQ(pack_.status, MORTISE_STATUS_OK);

  EXPECT_EQ(pack_.reply.needs_minor, 0u);
  EXPECT_LE(table_->struct_size, sizeof(mortise_metric));
  EXPECT_GE(table_->struct_size, offsetof(mortise_metric, finalize) + sizeof(void*));
}

TEST_F(FrozenPack, ScoresAsItDidWhenItWasReleased) {
  sdk::TextBuilder builder;
  for (const char* text : {"four", "", "seven77"}) builder.append(text);
  const sdk::Array batch = sdk::struct_array(3, sdk::make_vector(builder.finish()));
  sdk::ErrorCollector error;
  mortise_metric_row row{};

  ASSERT_EQ(table_->update(instance_, batch.get(), nullptr, error.raw()), 0);
  const auto take = [](void* user, const mortise_metric_row* given) -> mortise_status {
    std::memcpy(user, given, std::min<size_t>(given->struct_size, sizeof(*given)));
    return MORTISE_STATUS_OK;
  };
  ASSERT_EQ(table_->finalize(instance_, take, &row, error.raw()), 0);

  EXPECT_NEAR(row.value, 11.0 / 3, 1e-12);
  EXPECT_EQ(row.rows_count, 3u);
  EXPECT_EQ(sdk::view(row.name), "mean_length");
}

TEST_F(FrozenPack, LeavesThePoisonedTailOfALargerStructAlone) {
  LaterFacts later;
  std::memset(later.tail, 0xCB, sizeof(later.tail));
  later.facts.struct_size = sizeof(later);
  sdk::ErrorCollector error;

  ASSERT_EQ(table_->describe(instance_, &later.facts, error.raw()), 0);

  for (const unsigned char byte : later.tail) EXPECT_EQ(byte, 0xCB);
  EXPECT_TRUE(std::isinf(later.facts.value_max));
}

}  // namespace
}  // namespace mortise::abi
