// Digests, HMAC, AEAD, signatures and key derivation: the one door to OpenSSL. Sizes are fixed by
// the types; a key is wiped when its Secret dies.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortise::base {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using Digest = std::array<std::byte, 32>;  // SHA-256

ByteView as_bytes(std::string_view text);
std::string_view as_text(ByteView bytes);
std::string to_hex(ByteView bytes);
Result<Bytes> from_hex(std::string_view text);
std::string to_base64(ByteView bytes);  // standard alphabet, padded
Result<Bytes> from_base64(std::string_view text);

Digest sha256(ByteView data);
std::array<std::byte, 20> sha1(ByteView data);
Digest hmac_sha256(ByteView key, ByteView data);
bool equal_constant_time(ByteView a, ByteView b);

class Sha256 {  // incremental; [serial]
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  void update(ByteView data);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};
class Sha1 {  // incremental, for clients that send nothing better; [serial]
 public:
  Sha1();
  ~Sha1();
  Sha1(Sha1&&) noexcept;
  void update(ByteView data);
  std::array<std::byte, 20> finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};
Result<Digest> sha256_file(const std::string& path);

// ed25519 over exact bytes; keys and signatures in their raw form.
struct SigningKey {
  std::array<std::byte, 32> secret{}, verify{};
};
SigningKey make_signing_key();
std::array<std::byte, 64> sign_ed25519(const SigningKey& key, ByteView message);
bool verify_ed25519(std::span<const std::byte, 32> verify_key, ByteView message,
                    std::span<const std::byte, 64> signature);

// AES-256-GCM with a 12-byte nonce; the 16-byte tag is at the end of the sealed bytes.
Result<Bytes> seal_aes_gcm(ByteView key32, ByteView nonce12, ByteView aad, ByteView plain);
Result<Bytes> open_aes_gcm(ByteView key32, ByteView nonce12, ByteView aad, ByteView sealed);

}  // namespace mortise::base
