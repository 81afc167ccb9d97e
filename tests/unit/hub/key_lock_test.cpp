#include "hub/key_lock.h"

#include <sys/stat.h>

#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;

class HandClock final : public base::Clock {
 public:
  int64_t now_ns() override { return ns; }
  int64_t monotonic_ns() override { return ns; }
  void sleep_ms(int64_t ms) override { base::system_clock().sleep_ms(ms); }
  int64_t ns = INT64_C(1'000'000'000'000);
};

constexpr const char* kPassphrase = "correct horse battery";

class KeyLockTest : public HubFixture {
 protected:
  void SetUp() override {}
  void open_with(const RootKeySource& source) {
    hub_.reset();
    auto opened = Hub::open(base::posix_file_ops(), clock_, base::system_random(), folder_ / "home",
                            database_, source);
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    hub_ = std::move(*opened);
  }
  base::Status unlock(std::string_view passphrase, bool is_new = false) {
    return hub_->key_lock().unlock(passphrase, is_new);
  }
  // A program in the folder, with mode 0700.
  std::string program(const std::string& text) {
    const std::string path = folder_ / "helper";
    (void)base::posix_file_ops().remove(path);
    EXPECT_TRUE(base::write_file_durably(base::posix_file_ops(), path, "#!/bin/sh\n" + text).ok());
    EXPECT_EQ(::chmod(path.c_str(), 0700), 0);
    return path;
  }
  base::Error error_with(const std::string& script) {
    auto opened = Hub::open(base::posix_file_ops(), clock_, base::system_random(), folder_ / "home",
                            database_, {RootKeySource::Kind::kProgram, {program(script)}, {}});
    return opened.ok() ? base::Error() : opened.error();
  }

  const RootKeySource by_passphrase_ = {
      RootKeySource::Kind::kPassphrase, {}, {.n = 1024, .r = 8, .p = 1}};
  HandClock clock_;
};

TEST_F(KeyLockTest, ANewHomeTakesAPassphraseThatIsSaidToBeNew) {
  open_with(by_passphrase_);
  EXPECT_FALSE(hub_->key_lock().is_unlocked());
  EXPECT_EQ(unlock(kPassphrase).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(unlock("short", true).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(unlock(kPassphrase, true).ok());
  ASSERT_TRUE(add(version_of("chest", {R"({"n":1})"})).ok());

  open_with(by_passphrase_);

  const Version version = hub_->datasets().resolve("chest").value();
  const auto locked = hub_->datasets().rows(version);
  EXPECT_EQ(locked.error().code, Code::kFailedPrecondition) << "names are seen, rows are not";
  EXPECT_EQ(unlock(kPassphrase, true).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(unlock(kPassphrase).ok());
  EXPECT_EQ(hub_->datasets().rows(version)->row(0).value(), R"({"n":1})");
  EXPECT_EQ(unlock(kPassphrase).error().code, Code::kFailedPrecondition);
}

TEST_F(KeyLockTest, AWrongPassphraseIsDeniedAndSlowsTheNext) {
  open_with(by_passphrase_);
  ASSERT_TRUE(unlock(kPassphrase, true).ok());
  open_with(by_passphrase_);
  for (const int64_t wait_s : {1, 2, 4, 8, 16, 32, 64, 64}) {
    EXPECT_EQ(unlock("wrong horse battery").error().code, Code::kPermissionDenied);
    clock_.ns += wait_s * 1'000'000'000 - 1;
    EXPECT_EQ(unlock(kPassphrase).error().code, Code::kResourceExhausted) << wait_s;
    clock_.ns += 1;
  }
  EXPECT_FALSE(hub_->key_lock().is_unlocked());
  EXPECT_TRUE(unlock(kPassphrase).ok());
}

TEST_F(KeyLockTest, AHomeWithAKeyFileTakesNoPassphrase) {
  open_with({});
  EXPECT_TRUE(hub_->key_lock().is_unlocked());
  EXPECT_EQ(unlock(kPassphrase).error().code, Code::kFailedPrecondition);
}

TEST_F(KeyLockTest, AProgramOfTheSiteGivesTheKey) {
  const RootKeySource source = {
      RootKeySource::Kind::kProgram,
      {program("printf '%s%s' \"$1\" 0123456789abcdef"), "fedcba9876543210"},
      {}};
  open_with(source);
  ASSERT_TRUE(add(version_of("chest", {R"({"n":1})"})).ok());
  EXPECT_FALSE(*base::posix_file_ops().exists(folder_ / "home/keys/root.key"));
  open_with(source);
  const auto rows = hub_->datasets().rows(hub_->datasets().resolve("chest").value());
  EXPECT_EQ(rows->row(0).value(), R"({"n":1})");
  hub_.reset();
  EXPECT_EQ(error_with("printf 0123456789abcdef0123456789abcdef").code, Code::kUnauthenticated);
}

TEST_F(KeyLockTest, AProgramThatGivesNoKeyIsNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"printf short", "printed 5 bytes, not 32"},
      {"printf 0123456789abcdef0123456789abcdefX", "printed more than 32 bytes"},
      {"printf 0123456789abcdef0123456789abcdef; exit 3", "ended with 3"},
      {"exit 0", "printed 0 bytes, not 32"}};
  for (const auto& [script, said] : cases) {
    const base::Error error = error_with(script);
    EXPECT_EQ(error.code, Code::kFailedPrecondition) << script;
    EXPECT_NE(error.message.find(said), std::string::npos) << error.text();
    EXPECT_NE(error.text().find("/helper"), std::string::npos) << error.text();
  }
  auto opened = Hub::open(base::posix_file_ops(), clock_, base::system_random(), folder_ / "home",
                          database_, {RootKeySource::Kind::kProgram, {folder_ / "absent"}, {}});
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace mortise::hub
