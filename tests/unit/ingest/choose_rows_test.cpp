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
      {"annotations.json", {{"json", 70}, {"vqa", 1}}},
      {"CT.dcm", {{"mortise.format_dicom", 98}}},
      {"scan/IM0001", {{"mortise.format_dicom", 98}}},
      {"a/metadata.csv", {{"mortise.format_mediafolder", 98}, {"csv", 85}}},
      {"b/metadata.csv", {{"mortise.format_mediafolder", 98}, {"csv", 85}}},
      {"last.bin", {{"webdataset", 90}}}};
  return table;
}

// format_id: the one that the user named, whose guesses alone count then.
base::Result<RowsFiles> choose(const Names& names, const Names& wanted = {},
                               const std::string& format_id = {}) {
  const auto probe = [&](const std::string& name) -> base::Result<std::vector<FormatGuess>> {
    const auto found = guesses().find(name);
    if (found == guesses().end()) return std::vector<FormatGuess>();
    std::vector<FormatGuess> told = found->second;
    std::erase_if(told, [&](const FormatGuess& guess) {
      return !format_id.empty() && guess.format_id != format_id;
    });
    return told;
  };
  return choose_rows(names, wanted, probe, format_id);
}

const Names kFolder = {""};  // the folder itself

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

TEST(ChooseRows, ClassFoldersAndSidecarsAreReadAsAFolderOfMedia) {
  for (const Names& names :
       {Names{"LICENSE", "train/cat/1.png", "train/dog/2.PNG", "train/dog/3.jpg"},
        Names{"1.wav", "1.txt", "2.wav", "2.txt"}, Names{"1.png", "1.json", "2.png", "2.json"}}) {
    const auto chosen = choose(names);
    ASSERT_TRUE(chosen.ok()) << chosen.error().text();
    EXPECT_EQ(chosen->names, kFolder);
    EXPECT_EQ(chosen->format_id, "mortise.format_mediafolder");
  }
  EXPECT_EQ(choose({"cat/1.png", "dog/2.png", "train-1.jsonl"})->names, Names{"train-1.jsonl"});
  const auto flat = choose({"1.png", "2.png", "LICENSE"});  // nothing tells what they show
  ASSERT_FALSE(flat.ok());
  EXPECT_EQ(flat.error().code, Code::kNotFound);
  EXPECT_NE(flat.error().hint.find("each class has a folder of its own"), std::string::npos);
}

TEST(ChooseRows, SeveralDicomFilesAreOneFolderAndBesideRowsAreMedia) {
  EXPECT_EQ(choose({"CT.dcm", "README.md"})->names, Names{"CT.dcm"});
  const auto folder = choose({"CT.dcm", "scan/IM0001"});
  ASSERT_TRUE(folder.ok()) << folder.error().text();
  EXPECT_EQ(folder->names, kFolder);
  EXPECT_EQ(folder->format_id, "mortise.format_dicom");
  EXPECT_EQ(choose({"CT.dcm", "scan/IM0001", "table.csv"})->names, Names{"table.csv"});
}

TEST(ChooseRows, SeveralMetadataFilesAreOneFolder) {
  EXPECT_EQ(choose({"a/metadata.csv", "a/1.png", "b/metadata.csv"})->names, kFolder);
  EXPECT_EQ(choose({"a/metadata.csv", "a/1.png"})->names, Names{"a/metadata.csv"});
}

TEST(ChooseRows, ANamedFormatIsEnoughToChoose) {
  EXPECT_EQ(choose({"table.csv", "train-1.jsonl"}, {}, "csv")->names, Names{"table.csv"});
  const auto folder = choose({"1.png", "2.png"}, {}, "mortise.format_mediafolder");
  ASSERT_TRUE(folder.ok()) << folder.error().text();
  EXPECT_EQ(folder->names, kFolder);
  EXPECT_EQ(folder->format_id, "mortise.format_mediafolder");
  EXPECT_EQ(choose({"a.study", "b.study"}, {}, "com.example.study")->names, kFolder);
  EXPECT_EQ(choose({"train-1.jsonl", "train-2.jsonl"}, {}, "jsonl").error().code,
            Code::kInvalidArgument);
}

TEST(ChooseRows, OfAnEndingThatNoFormatTakesSomeAreAskedAbout) {
  Names names = {"rows.jsonl"};
  for (int i = 0; i < 10'000; ++i) names.push_back("f" + std::to_string(i) + ".bin");
  size_t asked = 0;
  const auto probe = [&](const std::string& name) -> base::Result<std::vector<FormatGuess>> {
    ++asked;
    if (name == "rows.jsonl") return std::vector<FormatGuess>{{"jsonl", 100}};
    return std::vector<FormatGuess>();
  };
  EXPECT_EQ(choose_rows(names, {}, probe)->names, Names{"rows.jsonl"});
  EXPECT_EQ(asked, 501u);
  EXPECT_EQ(choose({"f1.bin", "last.bin"})->names, Names{"last.bin"});
}

TEST(ChooseRows, MediaAreKnownByTheirEnding) {
  for (const char* name : {"a.png", "b/c.JPEG", "x.safetensors", "y.pcm"}) {
    EXPECT_TRUE(is_media_name(name)) << name;
  }
  for (const char* name : {"a.dcm", "a.png/b", "rows.jsonl", "png", ""}) {
    EXPECT_FALSE(is_media_name(name)) << name;
  }
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
