// The headers of tus 1.0.0 as values: plain functions over text that strangers send. The handlers
// are in tus_api.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "server/http.h"

namespace mortise::server {

inline constexpr std::string_view kTusVersion = "1.0.0";
inline constexpr std::string_view kTusExtensions =
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,"
    "concatenation";
inline constexpr std::string_view kTusChecksums = "sha1,sha256";
inline constexpr std::string_view kTusBodyType = "application/offset+octet-stream";

// Upload-Metadata: pairs of a key and its decoded value, in their order.
class TusMetadata {
 public:
  // Errors: INVALID_ARGUMENT (an empty or repeated key, a value that is not base64, not UTF-8
  // text).
  static base::Result<TusMetadata> parse(std::string_view header);
  bool contains(std::string_view key) const;
  std::string value(std::string_view key) const;  // "" when it is not there
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// Upload-Concat: "partial", or "final;" and the URLs of partial uploads.
struct TusConcat {
  bool is_partial = false, is_final = false;  // neither: the header was not there
  std::vector<std::string> ids;               // of a final one
};
base::Result<TusConcat> parse_tus_concat(std::string_view header);

// Upload-Checksum. Errors: INVALID_ARGUMENT for an algorithm that is not served or a digest of
// another size.
struct TusChecksum {
  std::string algorithm;  // "": the header was not there
  base::Bytes digest;
};
base::Result<TusChecksum> parse_tus_checksum(std::string_view header);

// A header that is a whole number of at least 0; nothing when it is not there.
base::Result<std::optional<int64_t>> number_in_header(const Request& request,
                                                      const std::string& lower_case_name);
// "Wed, 25 Jun 2014 16:00:00 GMT"
std::string http_date(int64_t now_ns);

}  // namespace mortise::server
