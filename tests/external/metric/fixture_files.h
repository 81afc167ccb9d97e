// The metric fixtures, read in place. Used by the tests of this folder only.
#pragma once

#include <gtest/gtest.h>
#include <mortise/cpp/json_parse.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace mortise {

class MetricFixtures : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("MORTISE_FIXTURES");
    if (folder == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set, so there are no goldens.";
    root_ = folder;
  }

  sdk::JsonDocument read(const std::string& name) const {
    std::ifstream file(root_ / name, std::ios::binary);
    EXPECT_TRUE(file.good()) << name;
    std::stringstream content;
    content << file.rdbuf();
    return sdk::JsonDocument::parse(content.str(), {}, name);
  }

  static std::vector<std::string> texts(sdk::Json list) {
    std::vector<std::string> result;
    list.for_each_item([&](sdk::Json item) { result.emplace_back(item.as_text()); });
    return result;
  }

  struct Pair {
    std::string prediction;
    std::vector<std::string> references;
    // The first `count` references.
    std::vector<std::string_view> first(size_t count) const {
      return {references.begin(), references.begin() + static_cast<std::ptrdiff_t>(count)};
    }
  };

  std::vector<Pair> pairs(const std::string& language) const {
    const sdk::JsonDocument document = read("goldens/metrics/pairs." + language + ".json");
    std::vector<Pair> result;
    document.root().for_each_item([&](sdk::Json row) {
      result.push_back({std::string(row["hyp"].as_text()), texts(row["refs"])});
    });
    return result;
  }

  // Predictions and references of 1000 captions, in the order of the file.
  std::vector<Pair> captions() const {
    const sdk::JsonDocument wanted = read("metrics/coco-fakecap/gts.json");
    const sdk::JsonDocument given = read("metrics/coco-fakecap/res.json");
    std::vector<Pair> result;
    given.root().for_each_member([&](std::string_view id, sdk::Json list) {
      result.push_back({texts(list).at(0), texts(wanted.root()[id])});
    });
    return result;
  }

  std::filesystem::path root_;
};

}  // namespace mortise
