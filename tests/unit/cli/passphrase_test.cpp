#include "cli/passphrase.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::cli {
namespace {

using base::Code;

Arguments given(std::string_view option, const std::string& value) {
  Arguments arguments;
  arguments.values[std::string(option)] = {value};
  return arguments;
}

TEST(Passphrase, IsTheFirstLineOfAFileThatOnlyItsOwnerReads) {
  const tests::TempFolder folder;
  const std::string path = folder / "passphrase";
  ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, "a b c\r\nmore\n").ok());
  const Arguments arguments = given("--passphrase-file", path);
  EXPECT_TRUE(names_passphrase(arguments));
  EXPECT_EQ(*read_passphrase(arguments, false), "a b c");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(read_passphrase(arguments, false).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(read_passphrase(given("--passphrase-file", folder / "none"), false).error().code,
            Code::kNotFound);
}

TEST(Passphrase, ComesThroughADescriptor) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "words\n", 6), 6);
  const Arguments arguments = given("--passphrase-descriptor", std::to_string(ends[0]));
  EXPECT_EQ(*read_passphrase(arguments, true), "words");
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(read_passphrase(given("--passphrase-descriptor", "999"), false).error().code,
            Code::kInvalidArgument);
}

TEST(Passphrase, IsNeverAnArgument) {
  for (const char* verb : {"unlock", "restore"}) {
    for (const Command& command : commands()) {
      if (command.noun != "store" || command.verb != verb) continue;
      for (const Option& option : command.options) {
        EXPECT_TRUE(option.name != "--passphrase" || option.take == Take::kFlag);
      }
    }
  }
}

}  // namespace
}  // namespace mortise::cli
