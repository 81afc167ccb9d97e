#include "base/crypto_seal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/zstd.h"

namespace mortise::base {
namespace {

Bytes hex(const char* text) {
  return *from_hex(text);
}
std::span<const std::byte, 32> key32(const Bytes& bytes) {
  return std::span<const std::byte, 32>(bytes.data(), 32);
}

TEST(AesGcm, SealsManyFramesUnderOneKeyAsOneShotDoes) {
  const Bytes key(32, std::byte{7});
  AesGcm cipher(key32(key));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16}, size_t{16384}}) {
    std::array<std::byte, 12> nonce{};
    nonce[11] = static_cast<std::byte>(size);
    const Bytes plain(size, std::byte{0x5a});
    Bytes sealed(size + 16), opened(size);
    cipher.seal(nonce, plain, sealed);
    EXPECT_EQ(sealed, *seal_aes_gcm(key, nonce, {}, plain)) << size;
    EXPECT_TRUE(cipher.open(nonce, sealed, opened));
    EXPECT_EQ(opened, plain);
  }
}

TEST(AesGcm, GivesNothingWhenATagDoesNotMatch) {
  const Bytes key(32, std::byte{7}), plain(100, std::byte{0x5a});
  AesGcm cipher(key32(key));
  const std::array<std::byte, 12> nonce{}, other{std::byte{1}};
  Bytes sealed(116), opened(100, std::byte{1});
  cipher.seal(nonce, plain, sealed);
  EXPECT_FALSE(cipher.open(other, sealed, opened));
  for (const size_t at : {size_t{0}, size_t{99}, size_t{100}, size_t{115}}) {
    Bytes damaged = sealed;
    damaged[at] ^= std::byte{1};
    EXPECT_FALSE(cipher.open(nonce, damaged, opened)) << at;
    EXPECT_EQ(opened, Bytes(100)) << at;
  }
  EXPECT_FALSE(cipher.open(nonce, Bytes(15), std::span<std::byte>()));
  EXPECT_TRUE(cipher.open(nonce, sealed, opened));
}

TEST(HmacSha256, MatchesRfc4231) {
  const HmacSha256 jefe(as_bytes("Jefe"));
  const Digest expected = jefe.of(as_bytes("what do ya want for nothing?"));
  EXPECT_EQ(to_hex(expected), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const ByteView parts[] = {as_bytes("what do ya "), as_bytes("want for nothing?")};
  EXPECT_EQ(jefe.of(parts), expected);
  const HmacSha256 long_key(Bytes(131, std::byte{0xaa}));
  EXPECT_EQ(to_hex(long_key.of(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hkdf512, MatchesAnIndependentComputation) {
  EXPECT_EQ(to_hex(hkdf_sha512(Bytes(22, std::byte{0x0b}), hex("000102030405060708090a0b0c"),
                               hex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb");
  EXPECT_EQ(to_hex(hkdf_expand_sha512(
                hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                as_bytes("info"), 76)),
            "d40d67a9d7c34ec3c2c3eca41e6f25e08441c93422575b091a5d9f9cb9bd6da3f7145c42fae0"
            "a63d0c73fedacaaa63edbdd80d92f11aeaa7d8deac5ccef5e4ae89eaeee743c853e23658c065");
}

TEST(Scrypt, MatchesRfc7914) {
  const auto key = scrypt("password", as_bytes("NaCl"), {.n = 1024, .r = 8, .p = 16});
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(to_hex(key->bytes()),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
}

TEST(Scrypt, RefusesCostsOutOfRange) {
  for (const ScryptCost& cost :
       {ScryptCost{1000, 8, 1}, ScryptCost{512, 8, 1}, ScryptCost{1u << 21, 1, 1},
        ScryptCost{1u << 20, 9, 1}, ScryptCost{1024, 0, 1}, ScryptCost{1024, 8, 17}}) {
    EXPECT_EQ(scrypt("x", as_bytes("y"), cost).error().code, Code::kInvalidArgument)
        << cost.n << " " << cost.r << " " << cost.p;
  }
}

// c2sp.org/XAES-256-GCM, "Test vectors": the first without, the second with a carry in the subkey.
TEST(XaesGcm, MatchesThePublishedVectors) {
  const ByteView nonce = as_bytes("ABCDEFGHIJKLMNOPQRSTUVWX"), plain = as_bytes("XAES-256-GCM");
  EXPECT_EQ(to_hex(*seal_xaes_gcm(Bytes(32, std::byte{1}), nonce, {}, plain)),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  EXPECT_EQ(to_hex(*seal_xaes_gcm(Bytes(32, std::byte{3}), nonce, as_bytes("c2sp.org/XAES-256-GCM"),
                                  plain)),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST(XaesGcm, RefusesOtherKeysNoncesContextsAndSizes) {
  const Bytes key(32, std::byte{1}), nonce(24, std::byte{2}), other(32, std::byte{3});
  const Bytes sealed = *seal_xaes_gcm(key, nonce, as_bytes("a"), as_bytes("secret"));
  EXPECT_EQ(as_text(*open_xaes_gcm(key, nonce, as_bytes("a"), sealed)), "secret");
  EXPECT_EQ(open_xaes_gcm(other, nonce, as_bytes("a"), sealed).error().code, Code::kDataLoss);
  EXPECT_EQ(open_xaes_gcm(key, ByteView(other).first(24), as_bytes("a"), sealed).error().code,
            Code::kDataLoss);
  EXPECT_EQ(open_xaes_gcm(key, nonce, as_bytes("b"), sealed).error().code, Code::kDataLoss);
  EXPECT_EQ(open_xaes_gcm(key, ByteView(nonce).first(12), {}, sealed).error().code,
            Code::kInvalidArgument);
}

TEST(Zstd, GivesBackWhatItTook) {
  ZstdCompressor compressor(3);
  ZstdDecompressor decompressor;
  Bytes packed;
  for (const size_t size : {size_t{1000}, size_t{1u << 20}, size_t{4u << 20}}) {
    Bytes plain(size), opened(size);
    for (size_t i = 0; i < size; ++i) plain[i] = static_cast<std::byte>(i % 100 / 7);
    ASSERT_TRUE(compressor.compress(plain, size, packed));
    EXPECT_LT(packed.size(), size / 4);
    ASSERT_TRUE(decompressor.decompress(packed, opened).ok());
    EXPECT_EQ(opened, plain);
  }
}

TEST(Zstd, SaysWhenItDoesNotPayAndWhenBytesAreDamaged) {
  ZstdCompressor compressor(3);
  ZstdDecompressor decompressor;
  Bytes packed, opened(1000);
  EXPECT_FALSE(compressor.compress(hkdf_expand_sha512(Bytes(32), {}, 1000), 950, packed));
  ASSERT_TRUE(compressor.compress(Bytes(1000), 950, packed));
  Bytes smaller(999), larger(1001);
  EXPECT_EQ(decompressor.decompress(packed, smaller).error().code, Code::kDataLoss);
  EXPECT_EQ(decompressor.decompress(packed, larger).error().code, Code::kDataLoss);
  EXPECT_EQ(decompressor.decompress(ByteView(packed).first(packed.size() / 2), opened).error().code,
            Code::kDataLoss);
  EXPECT_TRUE(decompressor.decompress(packed, opened).ok());
}

}  // namespace
}  // namespace mortise::base
