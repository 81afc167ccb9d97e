// What the crypto*.cpp files share of OpenSSL: bytes as it wants them, contexts that free
// themselves, and an end of the program when it fails at what cannot fail. Included by those files
// only.
#pragma once

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/crypto.h"

namespace mortise::base {

inline void require(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "OpenSSL failed: %s\n", what);
  std::abort();
}

inline const unsigned char* in(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
template <class Container>
unsigned char* out(Container&& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct DigestFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
// Looked up by name once: EVP_sha256() is looked up again in every context that is begun with it.
inline const EVP_MD* sha256_algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);  // for ever
  return algorithm;
}
inline const EVP_CIPHER* aes_gcm_algorithm() {
  static EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return algorithm;
}

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestFree>;

}  // namespace mortise::base
