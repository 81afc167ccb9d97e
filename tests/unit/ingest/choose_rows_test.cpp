#include "ingest/choose_rows.h"

#include <gtest/gtest.h>

#include <map>

namespace mortise::ingest {
namespace {

using base::Code;
using Names = std::vector<std::string>;

// What each format says of each file; a file that is not here is no text for any.
const std::map<std::string, std::vector<FormatGuess>>& guesses() {
  static const std::map<std::string, std::vector<FormatGuess>> table = {
      {"train-1.jsonl", {{"jsonl", 100}}},
      {"train-2.jsonl", {{"jsonl", 90}}},
      {"val/train-3.jsonl", {{"jsonl", 90}}},
      {"table.csv", {{"csv", 85}}},
      {"notes.txt", {{"csv", 20}}},
      {"questions.json", {{"vqa", 97}, {"json", 70}}},
      {"annotations.json", {{"json", 70}, {"vqa", 1}}}};
  return table;
}

base::Result<RowsFiles> choose(const Names& names, const Names& wanted = {}) {
  return choose_rows(names, wanted,
                     [](const std::string& name) -> base::Result<std::vector<FormatGuess>> {
                       const auto found = guesses().find(name);
                       return found == guesses().end() ? std::vector<FormatGuess>() : found->second;
                     });
}

TEST(ChooseRows, TakesTheOneFileThatAFormatKnows) {
  const auto chosen = choose({"README.md", "a.png", "notes.txt", "train-1.jsonl"});
  ASSERT_TRUE(chosen.ok()) << chosen.error().text();
  EXPECT_EQ(chosen->names, Names{"train-1.jsonl"});
  EXPECT_EQ(chosen->format_id, "jsonl");
}

TEST(ChooseRows, AFileThatAFormatHardlyKnowsIsTakenWhenNothingIsBetter) {
  EXPECT_EQ(choose({"notes.txt", "README.md"}).value().names, Names{"notes.txt"});
}

TEST(ChooseRows, SeveralCandidatesAreListedWithTheRemedy) {
  const auto chosen = choose({"train-1.jsonl", "table.csv"});
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code, Code::kInvalidArgument);
  EXPECT_NE(chosen.error().message.find("train-1.jsonl (jsonl), table.csv (csv)"),
            std::string::npos);
  EXPECT_NE(chosen.error().hint.find("--rows"), std::string::npos);
}

TEST(ChooseRows, AFileThatIsReadBesideAnotherIsNoCandidate) {
  EXPECT_EQ(choose({"annotations.json", "questions.json"}).value().names, Names{"questions.json"});
  EXPECT_EQ(choose({"annotations.json"}).value().format_id, "json");
}

TEST(ChooseRows, PatternsAndNamesAreReadInOrderEachOnce) {
  const Names all = {"train-2.jsonl", "train-1.jsonl", "val/train-3.jsonl", "table.csv"};
  EXPECT_EQ(choose(all, {"train-*.jsonl"}).value().names,
            (Names{"train-1.jsonl", "train-2.jsonl"}));
  EXPECT_EQ(choose(all, {"val/*", "train-2.jsonl", "train-?.jsonl"}).value().names,
            (Names{"val/train-3.jsonl", "train-2.jsonl", "train-1.jsonl"}));
}

TEST(ChooseRows, WhatIsWantedMustBeThereBeReadableAndOfOneFormat) {
  EXPECT_EQ(choose({"table.csv"}, {"train-*"}).error().code, Code::kNotFound);
  EXPECT_EQ(choose({"README.md"}, {"README.md"}).error().code, Code::kInvalidArgument);
  const auto mixed = choose({"table.csv", "train-1.jsonl"}, {"t*"});
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().code, Code::kInvalidArgument);
  EXPECT_EQ(mixed.error().file, "train-1.jsonl");
  EXPECT_EQ(choose({"a.png", "README.md"}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace mortise::ingest
