// Starting, watching and ending real processes. /bin/sh is the program that is started.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/clock.h"
#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::base {
namespace {

using tests::TempFolder;

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.arguments = {"/bin/sh", "-c", script};
  return options;
}

// Waits at most 20 s; the error of poll_exit when it did not end.
Result<int> exit_of(const ProcessIdentity& identity) {
  Result<int> exit = system_process().poll_exit(identity);
  for (int i = 0; i < 2000 && !exit.ok() && exit.error().code == Code::kUnavailable; ++i) {
    system_clock().sleep_ms(10);
    exit = system_process().poll_exit(identity);
  }
  return exit;
}

TEST(Process, GivesTheExitStatusOnceItsChildEnded) {
  const auto child = system_process().spawn(shell("exit 7")).value();

  EXPECT_EQ(exit_of(child).value(), 7);
  EXPECT_EQ(system_process().poll_exit(child).error().code, Code::kNotFound);
}

TEST(Process, DoesNotTakeAnotherProcessOfTheSameNumberForItsChild) {
  const auto child = system_process().spawn(shell("exit 7")).value();
  ProcessIdentity before = child;
  --before.start_ticks;

  EXPECT_EQ(exit_of(before).error().code, Code::kNotFound);
  EXPECT_EQ(exit_of(child).value(), 7);
}

TEST(Process, PassesArgumentsAsTheyAreAndAppendsOutput) {
  const TempFolder folder;
  SpawnOptions options = shell("printf '%s|' \"$@\"; echo oops >&2");
  options.arguments.insert(options.arguments.end(), {"sh", "a b", "$HOME", "*"});
  options.stdout_path = folder / "out";
  options.stderr_path = folder / "err";

  ASSERT_EQ(exit_of(system_process().spawn(options).value()).value(), 0);
  ASSERT_EQ(exit_of(system_process().spawn(options).value()).value(), 0);

  EXPECT_EQ(read_file(posix_file_ops(), folder / "out").value(), "a b|$HOME|*|a b|$HOME|*|");
  EXPECT_EQ(read_file(posix_file_ops(), folder / "err").value(), "oops\noops\n");
}

TEST(Process, InheritsNoEnvironmentAndTakesTheFolder) {
  const TempFolder folder;
  ASSERT_EQ(::setenv("MORTISE_TEST_SECRET", "leaked", 1), 0);
  SpawnOptions options = shell("echo \"[$MORTISE_TEST_SECRET][$GIVEN]\"; pwd -P");
  options.environment = {"GIVEN=yes"};
  options.working_folder = folder.path();
  options.stdout_path = folder / "out";

  ASSERT_EQ(exit_of(system_process().spawn(options).value()).value(), 0);
  ::unsetenv("MORTISE_TEST_SECRET");

  EXPECT_EQ(read_file(posix_file_ops(), folder / "out").value(),
            "[][yes]\n" + folder.path() + "\n");
}

TEST(Process, HandsOverTheNamedDescriptorsAndNoOthers) {
  const TempFolder folder;
  auto given = posix_file_ops().open(folder / "given", OpenMode::kCreateNew).value();
  const int leak = ::open("/dev/null", O_RDONLY);  // not close-on-exec
  ASSERT_GE(leak, 0);
  SpawnOptions options = shell("echo through >&5; ls /proc/self/fd | tr '\\n' ' '");
  options.environment = {"PATH=/usr/bin:/bin"};
  options.descriptors = {{given->descriptor(), 5}};
  options.stdout_path = folder / "out";

  ASSERT_EQ(exit_of(system_process().spawn(options).value()).value(), 0);
  ::close(leak);

  EXPECT_EQ(read_file(posix_file_ops(), folder / "given").value(), "through\n");
  // 0, 1, 2, the one given, and the folder that ls itself opens.
  EXPECT_EQ(read_file(posix_file_ops(), folder / "out").value(), "0 1 2 3 5 ");
}

