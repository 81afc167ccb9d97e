// OpenSSL 3 behind plain functions. See crypto.h. A call of OpenSSL that cannot fail with right
// arguments and does all the same ends the process: going on without a digest would be worse.
#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "base/crypto_openssl.h"
#include "base/crypto_seal.h"
#include "base/file_digest.h"

namespace mortise::base {
namespace {

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

constexpr size_t kTagSize = 16;

Status check_gcm(ByteView key, ByteView nonce) {
  if (key.size() == 32 && nonce.size() == 12) return {};
  return Error(Code::kInvalidArgument,
               "AES-256-GCM takes a key of 32 and a nonce of 12 bytes, not " +
                   std::to_string(key.size()) + " and " + std::to_string(nonce.size()) + ".");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return Error(Code::kInvalidArgument, "Hex text has an odd length.");
  Bytes bytes(text.size() / 2);
  for (size_t i = 0; i < text.size(); ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) {
      return Error(Code::kInvalidArgument, "Hex text holds a character that is no hex digit.")
          .at_byte(static_cast<int64_t>(i));
    }
    bytes[i / 2] = static_cast<std::byte>((std::to_integer<int>(bytes[i / 2]) << 4) | digit);
  }
  return bytes;
}

std::string to_base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(out(text), in(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

Result<Bytes> from_base64(std::string_view text) {
  const auto refuse = [](size_t at) {
    return Error(Code::kInvalidArgument, "Base64 text is broken: wrong character or padding.",
                 "Use the standard alphabet with padding.")
        .at_byte(static_cast<int64_t>(at));
  };
  if (text.size() % 4 != 0) return refuse(text.size());
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  for (size_t i = 0; i + padding < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!std::isalnum(c) && c != '+' && c != '/') return refuse(i);
  }
  Bytes bytes(text.size() / 4 * 3);
  if (!text.empty() &&
      EVP_DecodeBlock(out(bytes), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size())) < 0) {
    return refuse(0);
  }
  bytes.erase(bytes.end() - static_cast<ptrdiff_t>(padding), bytes.end());
  return bytes;
}

Digest sha256(ByteView data) {
  Digest digest;
  ::SHA256(in(data), data.size(), out(digest));
  return digest;
}

std::array<std::byte, 20> sha1(ByteView data) {
  std::array<std::byte, 20> digest;
  ::SHA1(in(data), data.size(), out(digest));
  return digest;
}

Digest hmac_sha256(ByteView key, ByteView data) {
  return HmacSha256(key).of(data);  // OpenSSL's HMAC() looks its parts up by name: 10 us a call
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

struct Sha256::State {
  DigestContext context{EVP_MD_CTX_new()};
};
Sha256::Sha256() : state_(std::make_unique<State>()) {
  require(EVP_DigestInit_ex(state_->context.get(), sha256_algorithm(), nullptr) == 1, "SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
void Sha256::update(ByteView data) {
  require(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1, "SHA-256");
}
Digest Sha256::finish() {
  Digest digest;
  require(EVP_DigestFinal_ex(state_->context.get(), out(digest), nullptr) == 1, "SHA-256");
  return digest;
}

struct Sha1::State {
  DigestContext context{EVP_MD_CTX_new()};
};
Sha1::Sha1() : state_(std::make_unique<State>()) {
  require(EVP_DigestInit_ex(state_->context.get(), EVP_sha1(), nullptr) == 1, "SHA-1");
}
Sha1::~Sha1() = default;
Sha1::Sha1(Sha1&&) noexcept = default;
void Sha1::update(ByteView data) {
  require(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1, "SHA-1");
}
std::array<std::byte, 20> Sha1::finish() {
  std::array<std::byte, 20> digest;
  require(EVP_DigestFinal_ex(state_->context.get(), out(digest), nullptr) == 1, "SHA-1");
  return digest;
}

Result<Digest> sha256_file(const std::string& path) {
  return sha256_file(posix_file_ops(), path);
}

SigningKey make_signing_key() {
  std::unique_ptr<EVP_PKEY, KeyFree> made(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  require(made != nullptr, "ed25519 key");
  SigningKey key;
  size_t size = key.secret.size();
  require(EVP_PKEY_get_raw_private_key(made.get(), out(key.secret), &size) == 1, "ed25519 key");
  size = key.verify.size();
  require(EVP_PKEY_get_raw_public_key(made.get(), out(key.verify), &size) == 1, "ed25519 key");
  return key;
}

std::array<std::byte, 64> sign_ed25519(const SigningKey& key, ByteView message) {
  std::unique_ptr<EVP_PKEY, KeyFree> secret(EVP_PKEY_new_raw_private_key_ex(
      nullptr, "ED25519", nullptr, in(key.secret), key.secret.size()));
  DigestContext context(EVP_MD_CTX_new());
  std::array<std::byte, 64> signature;
  size_t size = signature.size();
  require(
      secret != nullptr &&
          EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, secret.get()) == 1 &&
          EVP_DigestSign(context.get(), out(signature), &size, in(message), message.size()) == 1,
      "ed25519 signature");
  return signature;
}

bool verify_ed25519(std::span<const std::byte, 32> verify_key, ByteView message,
                    std::span<const std::byte, 64> signature) {
  std::unique_ptr<EVP_PKEY, KeyFree> key(EVP_PKEY_new_raw_public_key_ex(
      nullptr, "ED25519", nullptr, in(verify_key), verify_key.size()));
  DigestContext context(EVP_MD_CTX_new());
  return key != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), in(signature), signature.size(), in(message),
                          message.size()) == 1;
}

Result<Bytes> seal_aes_gcm(ByteView key32, ByteView nonce12, ByteView aad, ByteView plain) {
  MORTISE_TRY(check_gcm(key32, nonce12));
  CipherContext context(EVP_CIPHER_CTX_new());
  Bytes sealed(plain.size() + kTagSize);
  int size = 0;
  bool done =
      EVP_EncryptInit_ex2(context.get(), aes_gcm_algorithm(), in(key32), in(nonce12), nullptr) == 1;
  done = done && (aad.empty() || EVP_EncryptUpdate(context.get(), nullptr, &size, in(aad),
                                                   static_cast<int>(aad.size())) == 1);
  done = done && (plain.empty() || EVP_EncryptUpdate(context.get(), out(sealed), &size, in(plain),
                                                     static_cast<int>(plain.size())) == 1);
  unsigned char unused[16];
  done = done && EVP_EncryptFinal_ex(context.get(), unused, &size) == 1;
  done = done && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagSize,
                                     out(sealed) + plain.size()) == 1;
  require(done, "AES-256-GCM");
  return sealed;
}

Result<Bytes> open_aes_gcm(ByteView key32, ByteView nonce12, ByteView aad, ByteView sealed) {
  MORTISE_TRY(check_gcm(key32, nonce12));
  if (sealed.size() < kTagSize) {
    return Error(Code::kDataLoss, "Sealed bytes are shorter than their authentication tag.");
  }
  const ByteView body = sealed.first(sealed.size() - kTagSize);
  std::array<unsigned char, kTagSize> tag;
  std::copy_n(in(sealed) + body.size(), kTagSize, tag.begin());
  CipherContext context(EVP_CIPHER_CTX_new());
  Bytes plain(body.size());
  int size = 0;
  bool done =
      EVP_DecryptInit_ex2(context.get(), aes_gcm_algorithm(), in(key32), in(nonce12), nullptr) == 1;
  done = done && (aad.empty() || EVP_DecryptUpdate(context.get(), nullptr, &size, in(aad),
                                                   static_cast<int>(aad.size())) == 1);
  done = done && (body.empty() || EVP_DecryptUpdate(context.get(), out(plain), &size, in(body),
                                                    static_cast<int>(body.size())) == 1);
  require(done, "AES-256-GCM");
  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data());
  unsigned char unused[16];
  if (EVP_DecryptFinal_ex(context.get(), unused, &size) != 1) {
    OPENSSL_cleanse(plain.data(), plain.size());
    return Error(Code::kDataLoss, "Sealed bytes do not match their authentication tag.",
                 "They are damaged, or the key or position is another.");
  }
  return plain;
}

}  // namespace mortise::base
