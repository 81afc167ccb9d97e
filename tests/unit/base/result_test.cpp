// Errors as values: how they are passed on and how they read.
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "mortise/status.h"

namespace mortise::base {
namespace {

Result<std::unique_ptr<int>> half(int value) {
  if (value % 2 != 0) return Error(Code::kInvalidArgument, std::to_string(value) + " is odd.");
  return std::make_unique<int>(value / 2);
}

Result<int> quarter(int value) {
  MORTISE_ASSIGN(const auto first, half(value));
  MORTISE_ASSIGN(const auto second, half(*first));
  return *second;
}

Status check(int value) {
  MORTISE_TRY(quarter(value));
  return {};
}

TEST(Result, PassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd.");
  EXPECT_TRUE(check(8).ok());
  EXPECT_EQ(check(7).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(static_cast<bool>(check(7)));
}

Result<std::vector<std::string>> words() {
  return std::vector<std::string>{"a word that is too long to be kept in place", "two"};
}

TEST(Result, WhatATemporaryHeldOutlivesIt) {
  static_assert(std::is_same_v<decltype(words().value()), std::vector<std::string>>);
  static_assert(std::is_same_v<decltype(check(7).error()), Error>);
  std::string all;
  for (const std::string& word : words().value()) all += word;
  EXPECT_EQ(all, "a word that is too long to be kept in placetwo");
}

TEST(Error, NamesFileRowByteAndField) {
  Error error(Code::kNotFound, "It is missing.", "Add it.");
  EXPECT_EQ(error.text(), "It is missing. Add it.");
  error.at_file("a.jsonl").at_row(3).at_byte(91).at_field("/x");
  EXPECT_EQ(error.text(), "a.jsonl row 3 (byte 91), field /x: It is missing. Add it.");
}

TEST(Error, LeavesOutWhatIsUnknown) {
  EXPECT_EQ(Error(Code::kUnknown, "No.").at_byte(5).text(), "byte 5: No.");
  EXPECT_EQ(Error(Code::kUnknown, "No.").at_field("/x").text(), "field /x: No.");
  EXPECT_EQ(Error(Code::kUnknown, "No.").at_row(1).text(), "row 1: No.");
}

TEST(Code, HasTheNumbersOfTheAbi) {
  EXPECT_EQ(static_cast<int32_t>(Code::kOk), MORTISE_STATUS_OK);
  EXPECT_EQ(static_cast<int32_t>(Code::kCancelled), MORTISE_STATUS_CANCELLED);
  EXPECT_EQ(static_cast<int32_t>(Code::kInvalidArgument), MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(static_cast<int32_t>(Code::kResourceExhausted), MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(static_cast<int32_t>(Code::kDataLoss), MORTISE_STATUS_DATA_LOSS);
  EXPECT_EQ(static_cast<int32_t>(Code::kUnauthenticated), MORTISE_STATUS_UNAUTHENTICATED);
  EXPECT_STREQ(code_name(Code::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_STREQ(code_name(Code::kOk), "OK");
  EXPECT_STREQ(code_name(static_cast<Code>(99)), "UNKNOWN");
  EXPECT_STREQ(code_name(static_cast<Code>(-1)), "UNKNOWN");
}

}  // namespace
}  // namespace mortise::base
