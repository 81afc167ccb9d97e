// A metric pack with rows of a prediction and its references, for the tests of metric_bleu and
// metric_rouge.
#pragma once

#include <gtest/gtest.h>
#include <mortise/kind/metric.h>
#include <mortise/cpp/arrow_build.hpp>

#include <cmath>
#include <map>
#include <vector>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise::packs_test {

struct MetricInput {
  std::string prediction;
  std::vector<std::string> references;
};

class MetricUnderTest : public testing::Test {
 protected:
  ~MetricUnderTest() override {
    for (mortise_metric_instance* instance : instances_) table().destroy(instance);
  }

  const mortise_metric& table() const { return pack_.get<mortise_metric>(MORTISE_KIND_METRIC); }

  sdk::Failure create(const std::string& config, mortise_metric_instance** out) {
    const sdk::Failure failure = failure_of(
        [&](mortise_error* error) { return table().create(sdk::text(config), out, error); });
    if (failure.code == MORTISE_STATUS_OK) instances_.push_back(*out);
    return failure;
  }

  mortise_metric_instance* make(const std::string& config = "{}") {
    mortise_metric_instance* instance = nullptr;
    const sdk::Failure failure = create(config, &instance);
    EXPECT_EQ(failure.code, MORTISE_STATUS_OK) << failure.message;
    return instance;
  }

  static sdk::Array batch_of(const std::vector<MetricInput>& rows) {
    sdk::TextBuilder predictions;
    sdk::ListBuilder<sdk::TextBuilder> references;
    for (const MetricInput& row : rows) {
      predictions.append(row.prediction);
      for (const std::string& text : row.references) references.items().append(text);
      references.end_row();
    }
    return sdk::struct_array(static_cast<int64_t>(rows.size()),
                             sdk::make_vector(predictions.finish(), references.finish()));
  }

  sdk::Failure update(mortise_metric_instance* instance, const std::vector<MetricInput>& rows,
                      std::vector<double>* scores = nullptr) {
    const sdk::Array batch = batch_of(rows);
    sdk::StringSink sink;
    const sdk::Failure failure = failure_of([&](mortise_error* error) {
      return table().update(instance, batch.get(), scores == nullptr ? nullptr : sink.raw(), error);
    });
    if (scores != nullptr) {
      scores->resize(sink.value().size() / sizeof(double));
      std::memcpy(scores->data(), sink.value().data(), sink.value().size());
    }
    return failure;
  }

  std::string save(mortise_metric_instance* instance) const {
    sdk::StringSink sink;
    EXPECT_EQ(table().save(instance, sink.raw(), nullptr), MORTISE_STATUS_OK);
    return sink.value();
  }

  sdk::Failure merge(mortise_metric_instance* instance, const std::string& state) const {
    return failure_of(
        [&](mortise_error* error) { return table().merge(instance, sdk::bytes(state), error); });
  }

  struct Value {
    double value;
    uint64_t rows_count;
    bool operator==(const Value&) const = default;
  };
  using Values = std::map<std::string, Value>;

  Values finalize(const mortise_metric_instance* instance) const {
    Values values;
    const auto add = [](void* user, const mortise_metric_row* row) -> mortise_status {
      EXPECT_TRUE(std::isnan(row->ci_low) && std::isnan(row->ci_high));
      (*static_cast<Values*>(user))[std::string(sdk::view(row->name))] = {row->value,
                                                                          row->rows_count};
      return MORTISE_STATUS_OK;
    };
    EXPECT_EQ(table().finalize(instance, add, &values, nullptr), MORTISE_STATUS_OK);
    return values;
  }

  // Every way to cut `rows` into two instances must give the same bits as one.
  void expect_same_for_any_partition(const std::string& config,
                                     const std::vector<MetricInput>& rows) {
    mortise_metric_instance* whole = make(config);
    ASSERT_EQ(update(whole, rows).code, MORTISE_STATUS_OK);
    for (size_t cut = 0; cut <= rows.size(); ++cut) {
      const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(cut);
      mortise_metric_instance* first = make(config);
      mortise_metric_instance* second = make(config);
      ASSERT_EQ(update(first, {rows.begin(), middle}).code, MORTISE_STATUS_OK);
      ASSERT_EQ(update(second, {middle, rows.end()}).code, MORTISE_STATUS_OK);
      ASSERT_EQ(merge(second, save(first)).code, MORTISE_STATUS_OK);
      EXPECT_EQ(finalize(second), finalize(whole)) << "cut at " << cut;
      EXPECT_EQ(save(second), save(whole)) << "cut at " << cut;
    }
  }

  // A state with any bit flipped, or of any other length, is refused and changes nothing.
  void expect_damage_is_refused(const std::vector<MetricInput>& rows) {
    mortise_metric_instance* instance = make();
    ASSERT_EQ(update(instance, rows).code, MORTISE_STATUS_OK);
    const std::string state = save(instance);
    for (size_t i = 0; i < state.size(); i += 3) {
      std::string damaged = state;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
      EXPECT_NE(merge(instance, damaged).code, MORTISE_STATUS_OK) << "byte " << i;
    }
    EXPECT_EQ(merge(instance, state.substr(1)).code, MORTISE_STATUS_DATA_LOSS);
    EXPECT_EQ(merge(instance, "").code, MORTISE_STATUS_DATA_LOSS);
    EXPECT_EQ(save(instance), state);
  }

  PackUnderTest pack_{MORTISE_PACK_LIBRARY};
  std::vector<mortise_metric_instance*> instances_;
};

}  // namespace mortise::packs_test
