#include "job/row_filter.h"

#include <gtest/gtest.h>

namespace mortise::job {
namespace {

using base::Json;

TEST(RowMatcher, TakesRowsByTextByFieldAndBySide) {
  const auto taken = [](const RowFilter& filter) {
    std::string found;
    auto matcher = RowMatcher::make(filter).value();
    for (const std::string text : {R"({"n":1,"o":{"l":["cat"]},"t":"say \"hi\""})",
                                   R"({"n":2.5,"t":"胸片"})", R"({"t":"1"})"}) {
      found += matcher.matches(text).value() ? '1' : '0';
    }
    return found;
  };
  EXPECT_EQ(taken({}), "111");
  EXPECT_EQ(taken({.grep = "say \"hi"}), "100");
  EXPECT_EQ(taken({.grep = "胸"}), "010");
  EXPECT_EQ(taken({.where = {"n>=2"}}), "010");
  EXPECT_EQ(taken({.where = {"n<2"}}), "100");
  EXPECT_EQ(taken({.where = {"/o/l/0=cat"}}), "100");
  EXPECT_EQ(taken({.where = {"t=1"}}), "001") << "a text that is spelled like a number";
  EXPECT_EQ(taken({.where = {"n!=1", "t!=1"}}), "010");
  std::string train = taken({.split = "train", .ratio = 0.5}),
              held = taken({.split = "held_out", .ratio = 0.5});
  for (size_t i = 0; i < 3; ++i) EXPECT_NE(train[i], held[i]) << i;
}

TEST(RowMatcher, RefusesWhatItDoesNotUnderstand) {
  const auto field = [](const RowFilter& filter) { return RowMatcher::make(filter).error().field; };
  EXPECT_EQ(field({.split = "test"}), "split");
  EXPECT_EQ(field({.ratio = 1}), "ratio");
  EXPECT_EQ(field({.where = {"name"}}), "where");
  EXPECT_EQ(field({.where = {"n>cat"}}), "where");
  EXPECT_EQ(field({.where = {"n!3"}}), "where");
}

TEST(RowFilter, ComesBackFromItsJson) {
  const RowFilter filter{"held_out", 0.25, 8, "say \"hi\"", {"n>=2", "/o/l/0=cat"}};
  const Json json = filter.to_json();
  EXPECT_EQ(json.dump(),
            R"({"split":"held_out","ratio":0.25,"seed":8,"grep":"say \"hi\"","where":["n>=2",)"
            R"("/o/l/0=cat"]})");
  EXPECT_EQ(RowFilter::from_json(json)->to_json(), json);
  EXPECT_TRUE(RowMatcher::make(RowFilter::from_json(Json::object()).value())->takes_all());
}

TEST(RowFilter, NamesTheMemberThatIsWrong) {
  const auto field = [](const char* text) {
    return RowFilter::from_json(*base::parse_json(text)).error().field;
  };
  EXPECT_EQ(field(R"({"grep":1})"), "/grep");
  EXPECT_EQ(field(R"({"where":"n=1"})"), "/where");
  EXPECT_EQ(field(R"({"where":[1]})"), "/where");
  EXPECT_EQ(field(R"({"ratio":"a half"})"), "/ratio");
  EXPECT_EQ(field(R"({"seed":-1})"), "/seed");
  EXPECT_EQ(field(R"({"text":"a"})"), "/text");
}

}  // namespace
}  // namespace mortise::job
