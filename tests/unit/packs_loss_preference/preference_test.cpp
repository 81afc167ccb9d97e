// DPO and KTO through their C tables: values worked out by hand, and what they refuse. The kit
// compares their slopes with finite differences.
#include <gtest/gtest.h>
#include <mortise/draft/loss_preference.h>

#include <cmath>
#include <vector>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise {
namespace {

using packs_test::failure_of;
using packs_test::PackUnderTest;

struct Answers {
  std::vector<double> policy, reference;
  std::vector<int32_t> tokens, wanted;
  double kl = 0;
};

struct Value {
  double loss = 0;
  std::vector<double> grad, rewards;
  sdk::Failure failure{MORTISE_STATUS_OK, ""};
};

class LossUnderTest {
 public:
  explicit LossUnderTest(const char* library) : pack_(library) {}
  ~LossUnderTest() { table().destroy(instance_); }

  sdk::Failure make(const std::string& config) {
    facts_ = {};
    facts_.struct_size = sizeof facts_;
    return failure_of([&](mortise_error* error) {
      return table().create(sdk::text(config), &instance_, &facts_, error);
    });
  }
  uint32_t facts() const { return facts_.flags; }

  Value at(const Answers& a) {
    Value value;
    value.grad.resize(a.policy.size());
    value.rewards.resize(a.policy.size());
    mortise_preference_call call{};
    call.struct_size = sizeof call;
    call.answers_count = a.policy.size();
    call.policy = a.policy.data();
    call.reference = a.reference.data();
    call.tokens = a.tokens.data();
    call.wanted = a.wanted.data();
    call.kl = a.kl;
    call.loss = &value.loss;
    call.grad_policy = value.grad.data();
    call.rewards = value.rewards.data();
    value.failure =
        failure_of([&](mortise_error* error) { return table().evaluate(instance_, &call, error); });
    return value;
  }

