// See domain_key.h.
#include "store/domain_key.h"

#include <unistd.h>

#include <algorithm>

namespace mortise::store {
namespace {

using base::Code;
using base::Error;
constexpr std::string_view kMagic = "mrtkey01";

base::Bytes expand(const DomainKey& key, std::string_view label, size_t size_bytes) {
  const std::string info = "mortise/1|" + std::string(label) + "|" + key.domain_id();
  return base::hkdf_sha512(key.data_key().bytes(), {}, base::as_bytes(info), size_bytes);
}

}  // namespace

base::Status check_domain_id(std::string_view domain_id) {
  const bool is_right =
      !domain_id.empty() && domain_id.size() <= 64 &&
      domain_id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == domain_id.npos;
  if (is_right) return {};
  return Error(Code::kInvalidArgument,
               "\"" + std::string(domain_id.substr(0, 100)) + "\" is not the id of a domain.",
               "Use 1 to 64 of a-z, 0-9, \"-\" and \"_\".");
}

std::string new_domain_id(base::Random& random) {
  return base::random_hex(random, 16);
}

DomainKey DomainKey::make(std::string domain_id, base::Random& random) {
  base::Secret secret;
  random.fill(secret.writable());
  return DomainKey(std::move(domain_id), std::move(secret));
}

base::Secret DomainKey::derive(std::string_view label) const {
  base::Bytes bytes = expand(*this, label, 32);
  const base::Secret secret(std::span<const std::byte, 32>(bytes.data(), 32));
  base::wipe(bytes);
  return secret;
}

std::string DomainKey::key_id() const {
  return base::to_hex(expand(*this, "key id", 16));
}

base::Bytes DomainKey::serialise() const {
  base::Bytes bytes;
  bytes.reserve(kMagic.size() + 1 + domain_id_.size() + 32);
  const auto put = [&](base::ByteView part) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  };
  put(base::as_bytes(kMagic));
  bytes.push_back(static_cast<std::byte>(domain_id_.size()));
  put(base::as_bytes(domain_id_));
  put(data_key_.bytes());
  return bytes;
}

base::Result<DomainKey> DomainKey::parse(base::ByteView bytes) {
  const Error refused(Code::kInvalidArgument, "These bytes are not the key of a domain.",
                      "Send what DomainKey::serialise gave, whole.");
  if (bytes.size() < kMagic.size() + 1 + 32) return refused;
  if (base::as_text(bytes.first(kMagic.size())) != kMagic) return refused;
  const auto id_size = std::to_integer<size_t>(bytes[kMagic.size()]);
  if (bytes.size() != kMagic.size() + 1 + id_size + 32) return refused;
  std::string domain_id(base::as_text(bytes.subspan(kMagic.size() + 1, id_size)));
  MORTISE_TRY(check_domain_id(domain_id));
  return DomainKey(std::move(domain_id),
                   base::Secret(std::span<const std::byte, 32>(bytes.last<32>())));
}

base::Result<std::vector<DomainKey>> DomainKey::parse_all(base::ByteView bytes) {
  std::vector<DomainKey> keys;
  while (!bytes.empty()) {
    const size_t id_size =
        bytes.size() > kMagic.size() ? std::to_integer<size_t>(bytes[kMagic.size()]) : 0;
    const size_t size = std::min(bytes.size(), kMagic.size() + 1 + id_size + 32);
    MORTISE_ASSIGN(DomainKey key, parse(bytes.first(size)));
    keys.push_back(std::move(key));
    bytes = bytes.subspan(size);
  }
  return keys;
}

base::Result<std::vector<DomainKey>> DomainKey::take_from(int descriptor) {
  base::Bytes bytes(64 * 1024);
  const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  ::close(descriptor);
  auto keys =
      parse_all(base::ByteView(bytes).first(static_cast<size_t>(std::max<ssize_t>(got, 0))));
  base::wipe(bytes);
  return keys;
}

}  // namespace mortise::store
