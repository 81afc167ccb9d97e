// AES-256-GCM with one key for many nonces. See crypto_seal.h. A file of its own, and nothing else
// in it: a test links another AesGcm in its place (tests/e2e/null_aes_gcm.cpp).
#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>

#include "base/crypto_openssl.h"
#include "base/crypto_seal.h"

namespace mortise::base {
namespace {}  // namespace

struct AesGcm::State {
  CipherContext seal, open;  // each made when it is first needed
  Secret key;
};
AesGcm::AesGcm(std::span<const std::byte, 32> key) : state_(std::make_unique<State>()) {
  state_->key = Secret(key);
}
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

void AesGcm::seal(std::span<const std::byte, 12> nonce, ByteView plain,
                  std::span<std::byte> sealed) {
  require(sealed.size() == plain.size() + kTagSize, "AES-256-GCM sizes");
  if (!state_->seal) {
    state_->seal.reset(EVP_CIPHER_CTX_new());
    require(EVP_EncryptInit_ex2(state_->seal.get(), aes_gcm_algorithm(), in(state_->key.bytes()),
                                nullptr, nullptr) == 1,
            "AES-256-GCM");
  }
  EVP_CIPHER_CTX* const context = state_->seal.get();
  int size = 0;
  bool done = EVP_EncryptInit_ex2(context, nullptr, nullptr, in(nonce), nullptr) == 1;
  done = done && (plain.empty() || EVP_EncryptUpdate(context, out(sealed), &size, in(plain),
                                                     static_cast<int>(plain.size())) == 1);
  done = done && EVP_EncryptFinal_ex(context, out(sealed) + plain.size(), &size) == 1;
  done = done && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, kTagSize,
                                     out(sealed) + plain.size()) == 1;
  require(done, "AES-256-GCM");
}

bool AesGcm::open(std::span<const std::byte, 12> nonce, ByteView sealed,
                  std::span<std::byte> plain) {
  if (sealed.size() < kTagSize) return false;
  require(plain.size() == sealed.size() - kTagSize, "AES-256-GCM sizes");
  if (!state_->open) {
    state_->open.reset(EVP_CIPHER_CTX_new());
    require(EVP_DecryptInit_ex2(state_->open.get(), aes_gcm_algorithm(), in(state_->key.bytes()),
                                nullptr, nullptr) == 1,
            "AES-256-GCM");
  }
  EVP_CIPHER_CTX* const context = state_->open.get();
  int size = 0;
  bool done = EVP_DecryptInit_ex2(context, nullptr, nullptr, in(nonce), nullptr) == 1;
  done = done && (plain.empty() || EVP_DecryptUpdate(context, out(plain), &size, in(sealed),
                                                     static_cast<int>(plain.size())) == 1);
  done = done && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTagSize,
                                     const_cast<unsigned char*>(in(sealed.last(kTagSize)))) == 1;
  require(done, "AES-256-GCM");
  unsigned char unused[16];
  if (EVP_DecryptFinal_ex(context, unused, &size) == 1) return true;
  wipe(plain);
  return false;
}

}  // namespace mortise::base