TEST(Process, SwapsDescriptorsWhoseNumbersCross) {
  const TempFolder folder;
  auto first = posix_file_ops().open(folder / "first", OpenMode::kCreateNew).value();
  auto second = posix_file_ops().open(folder / "second", OpenMode::kCreateNew).value();
  SpawnOptions options = shell("echo a >&" + std::to_string(second->descriptor()) + "; echo b >&" +
                               std::to_string(first->descriptor()));
  options.descriptors = {{first->descriptor(), second->descriptor()},
                         {second->descriptor(), first->descriptor()}};
  ASSERT_LT(std::max(first->descriptor(), second->descriptor()), 10);  // sh knows one digit

  ASSERT_EQ(exit_of(system_process().spawn(options).value()).value(), 0);

  EXPECT_EQ(read_file(posix_file_ops(), folder / "first").value(), "a\n");
  EXPECT_EQ(read_file(posix_file_ops(), folder / "second").value(), "b\n");
}

TEST(Process, RunsInASessionOfItsOwn) {
  const auto child = system_process().spawn(shell("sleep 30")).value();

  EXPECT_EQ(::getsid(static_cast<pid_t>(child.pid)), child.pid);

  ASSERT_TRUE(system_process().signal(child, SIGKILL).ok());
  EXPECT_EQ(exit_of(child).value(), 128 + SIGKILL);
}

TEST(Process, TellsARunningChildFromADeadOne) {
  const auto child = system_process().spawn(shell("exec sleep 30")).value();
  EXPECT_TRUE(system_process().is_alive(child));
  EXPECT_EQ(system_process().poll_exit(child).error().code, Code::kUnavailable);

  ASSERT_TRUE(system_process().signal(child, SIGTERM).ok());
  for (int i = 0; i < 2000 && system_process().is_alive(child); ++i) system_clock().sleep_ms(10);

  EXPECT_FALSE(system_process().is_alive(child)) << "a zombie counts as alive";
  EXPECT_EQ(exit_of(child).value(), 128 + SIGTERM);
  EXPECT_EQ(system_process().signal(child, SIGTERM).error().code, Code::kNotFound);
}

TEST(Process, TellsHowMuchMemoryAProcessHolds) {
  const auto self = identify_process(::getpid()).value();
  const uint64_t before = system_process().private_bytes(self).value();
  const std::vector<char> held(64u << 20, 'x');

  const uint64_t after = system_process().private_bytes(self).value();

  EXPECT_GT(after, before + (60u << 20)) << held.back();
  EXPECT_LT(after, before + (80u << 20));
  ProcessIdentity earlier = self;
  earlier.start_ticks -= 1;
  EXPECT_EQ(system_process().private_bytes(earlier).error().code, Code::kNotFound);
}

TEST(Process, DoesNotTakeAReusedNumberForTheSameProcess) {
  const auto self = identify_process(::getpid()).value();
  ASSERT_TRUE(system_process().is_alive(self));
  ProcessIdentity earlier = self;
  earlier.start_ticks -= 1;
  ProcessIdentity other_boot = self;
  other_boot.boot_id = "00000000-0000-0000-0000-000000000000";

  EXPECT_FALSE(system_process().is_alive(earlier));
  EXPECT_FALSE(system_process().is_alive(other_boot));
  EXPECT_EQ(system_process().signal(earlier, SIGKILL).error().code, Code::kNotFound);
}

TEST(Process, RefusesAProgramThatIsMissing) {
  SpawnOptions options;
  options.arguments = {"/nowhere/program"};

  const auto spawned = system_process().spawn(options);

  ASSERT_FALSE(spawned.ok());
  EXPECT_EQ(spawned.error().code, Code::kNotFound);
  EXPECT_EQ(spawned.error().file, "/nowhere/program");
}

TEST(Process, RefusesARelativeProgramAndAMissingFolder) {
  SpawnOptions relative;
  relative.arguments = {"sh"};
  EXPECT_EQ(system_process().spawn(relative).error().code, Code::kInvalidArgument);
  EXPECT_EQ(system_process().spawn({}).error().code, Code::kInvalidArgument);
  SpawnOptions lost = shell("exit 0");
  lost.working_folder = "/nowhere";
  EXPECT_EQ(system_process().spawn(lost).error().code, Code::kNotFound);
}

TEST(Process, IdentifiesNoProcessThatDoesNotExist) {
  EXPECT_EQ(identify_process(INT64_C(99999999)).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace mortise::base
