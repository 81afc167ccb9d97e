#include "cli/home.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace mortise::cli {
namespace {

TEST(HomeFolder, IsAbsoluteWhateverTheUserSet) {
  ::setenv("MORTISE_HOME", "build/home", 1);
  EXPECT_EQ(home_folder(), (std::filesystem::current_path() / "build/home").string());
  ::setenv("MORTISE_HOME", "/srv/mortise", 1);
  EXPECT_EQ(home_folder(), "/srv/mortise");
  ::unsetenv("MORTISE_HOME");
  EXPECT_EQ(home_folder(), std::string(std::getenv("HOME")) + "/.local/share/mortise");
}

}  // namespace
}  // namespace mortise::cli
