// Every pack of this repository passes the conformance kit.
#include <gtest/gtest.h>

#include <sstream>

#include "plugin/kit/kit.h"

namespace mortise::plugin::kit {
namespace {

std::vector<std::string> pack_names() {
  std::vector<std::string> names;
  std::istringstream text(MORTISE_PACK_FOLDERS);
  for (std::string name; std::getline(text, name, ':');) names.push_back(name);
  return names;
}

class ShippedPack : public testing::TestWithParam<std::string> {};

TEST_P(ShippedPack, PassesTheConformanceKit) {
  KitOptions options;
  options.root = std::string(MORTISE_BUILD) + "/" + GetParam();
  const auto report = run_kit(options);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_TRUE(report->ok()) << report_text(*report);
  RecordProperty("seconds", std::to_string(report->seconds));
}

INSTANTIATE_TEST_SUITE_P(Every, ShippedPack, testing::ValuesIn(pack_names()), [](const auto& info) {
  return info.param.substr(info.param.find('/') + 1);
});

}  // namespace
}  // namespace mortise::plugin::kit
