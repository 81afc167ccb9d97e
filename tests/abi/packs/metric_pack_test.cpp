// The example metrics: results, row scores, state and merge, hostile states.
#include <cmath>

#include "mortise/cpp/arrow_build.hpp"
#include "mortise/cpp/view.hpp"
#include "mortise/kind/metric.h"
#include "tests/abi/fake_host.h"

namespace mortise::abi {
namespace {

struct Result {
  std::string name;
  double value = 0;
  uint64_t rows_count = 0;
};

// One instance of a metric of a pack.
class Instance {
 public:
  explicit Instance(const char* name, const char* config = "{}")
      : pack_(std::string(MORTISE_PACKS) + "/" + name + "/lib/" + name + ".so", host_),
        table_(pack_.table<mortise_metric>(MORTISE_KIND_METRIC)) {
    created = reported(
        [&](mortise_error* error) { return table_->create(sdk::text(config), &instance_, error); });
  }
  ~Instance() { table_->destroy(instance_); }

  sdk::Failure update(const std::vector<std::vector<std::string>>& columns,
                      std::vector<double>* scores = nullptr) {
    std::vector<sdk::Array> arrays;
    for (const auto& column : columns) {
      sdk::TextBuilder builder;
      for (const std::string& value : column) builder.append(value);
      arrays.push_back(builder.finish());
    }
    const auto rows = static_cast<int64_t>(columns[0].size());
    const sdk::Array batch = sdk::struct_array(rows, std::move(arrays));
    sdk::StringSink sink;
    const auto failure = reported([&](mortise_error* error) {
      return table_->update(instance_, batch.get(), scores ? sink.raw() : nullptr, error);
    });
    if (scores != nullptr) {
      scores->resize(sink.value().size() / sizeof(double));
      std::memcpy(scores->data(), sink.value().data(), sink.value().size());
    }
    return failure;
  }
  std::string save() {
    sdk::StringSink sink;
    EXPECT_EQ(table_->save(instance_, sink.raw(), sdk::ErrorCollector().raw()), 0);
    return sink.value();
  }
  sdk::Failure merge(const std::string& state) {
    return reported(
        [&](mortise_error* error) { return table_->merge(instance_, sdk::bytes(state), error); });
  }
  Result result() {
    Result result;
    const auto take = [](void* user, const mortise_metric_row* row) -> mortise_status {
      *static_cast<Result*>(user) = {std::string(sdk::view(row->name)), row->value,
                                     row->rows_count};
      return MORTISE_STATUS_OK;
    };
    EXPECT_EQ(table_->finalize(instance_, take, &result, sdk::ErrorCollector().raw()), 0);
    return result;
  }
  const mortise_metric& table() const { return *table_; }
  const mortise_metric_instance* get() const { return instance_; }

  sdk::Failure created{MORTISE_STATUS_OK, ""};

