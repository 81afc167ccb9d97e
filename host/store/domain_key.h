// The key of one domain (a data set, a model, a job) and what is derived from it. The server takes
// it from the keyring; a worker gets its bytes through a descriptor and never sees a keyring.
//
//   HKDF-SHA-512(data key, salt empty, info "mortise/1|LABEL|DOMAIN ID", 32 bytes), with the labels
//   "chunk id", "recipe id", "gear", "seal", "mac" and "key id" (16 bytes, printed, no secret)
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto_seal.h"

namespace mortise::store {

// 1 to 64 of a-z 0-9 "-" "_". Errors: INVALID_ARGUMENT.
base::Status check_domain_id(std::string_view domain_id);
std::string new_domain_id(base::Random& random);  // 32 hex digits

class DomainKey {
 public:
  DomainKey(std::string domain_id, base::Secret data_key)
      : domain_id_(std::move(domain_id)), data_key_(std::move(data_key)) {}
  static DomainKey make(std::string domain_id, base::Random& random);

  const std::string& domain_id() const { return domain_id_; }
  const base::Secret& data_key() const { return data_key_; }
  base::Secret derive(std::string_view label) const;
  std::string key_id() const;  // 32 hex digits that name the key and tell nothing of it

  // "mrtkey01", one byte of length, the domain id, 32 bytes of key. The caller wipes it.
  base::Bytes serialise() const;
  // Errors: INVALID_ARGUMENT when the bytes are no such key.
  static base::Result<DomainKey> parse(base::ByteView bytes);
  // Keys end to end.
  static base::Result<std::vector<DomainKey>> parse_all(base::ByteView bytes);
  // Those that a descriptor holds, which is closed: what a worker does first.
  static base::Result<std::vector<DomainKey>> take_from(int descriptor);

 private:
  std::string domain_id_;
  base::Secret data_key_;
};

}  // namespace mortise::store
