// Published vectors of each algorithm, and that nothing changed passes.
#include "base/crypto.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::base {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}
template <size_t kSize>
std::array<std::byte, kSize> fixed(std::string_view text) {
  std::array<std::byte, kSize> out;
  const Bytes bytes = hex(text);
  EXPECT_EQ(bytes.size(), kSize);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

TEST(Sha256, GivesTheDigestsOfFips180) {
  EXPECT_EQ(to_hex(sha256(as_bytes(""))),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Sha256, GivesTheSameInPiecesAndFromAFile) {
  const std::string text(1'000'000, 'a');
  Sha256 hash;
  for (size_t at = 0; at < text.size(); at += 999) {
    hash.update(as_bytes(std::string_view(text).substr(at, 999)));
  }
  const Digest digest = hash.finish();
  EXPECT_EQ(to_hex(digest), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

  const tests::TempFolder folder;
  const std::string large(3 * (1 << 20) + 7, 'b');  // more than one buffer
  ASSERT_TRUE(write_file_durably(posix_file_ops(), folder / "a", large).ok());
  EXPECT_EQ(sha256_file(folder / "a").value(), sha256(as_bytes(large)));
  EXPECT_EQ(sha256_file(folder / "ghost").error().code, Code::kNotFound);
}

TEST(HmacSha256, GivesTheCasesOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(20, std::byte{0x0b}), as_bytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(Ed25519, SignsAsRfc8032Does) {
  SigningKey key;
  key.secret = fixed<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  key.verify = fixed<32>("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const Bytes message = hex("72");

  const auto signature = sign_ed25519(key, message);

  EXPECT_EQ(to_hex(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(verify_ed25519(key.verify, message, signature));
}

TEST(Ed25519, SignsTheEmptyMessageAsRfc8032Does) {
  SigningKey key;
  key.secret = fixed<32>("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  key.verify = fixed<32>("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");

  const auto signature = sign_ed25519(key, {});

  EXPECT_EQ(to_hex(signature),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
  EXPECT_TRUE(verify_ed25519(key.verify, {}, signature));
}

TEST(Ed25519, RefusesAnotherMessageKeyOrSignature) {
  const SigningKey key = make_signing_key();
  const SigningKey other = make_signing_key();
  auto signature = sign_ed25519(key, as_bytes("pay 10"));
  ASSERT_TRUE(verify_ed25519(key.verify, as_bytes("pay 10"), signature));

  EXPECT_FALSE(verify_ed25519(key.verify, as_bytes("pay 11"), signature));
  EXPECT_FALSE(verify_ed25519(other.verify, as_bytes("pay 10"), signature));
  signature[63] ^= std::byte{1};
  EXPECT_FALSE(verify_ed25519(key.verify, as_bytes("pay 10"), signature));
}

struct GcmCase {
  const char *key, *nonce, *aad, *plain, *sealed;
};

// Cases 13, 14 and 16 of the GCM specification that NIST took over.
const GcmCase kGcmCases[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"}};

TEST(AesGcm, SealsAndOpensTheCasesOfNist) {
  for (const GcmCase& each : kGcmCases) {
    const Bytes sealed =
        seal_aes_gcm(hex(each.key), hex(each.nonce), hex(each.aad), hex(each.plain)).value();
    EXPECT_EQ(to_hex(sealed), each.sealed);
    EXPECT_EQ(to_hex(open_aes_gcm(hex(each.key), hex(each.nonce), hex(each.aad), sealed).value()),
              each.plain);
  }
}

TEST(AesGcm, RefusesAnyChangedBitKeyNonceOrContext) {
  const Bytes key(32, std::byte{7}), nonce(12, std::byte{9});
  const Bytes sealed = seal_aes_gcm(key, nonce, as_bytes("chunk 1"), as_bytes("text")).value();
  ASSERT_TRUE(open_aes_gcm(key, nonce, as_bytes("chunk 1"), sealed).ok());

  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_EQ(open_aes_gcm(key, nonce, as_bytes("chunk 1"), changed).error().code, Code::kDataLoss);
  }
  EXPECT_FALSE(open_aes_gcm(Bytes(32, std::byte{8}), nonce, as_bytes("chunk 1"), sealed).ok());
  EXPECT_FALSE(open_aes_gcm(key, Bytes(12, std::byte{8}), as_bytes("chunk 1"), sealed).ok());
  EXPECT_FALSE(open_aes_gcm(key, nonce, as_bytes("chunk 2"), sealed).ok());
  EXPECT_FALSE(open_aes_gcm(key, nonce, as_bytes("chunk 1"), ByteView(sealed).first(10)).ok());
}

TEST(AesGcm, RefusesKeysAndNoncesOfAnotherSize) {
  const Bytes key(32), nonce(12);
  EXPECT_EQ(seal_aes_gcm(Bytes(16), nonce, {}, {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(seal_aes_gcm(key, Bytes(16), {}, {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(open_aes_gcm(Bytes(31), nonce, {}, Bytes(16)).error().code, Code::kInvalidArgument);
}

TEST(Hex, ReadsBothCasesAndNamesTheBadCharacter) {
  EXPECT_EQ(to_hex(hex("00fFAb")), "00ffab");
  EXPECT_EQ(from_hex("abc").error().code, Code::kInvalidArgument);
  EXPECT_EQ(from_hex("ab0g").error().byte_offset, 3);
}

TEST(Base64, WritesAndReadsTheCasesOfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : cases) {
    EXPECT_EQ(to_base64(as_bytes(plain)), coded);
    EXPECT_EQ(as_text(from_base64(coded).value()), plain);
  }
}

TEST(Base64, RefusesOtherAlphabetsAndBrokenPadding) {
  for (const char* text :
       {"Zg=", "Zg", "Z===", "====", "Zm9v\n", "Z_9v", "Zm 9", "=m9v", "Zg==Zg=="}) {
    EXPECT_EQ(from_base64(text).error().code, Code::kInvalidArgument) << text;
  }
}

TEST(EqualConstantTime, ComparesContentAndSize) {
  EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
  EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace mortise::base