 private:
  const mortise_preference_loss& table() const {
    return pack_.get<mortise_preference_loss>(MORTISE_KIND_LOSS_PREFERENCE);
  }
  PackUnderTest pack_;
  mortise_preference_instance* instance_ = nullptr;
  mortise_preference_facts facts_{};
};

// The better answer gained 3, the worse lost 1: a margin of 4.
const Answers kPair = {{-7, -9}, {-10, -8}, {4, 2}, {1, 0}};

Value dpo(const std::string& config, const Answers& answers) {
  LossUnderTest loss(MORTISE_DPO_LIBRARY);
  EXPECT_EQ(loss.make(config).code, MORTISE_STATUS_OK) << config;
  EXPECT_EQ(loss.facts(), MORTISE_PREFERENCE_PAIRED);
  return loss.at(answers);
}

TEST(Dpo, IsTheLogisticLossOfTheMargin) {
  const Value value = dpo(R"({"beta": 0.5})", kPair);
  // beta d = 2: log(1 + e^-2) and -0.5 / (1 + e^2).
  EXPECT_NEAR(value.loss, 0.12692801104297, 1e-13);
  EXPECT_NEAR(value.grad[0], -0.0596014610, 1e-9);
  EXPECT_NEAR(value.grad[1], 0.0596014610, 1e-9);
  EXPECT_EQ(value.rewards, (std::vector<double>{1.5, -0.5}));
  // At the start of a training both models are one.
  EXPECT_NEAR(dpo("{}", {{-3, -5}, {-3, -5}, {1, 1}, {1, 0}}).loss, std::log(2.0), 1e-15);
}

TEST(Dpo, SmoothedLabelsSayThatSomePairsAreTheOtherWayRound) {
  const Value value = dpo(R"({"beta": 0.5, "label_smoothing": 0.25})", kPair);
  EXPECT_NEAR(value.loss, 0.75 * 0.12692801104297 + 0.25 * 2.12692801104297, 1e-13);
  EXPECT_NEAR(value.grad[0], 0.5 * (0.25 * 0.8807970780 - 0.75 * 0.1192029220), 1e-9);
}

TEST(Dpo, HingeEndsWhereTheMarginIsWideEnough) {
  EXPECT_EQ(dpo(R"({"beta": 0.5, "loss_type": "hinge"})", kPair).loss, 0);
  const Value value = dpo(R"({"beta": 0.1, "loss_type": "hinge"})", kPair);
  EXPECT_NEAR(value.loss, 0.6, 1e-15);
  EXPECT_EQ(value.grad, (std::vector<double>{-0.1, 0.1}));
}

TEST(Dpo, IpoTakesMeansOverTokens) {
  const Value value = dpo(R"({"beta": 0.5, "loss_type": "ipo"})", kPair);
  // d = 3/4 + 1/2, away from 1 / (2 * 0.5) by 0.25.
  EXPECT_NEAR(value.loss, 0.0625, 1e-15);
  EXPECT_EQ(value.grad, (std::vector<double>{0.125, -0.25}));
  EXPECT_EQ(value.rewards, (std::vector<double>{0.375, -0.25}));
}

TEST(Dpo, StaysFiniteFarOut) {
  const Answers far = {{-4000, -1}, {-1, -4000}, {900, 900}, {1, 0}};
  const Value value = dpo(R"({"beta": 1})", far);
  EXPECT_EQ(value.loss, 7998);
  EXPECT_EQ(value.grad[0], -1);
  EXPECT_EQ(dpo(R"({"beta": 1})", {{-1, -4000}, {-4000, -1}, {1, 1}, {1, 0}}).loss, 0);
}

TEST(Dpo, RefusesWhatContradictsItselfAndAnswersThatAreNoPairs) {
  LossUnderTest loss(MORTISE_DPO_LIBRARY);
  const auto failure = loss.make(R"({"loss_type": "ipo", "label_smoothing": 0.1})");
  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(failure.message.find("label_smoothing"), std::string::npos);
  EXPECT_EQ(dpo("{}", {{-1, -2, -3}, {-1, -2, -3}, {1, 1, 1}, {1, 0, 1}}).failure.message,
            "3 answers are no pairs.");
  EXPECT_EQ(dpo("{}", {{-1, -2}, {-1, -2}, {1, 1}, {0, 1}}).failure.code,
            MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(dpo("{}", {{-1, NAN}, {-1, -2}, {1, 1}, {1, 0}}).failure.message,
            "Answer 1: policy is not finite.");
}

TEST(Kto, WeighsWantedAndUnwantedAnswersAroundTheKl) {
  LossUnderTest loss(MORTISE_KTO_LIBRARY);
  ASSERT_EQ(loss.make(R"({"beta": 0.5, "desirable_weight": 2, "undesirable_weight": 3})").code,
            MORTISE_STATUS_OK);
  EXPECT_EQ(loss.facts(), MORTISE_PREFERENCE_READS_KL);
  // Gains 3 and -1, kl 1: beta (3 - 1) = 1 and beta (1 + 1) = 1; 1 - s(1) = 0.2689414214.
  Answers answers = kPair;
  answers.kl = 1;
  const Value value = loss.at(answers);
  EXPECT_NEAR(value.loss, (2 + 3) * 0.2689414213699951, 1e-14);
  EXPECT_NEAR(value.grad[0], -2 * 0.5 * 0.1966119332, 1e-9);
  EXPECT_NEAR(value.grad[1], 3 * 0.5 * 0.1966119332, 1e-9);
  EXPECT_EQ(value.rewards, (std::vector<double>{1.5, -0.5}));
}

TEST(Kto, RefusesAKlBelowZero) {
  LossUnderTest loss(MORTISE_KTO_LIBRARY);
  ASSERT_EQ(loss.make("{}").code, MORTISE_STATUS_OK);
  Answers answers = kPair;
  answers.kl = -0.5;
  EXPECT_EQ(loss.at(answers).failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace mortise