 private:
  FakeHost host_;
  LoadedPack pack_;
  const mortise_metric* table_;
  mortise_metric_instance* instance_ = nullptr;
};

TEST(ExactMatchPack, ScoresRowsAndShare) {
  Instance metric("metric_cpp", R"({"ignore_case": true})");
  std::vector<double> scores;

  metric.update({{"a", "B", "c"}, {"a", "b", "d"}}, &scores);

  EXPECT_EQ(scores, (std::vector<double>{100, 100, 0}));
  EXPECT_EQ(metric.result().name, "exact_match");
  EXPECT_NEAR(metric.result().value, 200.0 / 3, 1e-12);
  EXPECT_EQ(metric.result().rows_count, 3u);
}

TEST(ExactMatchPack, MergesToTheSameAsOneInstance) {
  Instance whole("metric_cpp"), left("metric_cpp"), right("metric_cpp"), merged("metric_cpp");

  whole.update({{"a", "b", "c"}, {"a", "x", "c"}});
  left.update({{"a"}, {"a"}});
  right.update({{"b", "c"}, {"x", "c"}});
  merged.merge(right.save());
  merged.merge(left.save());

  EXPECT_EQ(merged.result().value, whole.result().value);
  EXPECT_EQ(merged.save(), whole.save());
}

TEST(ExactMatchPack, RefusesDamagedStates) {
  Instance metric("metric_cpp");
  metric.update({{"a"}, {"a"}});
  std::string state = metric.save();

  EXPECT_EQ(metric.merge(state.substr(1)).code, MORTISE_STATUS_DATA_LOSS);
  EXPECT_EQ(metric.merge("").code, MORTISE_STATUS_DATA_LOSS);
  state[16] = 9;  // more hits than rows
  EXPECT_EQ(metric.merge(state).code, MORTISE_STATUS_DATA_LOSS);
  EXPECT_EQ(metric.result().rows_count, 1u);
}

TEST(ExactMatchPack, RefusesABatchOfOtherColumns) {
  Instance metric("metric_cpp");

  const auto failure = metric.update({{"a"}});

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(metric.result().rows_count, 0u);
}

TEST(ExactMatchPack, RefusesAWrongConfiguration) {
  EXPECT_EQ(Instance("metric_cpp", R"({"ignore_case": 1})").created.field, "/ignore_case");
  EXPECT_EQ(Instance("metric_cpp", "{").created.code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST(ExactMatchPack, DescribeRespectsASmallerStruct) {
  Instance metric("metric_cpp");
  mortise_metric_facts facts{};
  facts.struct_size = offsetof(mortise_metric_facts, value_max);
  facts.value_max = -7;

  metric.table().describe(metric.get(), &facts, sdk::ErrorCollector().raw());

  EXPECT_EQ(facts.flags, MORTISE_METRIC_HIGHER_IS_BETTER | MORTISE_METRIC_HAS_ROW_SCORES);
  EXPECT_EQ(facts.value_max, -7);
  EXPECT_EQ(facts.struct_size, offsetof(mortise_metric_facts, value_max));
}

TEST(LengthPack, MeansBytesAndMerges) {
  Instance metric("metric_c_smallest"), other("metric_c_smallest");
  EXPECT_TRUE(std::isnan(metric.result().value));

  metric.update({{"ab", "", "abcd"}});
  other.update({{"abcdef"}});
  metric.merge(other.save());

  EXPECT_EQ(metric.result().value, 3.0);
  EXPECT_EQ(metric.result().rows_count, 4u);
  EXPECT_EQ(metric.merge("short").code, MORTISE_STATUS_DATA_LOSS);
}

TEST(LengthPack, GivesASchemaThatIsReleasedOnce) {
  Instance metric("metric_c_smallest");
  sdk::Schema schema;

  metric.table().requires_schema(metric.get(), schema.get(), sdk::ErrorCollector().raw());

  ASSERT_EQ(schema.get()->n_children, 1);
  EXPECT_EQ(sdk::schema_name(*schema.get()->children[0]), "prediction");
  schema.reset();
  EXPECT_TRUE(schema.is_released());
}

#ifdef MORTISE_HAS_RUST
TEST(DistinctPack, CountsDistinctWordsOverMergedStates) {
  Instance metric("metric_rust"), other("metric_rust");

  metric.update({{"a b a", " c "}});
  other.update({{"a d"}});
  const sdk::Failure merged = metric.merge(other.save());

  EXPECT_EQ(merged.code, MORTISE_STATUS_OK);
  EXPECT_NEAR(metric.result().value, 4.0 / 6, 1e-12);
  EXPECT_EQ(metric.result().rows_count, 3u);
}

TEST(DistinctPack, RefusesDamagedStates) {
  Instance metric("metric_rust");
  metric.update({{"a b"}});
  const std::string state = metric.save();

  for (const std::string& bad :
       {std::string(), state.substr(0, 15), state.substr(0, state.size() - 1),
        state + state.substr(16), std::string(24, '\xFF')}) {
    const sdk::Failure failure = metric.merge(bad);
    EXPECT_EQ(failure.code, MORTISE_STATUS_DATA_LOSS) << bad.size();
    EXPECT_FALSE(failure.message.empty());
  }
  EXPECT_EQ(metric.result().rows_count, 1u);
}
#endif

}  // namespace
}  // namespace mortise::abi
