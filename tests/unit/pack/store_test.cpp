// Signatures, the store and the archive: what a pack goes through between vendor and worker.
#include "pack/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "pack/archive.h"
#include "pack_text.h"

namespace mortise::pack {
namespace {

using base::Code;
using test::files;
using test::TemporaryFolder;
using test::write_pack;

Keyring keyring_of(const base::SigningKey& key, std::string prefix = "com.example.") {
  return {{{base::Bytes(key.verify.begin(), key.verify.end()), "Vendor", {prefix}, "", false}}};
}

base::Result<std::string> verify_text(const Keyring& keyring, const std::string& text,
                                      const std::string& signature, int64_t now_ns = 0) {
  return verify(keyring, {"com.example.f1"}, text,
                parse_signature(signature, "pack.json.sig").value(), now_ns);
}

TEST(Signature, IsGoodForExactBytesOnly) {
  const auto key = base::make_signing_key();
  const std::string signature = sign_text(key, "manifest");

  EXPECT_EQ(verify_text(keyring_of(key), "manifest", signature).value(), "Vendor");
  EXPECT_EQ(verify_text(keyring_of(key), "manifest ", signature).error().code,
            Code::kUnauthenticated);
}

TEST(Signature, RefusesUnknownRevokedExpiredAndForeignKeys) {
  const auto key = base::make_signing_key(), other = base::make_signing_key();
  const std::string signature = sign_text(key, "manifest");

  EXPECT_EQ(verify_text(keyring_of(other), "manifest", signature).error().code,
            Code::kUnauthenticated);
  EXPECT_EQ(verify_text(keyring_of(key, "org.else."), "manifest", signature).error().code,
            Code::kPermissionDenied);
  Keyring revoked = keyring_of(key);
  revoked.keys[0].is_revoked = true;
  EXPECT_NE(verify_text(revoked, "manifest", signature).error().message.find("revoked"),
            std::string::npos);
  Keyring old = keyring_of(key);
  old.keys[0].not_after = "2020-01-01";
  const int64_t in_2021 = 1'609'500'000'000'000'000;
  EXPECT_NE(verify_text(old, "manifest", signature, in_2021).error().message.find("2020-01-01"),
            std::string::npos);
}

TEST(Keyring, RefusesWhatIsNoKey) {
  for (const char* text :
       {"{}", R"({"keys":[{"key":"AAAA","id_prefixes":["a."]}]})",
        R"({"keys":[{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","id_prefixes":[]}]})",
        R"({"keys":[{"secret":"x"}]})"}) {
    const auto keyring = parse_keyring(text, "keyring.json");
    ASSERT_FALSE(keyring.ok()) << text;
    EXPECT_EQ(keyring.error().file, "keyring.json");
  }
}

TEST(Install, CopiesASignedPackReadOnlyUnderItsHash) {
  const TemporaryFolder folder;
  const std::string source = folder.path() + "/f1", store = folder.path() + "/store";
  write_pack(source);
  const auto key = base::make_signing_key();
  ASSERT_TRUE(sign_pack(files(), source, key).ok());

  const auto installed =
      install(files(), source, store, SignaturePolicy::kEnforce, keyring_of(key), 0);

  ASSERT_TRUE(installed.ok()) << installed.error().text();
  EXPECT_EQ(installed->manifest.root, store + "/" + installed->manifest.sha256);
  EXPECT_EQ(installed->signer, "Vendor");
  struct stat facts {};
  ASSERT_EQ(::stat((installed->manifest.root + "/lib/f1.so").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0444u);
  const auto again = install(files(), source, store, SignaturePolicy::kEnforce, keyring_of(key), 0);
  EXPECT_TRUE(again->was_there);
  EXPECT_TRUE(uninstall(files(), store, installed->manifest.sha256).ok());
  EXPECT_EQ(files().list(store)->size(), 0u);
}

TEST(Install, RefusesAnUnsignedPackAndLeavesNothing) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/f1");

  const auto installed = install(files(), folder.path() + "/f1", folder.path() + "/store",
                                 SignaturePolicy::kEnforce, {}, 0);

  ASSERT_FALSE(installed.ok());
  EXPECT_EQ(installed.error().code, Code::kUnauthenticated);
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/store"));
}

TEST(Install, RefusesAChangedFileNamingBothHashes) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/f1");
  test::write(folder.path() + "/f1/data/words.txt", "three\n");

  const auto installed = install(files(), folder.path() + "/f1", folder.path() + "/store",
                                 SignaturePolicy::kOff, {}, 0);

  ASSERT_FALSE(installed.ok());
  EXPECT_EQ(installed.error().code, Code::kDataLoss);
  EXPECT_NE(installed.error().message.find(test::hash_of("three\n")), std::string::npos);
  EXPECT_NE(installed.error().message.find(test::hash_of("one\ntwo\n")), std::string::npos);
}

