// See crypto_seal.h. As in crypto.cpp, a call of OpenSSL that cannot fail with right arguments and
// does all the same ends the process.
#include "base/crypto_seal.h"
#include "base/crypto_openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>

namespace mortise::base {
namespace {

EVP_KDF* hkdf_algorithm() {
  static EVP_KDF* const algorithm = EVP_KDF_fetch(nullptr, "HKDF", nullptr);  // for ever
  return algorithm;
}

Bytes hkdf_of_mode(const char* mode, ByteView key, ByteView salt, ByteView info, size_t size) {
  const auto octets = [](const char* name, ByteView bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                             bytes.size());
  };
  const auto text = [](const char* name, const char* value) {
    return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
  };
  std::vector<OSSL_PARAM> parameters = {text(OSSL_KDF_PARAM_MODE, mode),
                                        text(OSSL_KDF_PARAM_DIGEST, "SHA512"),
                                        octets(OSSL_KDF_PARAM_KEY, key)};
  // An empty one is left out: OpenSSL refuses a null pointer even with size 0.
  if (!salt.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
  if (!info.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_INFO, info));
  parameters.push_back(OSSL_PARAM_construct_end());
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(hkdf_algorithm());
  Bytes derived(size);
  const bool done = EVP_KDF_derive(context, out(derived), size, parameters.data()) == 1;
  EVP_KDF_CTX_free(context);
  require(done, "HKDF-SHA-512");
  return derived;
}

// The key of AES-256-GCM that XAES-256-GCM derives from the first 12 bytes of its nonce: CMAC of
// two counted blocks, each a single call of AES (c2sp.org/XAES-256-GCM, "Overview").
Secret xaes_key(ByteView key, ByteView nonce) {
  CipherContext context(EVP_CIPHER_CTX_new());
  require(EVP_EncryptInit_ex2(context.get(), EVP_aes_256_ecb(), in(key), nullptr, nullptr) == 1 &&
              EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1,
          "AES-256");
  const auto aes = [&](std::span<std::byte> block) {
    int size = 0;
    require(EVP_EncryptUpdate(context.get(), out(block), &size, in(block), 16) == 1, "AES-256");
  };
  std::array<std::byte, 16> subkey{};
  aes(subkey);
  const bool carry = (subkey[0] & std::byte{0x80}) != std::byte{};
  for (size_t i = 0; i < 16; ++i) {
    subkey[i] = (subkey[i] << 1) | (i + 1 < 16 ? subkey[i + 1] >> 7 : std::byte{});
  }
  if (carry) subkey[15] ^= std::byte{0x87};
  Secret derived;
  for (size_t half = 0; half < 2; ++half) {
    const auto block = derived.writable().subspan(half * 16, 16);
    const std::array<std::byte, 4> head = {std::byte{0}, static_cast<std::byte>(half + 1),
                                           std::byte{'X'}, std::byte{0}};
    std::ranges::copy(head, block.begin());
    std::ranges::copy(nonce.first(12), block.begin() + 4);
    for (size_t i = 0; i < 16; ++i) block[i] ^= subkey[i];
    aes(block);
  }
  wipe(subkey);
  return derived;
}

Status check_xaes(ByteView key, ByteView nonce) {
  if (key.size() == 32 && nonce.size() == 24) return {};
  return Error(Code::kInvalidArgument,
               "XAES-256-GCM takes a key of 32 and a nonce of 24 bytes, not " +
                   std::to_string(key.size()) + " and " + std::to_string(nonce.size()) + ".");
}

}  // namespace

