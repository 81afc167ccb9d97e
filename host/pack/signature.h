// Detached ed25519 signatures of packs: pack.json.sig over the exact bytes of pack.json, which list
// the hash of every other file. Called by store (install), find (policy) and `mortise plugin sign`.
// A key is good only for ids that begin with one of its prefixes.
//
//   pack.json.sig   {"algorithm":"ed25519","key":base64,"signature":base64}
//   keyring.json    {"keys":[{"key":base64,"id_prefixes":["com.vendor."],"name":"Vendor"?,
//                             "not_after":"2030-01-01"?,"revoked":true?}]}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::pack {

struct TrustedKey {
  base::Bytes key;  // 32 bytes, the public half
  std::string name;
  std::vector<std::string> id_prefixes;
  std::string not_after;  // "YYYY-MM-DD"; empty: no end
  bool is_revoked = false;
};

struct Keyring {
  std::vector<TrustedKey> keys;
};

struct Signature {
  base::Bytes key, bytes;  // 32 and 64 bytes
};

// Errors of the readers: INVALID_ARGUMENT naming file and field.
base::Result<Keyring> parse_keyring(std::string_view text, const std::string& label);
base::Result<Keyring> read_keyring(base::FileOps& files, const std::string& path);
base::Result<Signature> parse_signature(std::string_view text, const std::string& label);

// Whether `signature` over `manifest_text` is good at now_ns for all of `ids`: the pack's own, then
// its plugins'. Returns the name of the key. Errors: UNAUTHENTICATED for an unknown, expired or
// revoked key or a signature that does not fit the bytes; PERMISSION_DENIED when the key may not
// sign one of the ids.
base::Result<std::string> verify(const Keyring& keyring, const std::vector<std::string>& ids,
                                 std::string_view manifest_text, const Signature& signature,
                                 int64_t now_ns);

// Writes <root>/pack.json.sig. The secret file is 64 hex digits (32 bytes).
base::Status sign_pack(base::FileOps& files, const std::string& root, const base::SigningKey& key);
// Text of a signature file for these bytes.
std::string sign_text(const base::SigningKey& key, std::string_view manifest_text);

}  // namespace mortise::pack
