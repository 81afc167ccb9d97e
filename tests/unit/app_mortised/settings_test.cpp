#include "app/mortised/settings.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "app/mortised/home_lock.h"
#include "base/clock.h"
#include "base/json.h"
#include "tests/support/temp_folder.h"

namespace mortise::daemon {
namespace {

using base::Code;
using base::posix_file_ops;

std::map<std::string, std::string> environment;

const char* variable(const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? nullptr : found->second.c_str();
}

class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override { environment = {{"HOME", "/home/me"}}; }
  base::Result<Settings> read(const std::vector<std::string>& arguments = {}) {
    return read_settings(posix_file_ops(), arguments, variable);
  }
  std::string site(const std::string& text) {
    EXPECT_TRUE(base::write_file_durably(posix_file_ops(), folder_ / "site.json", text).ok());
    return folder_ / "site.json";
  }
  tests::TempFolder folder_;
};

TEST_F(SettingsTest, AreLoopbackAndAuthenticatedByDefault) {
  const auto settings = read();
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->address, "127.0.0.1");
  EXPECT_TRUE(settings->has_auth);
  EXPECT_EQ(settings->deploy_mode, "private");
  EXPECT_EQ(settings->home, "/home/me/.local/share/mortise");
}

TEST_F(SettingsTest, LetTheEnvironmentWinOverTheFileAndTheCommandLineOverBoth) {
  environment["LOG_LEVEL"] = "debug";
  environment["MORTISE_HOME"] = "/data";
  const std::string path =
      site(R"({"listen": "127.0.0.1:1000", "log_level": "error", "home": "/other", "threads": 3})");
  const auto settings = read({"--config", path, "--listen", "[::1]:2000"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->log_level, "debug");
  EXPECT_EQ(settings->home, "/data");
  EXPECT_EQ(settings->address, "::1");
  EXPECT_EQ(settings->port, 2000);
  EXPECT_EQ(settings->threads, 3);
}

TEST_F(SettingsTest, RefuseUnknownKeysOfTheFile) {
  const auto settings = read({"--config", site(R"({"lisen": "127.0.0.1:1"})")});
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().field, "/lisen");
  EXPECT_EQ(settings.error().file, folder_ / "site.json");
}

TEST_F(SettingsTest, NameThePostgresDatabaseInTheFileAlone) {
  const auto read_with = [this](const std::string& database) {
    return read({"--config", site(base::Json::object({{"database", database}}).dump())});
  };
  EXPECT_EQ(read()->database, "");
  const auto settings = read_with("postgresql://m@db.example/m");
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->database, "postgresql://m@db.example/m");
  for (const char* other : {"/data/mortise.db", "mysql://m@db.example/m", ""}) {
    const auto refused = read_with(other);
    ASSERT_FALSE(refused.ok()) << other;
    EXPECT_EQ(refused.error().field, "/database");
  }
}

TEST_F(SettingsTest, SayWhereTheRootKeyComesFrom) {
  using Kind = hub::RootKeySource::Kind;
  EXPECT_EQ(read()->root_key.kind, Kind::kFile);
  EXPECT_EQ(read({"--config", site(R"({"root_key": {"source": "passphrase"}})")})->root_key.kind,
            Kind::kPassphrase);
  const auto program = read(
      {"--config", site(R"({"root_key": {"source": "program", "program": ["/bin/key", "7"]}})")});
  ASSERT_TRUE(program.ok()) << program.error().text();
  EXPECT_EQ(program->root_key.kind, Kind::kProgram);
  EXPECT_EQ(program->root_key.program, (std::vector<std::string>{"/bin/key", "7"}));
  for (const char* wrong :
       {R"({"source": "program"})", R"({"source": "program", "program": ["key"]})",
        R"({"source": "file", "program": ["/bin/key"]})", R"({"source": "pkcs11"})",
        R"({"passphrase": "never here"})"}) {
    EXPECT_FALSE(read({"--config", site(R"({"root_key": )" + std::string(wrong) + "}")}).ok())
        << wrong;
  }
}