void wipe(std::span<std::byte> bytes) {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

Secret::Secret(std::span<const std::byte, 32> bytes) {
  std::ranges::copy(bytes, bytes_.begin());
}

struct HmacSha256::State {
  DigestContext inner{EVP_MD_CTX_new()}, outer{EVP_MD_CTX_new()};
};
HmacSha256::HmacSha256(ByteView key) : state_(std::make_unique<State>()) {
  std::array<std::byte, 64> block{};
  if (key.size() > block.size()) {
    std::ranges::copy(sha256(key), block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  for (auto& b : block) b ^= std::byte{0x36};
  require(EVP_DigestInit_ex(state_->inner.get(), sha256_algorithm(), nullptr) == 1 &&
              EVP_DigestUpdate(state_->inner.get(), block.data(), block.size()) == 1,
          "HMAC-SHA-256");
  for (auto& b : block) b ^= std::byte{0x36 ^ 0x5c};
  require(EVP_DigestInit_ex(state_->outer.get(), sha256_algorithm(), nullptr) == 1 &&
              EVP_DigestUpdate(state_->outer.get(), block.data(), block.size()) == 1,
          "HMAC-SHA-256");
  wipe(block);
}
HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;

Digest HmacSha256::of(ByteView data) const {
  return of(std::span<const ByteView>(&data, 1));
}

Digest HmacSha256::of(std::span<const ByteView> parts) const {
  DigestContext context(EVP_MD_CTX_new());
  bool done = EVP_MD_CTX_copy_ex(context.get(), state_->inner.get()) == 1;
  for (const ByteView part : parts) {
    done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  }
  Digest digest;
  done = done && EVP_DigestFinal_ex(context.get(), out(digest), nullptr) == 1;
  done = done && EVP_MD_CTX_copy_ex(context.get(), state_->outer.get()) == 1;
  done = done && EVP_DigestUpdate(context.get(), digest.data(), digest.size()) == 1;
  done = done && EVP_DigestFinal_ex(context.get(), out(digest), nullptr) == 1;
  require(done, "HMAC-SHA-256");
  return digest;
}

Bytes hkdf_sha512(ByteView key, ByteView salt, ByteView info, size_t size_bytes) {
  return hkdf_of_mode("EXTRACT_AND_EXPAND", key, salt, info, size_bytes);
}

Bytes hkdf_expand_sha512(ByteView key, ByteView info, size_t size_bytes) {
  return hkdf_of_mode("EXPAND_ONLY", key, {}, info, size_bytes);
}

Result<Secret> scrypt(std::string_view passphrase, ByteView salt, const ScryptCost& cost) {
  constexpr uint64_t kMemoryMax = UINT64_C(1) << 30;
  const bool is_sane = std::has_single_bit(cost.n) && cost.n >= (1u << 10) &&
                       cost.n <= (1u << 20) && cost.r >= 1 && cost.r <= 32 && cost.p >= 1 &&
                       cost.p <= 16 && 128 * cost.r * cost.n <= kMemoryMax;
  if (!is_sane) {
    return Error(Code::kInvalidArgument,
                 "The cost of scrypt is out of range: n " + std::to_string(cost.n) + ", r " +
                     std::to_string(cost.r) + ", p " + std::to_string(cost.p) + ".",
                 "Use n a power of two of 1024 to 1048576, r 1 to 32, p 1 to 16, at most 1 GiB.");
  }
  Secret key;
  if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(), in(salt), salt.size(), cost.n, cost.r,
                     cost.p, 2 * kMemoryMax, out(key.writable()), 32) != 1) {
    return Error(Code::kResourceExhausted, "There is not enough memory for scrypt.");
  }
  return key;
}

Result<Bytes> seal_xaes_gcm(ByteView key32, ByteView nonce24, ByteView aad, ByteView plain) {
  MORTISE_TRY(check_xaes(key32, nonce24));
  return seal_aes_gcm(xaes_key(key32, nonce24).bytes(), nonce24.last(12), aad, plain);
}

Result<Bytes> open_xaes_gcm(ByteView key32, ByteView nonce24, ByteView aad, ByteView sealed) {
  MORTISE_TRY(check_xaes(key32, nonce24));
  return open_aes_gcm(xaes_key(key32, nonce24).bytes(), nonce24.last(12), aad, sealed);
}

}  // namespace mortise::base
