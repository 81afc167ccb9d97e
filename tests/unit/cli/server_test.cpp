// Which server a command talks to: MORTISE_URL and MORTISE_TOKEN, the token file, and what is said
// when there is none. Nothing is started and nothing listens.
#include "cli/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/home.h"

namespace mortise::cli {
namespace {

using ::testing::HasSubstr;

std::string exit_code(const base::Error& error) {
  for (const auto& [key, value] : error.details) {
    if (key == "exit_code") return value;
  }
  return "";
}

class Connect : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mortise_cli_XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    home_ = name;
    ::setenv("MORTISE_HOME", name, 1);
    ::unsetenv("MORTISE_URL");
    ::unsetenv("MORTISE_TOKEN");
  }
  void TearDown() override {
    std::filesystem::remove_all(home_);
    for (const char* name : {"MORTISE_HOME", "MORTISE_URL", "MORTISE_TOKEN"}) ::unsetenv(name);
  }
  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = home_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  static base::Result<Http> with_url(const char* url) {
    ::setenv("MORTISE_URL", url, 1);
    ::setenv("MORTISE_TOKEN", "secret", 1);
    return connect(false);
  }

  std::filesystem::path home_;
};

TEST_F(Connect, ReadsHostAndPortFromTheEnvironment) {
  const auto http = with_url("http://10.0.0.7:8080");
  ASSERT_TRUE(http.ok()) << http.error().text();
  EXPECT_EQ(http->server().host, "10.0.0.7");
  EXPECT_EQ(http->server().port, 8080);
  EXPECT_EQ(http->server().token, "secret");
}

TEST_F(Connect, AcceptsAUrlThatEndsInASlash) {
  const auto http = with_url("http://mortise.local:80/");
  ASSERT_TRUE(http.ok()) << http.error().text();
  EXPECT_EQ(http->server().url(), "http://mortise.local:80");
}

TEST_F(Connect, ReadsTheTokenFileWithoutItsLineEnd) {
  write("token", "from-file\n");
  ::setenv("MORTISE_URL", "http://127.0.0.1:1", 1);
  const auto http = connect(false);
  ASSERT_TRUE(http.ok()) << http.error().text();
  EXPECT_EQ(http->server().token, "from-file");
}

TEST_F(Connect, RefusesAUrlThatIsNoHttpHostAndPort) {
  for (const char* url :
       {"127.0.0.1:8080", "https://127.0.0.1:8080", "http://127.0.0.1",
        "http://127.0.0.1:", "http://127.0.0.1:web", "http://127.0.0.1:70000", "http://127.0.0.1:0",
        "http://127.0.0.1:-1", "http://127.0.0.1:80/api", "http://:8080", "http://a/b:80"}) {
    const auto http = with_url(url);
    ASSERT_FALSE(http.ok()) << url;
    EXPECT_EQ(http.error().code, base::Code::kInvalidArgument) << url;
    EXPECT_THAT(http.error().message, HasSubstr(url));
    EXPECT_THAT(http.error().hint, HasSubstr("http://127.0.0.1:8080"));
    EXPECT_EQ(exit_code(http.error()), "2") << url;
  }
}

TEST_F(Connect, NamesTheTokenFileThatIsMissing) {
  ::setenv("MORTISE_URL", "http://127.0.0.1:1", 1);
  const auto http = connect(false);
  ASSERT_FALSE(http.ok());
  EXPECT_THAT(http.error().text(), HasSubstr((home_ / "token").string()));
}

TEST_F(Connect, SaysHowToStartAServerWhenNoneRuns) {
  const auto http = connect(false);
  ASSERT_FALSE(http.ok());
  EXPECT_EQ(http.error().code, base::Code::kNotFound);
  EXPECT_THAT(http.error().hint, HasSubstr("mortise up"));
  EXPECT_EQ(exit_code(http.error()), "5");
}

TEST_F(Connect, DoesNotTrustTheFilesOfAServerThatDied) {
  write("run/lock", "1");
  write("run/address", "http://127.0.0.1:9");
  write("token", "t");
  const auto found = find_private_server();  // nobody holds the lock
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(exit_code(found.error()), "5");
}

// One that starts holds the lock before it has written its number and removed an old address.
TEST_F(Connect, DoesNotTakeAStartingServerForTheDeadOneBeforeIt) {
  write("run/lock", "4194305");  // above every process id
  write("run/address", "http://127.0.0.1:9\n");
  write("token", "t\n");
  const int lock = ::open((home_ / "run/lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(lock, 0);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  const auto found = find_private_server();
  ::close(lock);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(exit_code(found.error()), "5");
}

TEST_F(Connect, FindsTheServerThatHoldsTheLock) {
  write("run/lock", std::to_string(::getpid()));
  write("run/address", "http://127.0.0.1:9\n");
  write("token", "t\n");
  const int lock = ::open((home_ / "run/lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(lock, 0);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  const auto found = find_private_server();
  ::close(lock);
  ASSERT_TRUE(found.ok()) << found.error().text();
  EXPECT_EQ(found->pid, ::getpid());
  EXPECT_EQ(found->server.port, 9);
  EXPECT_EQ(found->server.token, "t");
}

TEST_F(Connect, StopsNothingWhenNoServerRuns) {
  const auto stopped = stop_private_server();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(exit_code(stopped.error()), "5");
}

TEST_F(Connect, TakesTheHomeOfTheEnvironmentFirst) {
  EXPECT_EQ(home_folder(), home_.string());
  ::unsetenv("MORTISE_HOME");
  EXPECT_THAT(home_folder(), HasSubstr("/.local/share/mortise"));
}

TEST_F(Connect, SaysThatAServerCannotBeReached) {
  auto http = with_url("http://127.0.0.1:1");
  ASSERT_TRUE(http.ok());
  const auto answer = http->get("/readyz");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, base::Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("http://127.0.0.1:1"));
  EXPECT_EQ(exit_code(answer.error()), "5");
}

}  // namespace
}  // namespace mortise::cli