TEST(Install, RefusesUnlistedFilesMissingFilesAndLinks) {
  const TemporaryFolder folder;
  const auto attempt = [&](const std::string& name) {
    return install(files(), folder.path() + "/" + name, folder.path() + "/store",
                   SignaturePolicy::kOff, {}, 0)
        .error();
  };
  write_pack(folder.path() + "/more");
  test::write(folder.path() + "/more/lib/extra.so", "x");
  EXPECT_EQ(attempt("more").code, Code::kInvalidArgument);

  write_pack(folder.path() + "/less");
  std::filesystem::remove(folder.path() + "/less/data/words.txt");
  EXPECT_EQ(attempt("less").code, Code::kNotFound);

  write_pack(folder.path() + "/link");
  std::filesystem::create_symlink("/etc/passwd", folder.path() + "/link/data/passwd");
  EXPECT_EQ(attempt("link").code, Code::kInvalidArgument);
}

TEST(Uninstall, RefusesWhatIsNoHashOfAPack) {
  const TemporaryFolder folder;

  EXPECT_EQ(uninstall(files(), folder.path(), "../..").error().code, Code::kInvalidArgument);
  EXPECT_EQ(uninstall(files(), folder.path(), test::kHash).error().code, Code::kNotFound);
}

TEST(Archive, GivesEqualBytesAndTheSamePackBack) {
  const TemporaryFolder folder;
  const std::string root = folder.path() + "/f1";
  write_pack(root);

  ASSERT_TRUE(write_archive(files(), root, folder.path() + "/a.tar").ok());
  ASSERT_TRUE(write_archive(files(), root, folder.path() + "/b.tar").ok());
  const std::string bytes = base::read_file(files(), folder.path() + "/a.tar").value();
  const auto unpacked = read_archive(files(), folder.path() + "/a.tar", folder.path() + "/out");

  EXPECT_EQ(bytes, base::read_file(files(), folder.path() + "/b.tar").value());
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().text();
  EXPECT_TRUE(verify_files(files(), read_manifest(files(), folder.path() + "/out").value()).ok());
}

TEST(Archive, RefusesEveryByteThatIsChangedInAHeader) {
  const TemporaryFolder folder;
  write_pack(folder.path() + "/f1");
  ASSERT_TRUE(write_archive(files(), folder.path() + "/f1", folder.path() + "/a.tar").ok());
  const std::string good = base::read_file(files(), folder.path() + "/a.tar").value();

  for (size_t at = 0; at < 512; at += 3) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x15);
    test::write(folder.path() + "/bad.tar", bad);
    const auto read = read_archive(files(), folder.path() + "/bad.tar", folder.path() + "/out");
    EXPECT_FALSE(read.ok()) << "byte " << at;
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/out")) << "byte " << at;
  }
}

// A header with a right checksum for any name, size and type.
std::string header_of(const std::string& name, uint64_t size, char type) {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  char octal[13];
  std::snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(size));
  block.replace(124, 11, octal);
  block[156] = type;
  block.replace(257, 8, std::string("ustar\00000", 8));
  uint64_t sum = 8 * ' ';
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(octal, sizeof octal, "%06llo", static_cast<unsigned long long>(sum));
  return block.replace(148, 6, octal).replace(154, 2, std::string("\0 ", 2));
}

TEST(Archive, RefusesEscapesLinksBombsAndCutFiles) {
  const TemporaryFolder folder;
  const std::string end(1024, '\0');
  const auto attempt = [&](const std::string& content, const ArchiveLimits& limits = {}) {
    test::write(folder.path() + "/bad.tar", content);
    auto read = read_archive(files(), folder.path() + "/bad.tar", folder.path() + "/out", limits);
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/out")) << "something was left";
    return read.ok() ? Code::kOk : read.error().code;
  };

  EXPECT_EQ(attempt(header_of("../../evil", 0, '0') + end), Code::kInvalidArgument);
  EXPECT_EQ(attempt(header_of("/etc/evil", 0, '0') + end), Code::kInvalidArgument);
  EXPECT_EQ(attempt(header_of("link", 0, '2') + end), Code::kInvalidArgument);
  EXPECT_EQ(attempt(header_of("a", 0, '0') + header_of("a", 0, '0') + end), Code::kAlreadyExists);
  EXPECT_EQ(attempt(header_of("a", uint64_t{1} << 33, '0') + end,
                    {.files_max = 10, .size_bytes_max = 1000}),
            Code::kResourceExhausted);
  EXPECT_EQ(attempt(header_of("a", 4096, '0') + end), Code::kDataLoss);
  EXPECT_EQ(attempt(header_of("a", 0, '0')), Code::kDataLoss);
  EXPECT_EQ(attempt(end), Code::kInvalidArgument);
  EXPECT_EQ(attempt(header_of("a", 0, '0') + end + "x"), Code::kInvalidArgument);
  EXPECT_EQ(attempt(""), Code::kDataLoss);
}

}  // namespace
}  // namespace mortise::pack
