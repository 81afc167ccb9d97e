// Any text as each header of tus: what is accepted keeps the promises of server/tus.h.
#include <cstdlib>
#include <set>
#include <string_view>

#include "base/utf8.h"
#include "server/tus.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  if (const auto metadata = mortise::server::TusMetadata::parse(header); metadata.ok()) {
    std::set<std::string> keys;
    for (const auto& [key, value] : metadata->pairs()) {
      if (key.empty() || !keys.insert(key).second ||
          mortise::base::utf8_error_offset(value) != std::string_view::npos)
        std::abort();
    }
  }
  if (const auto concat = mortise::server::parse_tus_concat(header); concat.ok()) {
    if (concat->is_partial && concat->is_final) std::abort();
    if (concat->is_final == concat->ids.empty()) std::abort();
  }
  if (const auto checksum = mortise::server::parse_tus_checksum(header); checksum.ok()) {
    const size_t digest = checksum->algorithm == "sha1"     ? 20
                          : checksum->algorithm == "sha256" ? 32
                                                            : 0;
    if (checksum->digest.size() != digest) std::abort();
  }
  return 0;
}