TEST_F(SettingsTest, TakeTheArgumentsOfARestore) {
  const auto settings = read({"--restore", "/backup", "--root-key", "/safe/root.key"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->restore_from, "/backup");
  EXPECT_EQ(settings->root_key_file, "/safe/root.key");
  EXPECT_EQ(read({"--restore", "/b", "--passphrase-descriptor", "3"})->passphrase_descriptor, 3);
  EXPECT_FALSE(read({"--restore", "/b", "--passphrase-descriptor", "x"}).ok());
  EXPECT_FALSE(read({"--restore"}).ok());
}

TEST_F(SettingsTest, RefuseWhatCannotBeMeant) {
  EXPECT_FALSE(read({"--listen", "127.0.0.1"}).ok());
  EXPECT_FALSE(read({"--listen", "127.0.0.1:70000"}).ok());
  EXPECT_FALSE(read({"--listen", ":80x"}).ok());
  EXPECT_FALSE(read({"--listen"}).ok());
  EXPECT_FALSE(read({"serve"}).ok());
  environment["ENABLE_AUTH"] = "no";
  EXPECT_FALSE(read().ok());
  environment = {{"MORTISE_HOME", "relative"}};
  EXPECT_FALSE(read().ok());
  environment = {};
  EXPECT_FALSE(read().ok());
}

TEST_F(SettingsTest, TakeTheDeviceOfJobsFromTheEnvironment) {
  EXPECT_EQ(read()->device, "cpu");
  environment["DEVICE_TYPE"] = "ASCEND";
  EXPECT_EQ(read()->device, "ascend");
  environment["DEVICE_TYPE"] = "cuda";
  EXPECT_EQ(read()->device, "cuda");
  environment["DEVICE_TYPE"] = "TPU";
  const auto settings = read();
  ASSERT_FALSE(settings.ok());
  EXPECT_NE(settings.error().message.find("\"TPU\""), std::string::npos);
}

TEST_F(SettingsTest, WithoutASiteConfigurationOnlyLoopbackIsListenedOn) {
  for (const char* address : {"0.0.0.0:80", "192.0.2.7:80", "[::]:80", "127.evil.example:80"}) {
    const auto settings = read({"--listen", address});
    ASSERT_FALSE(settings.ok()) << address;
    EXPECT_NE(settings.error().message.find("--config"), std::string::npos) << address;
  }
  EXPECT_TRUE(read({"--listen", "127.0.0.2:80"}).ok());
}

TEST(HomeLock, IsTakenOnce) {
  const tests::TempFolder folder;
  {
    auto first = HomeLock::take(posix_file_ops(), folder.path());
    ASSERT_TRUE(first.ok()) << first.error().text();
    ASSERT_TRUE(first->write_address("http://127.0.0.1:1").ok());
    const auto second = HomeLock::take(posix_file_ops(), folder.path());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
    EXPECT_NE(second.error().hint.find("http://127.0.0.1:1"), std::string::npos);
  }
  EXPECT_TRUE(HomeLock::take(posix_file_ops(), folder.path()).ok());
  EXPECT_FALSE(*posix_file_ops().exists(folder / "run/address"));
}

TEST(HomeLock, RemovesTheAddressOfAServerThatDied) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::make_folders(posix_file_ops(), folder / "run").ok());
  ASSERT_TRUE(
      base::write_file_durably(posix_file_ops(), folder / "run/address", "http://127.0.0.1:1")
          .ok());
  const auto taken = HomeLock::take(posix_file_ops(), folder.path());
  ASSERT_TRUE(taken.ok()) << taken.error().text();
  EXPECT_FALSE(*posix_file_ops().exists(folder / "run/address"));
}

TEST(HomeLock, IsTakenAlthoughAClientLooksAtItJustThen) {
  const tests::TempFolder folder;
  ASSERT_TRUE(base::make_folders(posix_file_ops(), folder / "run").ok());
  const int client = ::open((folder / "run/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(client, 0);
  ASSERT_EQ(::flock(client, LOCK_SH), 0);
  std::thread looks([&] {
    base::system_clock().sleep_ms(20);
    ::close(client);
  });
  const auto taken = HomeLock::take(posix_file_ops(), folder.path());
  looks.join();
  EXPECT_TRUE(taken.ok()) << taken.error().text();
}

}  // namespace
}  // namespace mortise::daemon
