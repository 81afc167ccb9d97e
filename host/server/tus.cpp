// See tus.h.
#include "server/tus.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/json.h"
#include "base/utf8.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kUploadsPath = "/api/v1/uploads/";
constexpr size_t kPartialsMax = 1000;

Error bad(const char* field, std::string message) {
  return Error(Code::kInvalidArgument, std::move(message)).at_field(field);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What comes before the separator, which goes with it.
std::string_view next(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

Result<TusMetadata> TusMetadata::parse(std::string_view header) {
  TusMetadata metadata;
  if (trimmed(header).empty()) return metadata;
  for (std::string_view rest = header; !rest.empty();) {
    std::string_view value = trimmed(next(rest, ','));
    const std::string_view key = next(value, ' ');
    if (key.empty()) return bad("Upload-Metadata", "Upload-Metadata has a pair without a key.");
    if (metadata.contains(key)) {
      return bad("Upload-Metadata",
                 "Upload-Metadata has the key " + base::json_quote(std::string(key)) + " twice.");
    }
    const auto bytes = base::from_base64(trimmed(value));
    if (!bytes.ok() || base::utf8_error_offset(base::as_text(*bytes)) != SIZE_MAX) {
      return bad("Upload-Metadata", "The value of " + base::json_quote(std::string(key)) +
                                        " in Upload-Metadata is not the base64 of UTF-8 text.");
    }
    metadata.pairs_.emplace_back(key, base::as_text(*bytes));
  }
  return metadata;
}

bool TusMetadata::contains(std::string_view key) const {
  return std::any_of(pairs_.begin(), pairs_.end(),
                     [key](const auto& pair) { return pair.first == key; });
}

std::string TusMetadata::value(std::string_view key) const {
  for (const auto& [name, value] : pairs_) {
    if (name == key) return value;
  }
  return {};
}

Result<TusConcat> parse_tus_concat(std::string_view header) {
  TusConcat concat;
  header = trimmed(header);
  if (header.empty()) return concat;
  if (header == "partial") {
    concat.is_partial = true;
    return concat;
  }
  if (!header.starts_with("final;")) {
    return bad("Upload-Concat",
               "Upload-Concat is neither \"partial\" nor \"final;\" with the partial uploads.");
  }
  concat.is_final = true;
  for (std::string_view rest = trimmed(header.substr(6)); !rest.empty();) {
    const std::string_view url = next(rest, ' ');
    if (url.empty()) continue;
    const size_t at = url.find(kUploadsPath);
    const std::string_view id =
        at == std::string_view::npos ? std::string_view() : url.substr(at + kUploadsPath.size());
    if (id.empty() || id.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
      return bad("Upload-Concat",
                 base::json_quote(std::string(url)) + " is not the URL of an upload here.");
    }
    concat.ids.emplace_back(id);
  }
  if (concat.ids.empty() || concat.ids.size() > kPartialsMax) {
    return bad("Upload-Concat", "Upload-Concat names " + std::to_string(concat.ids.size()) +
                                    " partial uploads, it must be 1 to 1000.");
  }
  return concat;
}

Result<TusChecksum> parse_tus_checksum(std::string_view header) {
  TusChecksum checksum;
  header = trimmed(header);
  if (header.empty()) return checksum;
  checksum.algorithm = next(header, ' ');
  if (checksum.algorithm != "sha1" && checksum.algorithm != "sha256") {
    return bad("Upload-Checksum", "The checksum " + base::json_quote(checksum.algorithm) +
                                      " is not known here, only sha1 and sha256.");
  }
  auto digest = base::from_base64(trimmed(header));
  if (!digest.ok() || digest->size() != (checksum.algorithm == "sha1" ? 20u : 32u)) {
    return bad("Upload-Checksum",
               "Upload-Checksum does not hold the base64 of a " + checksum.algorithm + " digest.");
  }
  checksum.digest = std::move(*digest);
  return checksum;
}

Result<std::optional<int64_t>> number_in_header(const Request& request,
                                                const std::string& lower_case_name) {
  const auto found = request.headers.find(lower_case_name);
  if (found == request.headers.end()) return std::optional<int64_t>();
  const std::string& text = found->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty() && text[0] != '-') {
    return std::optional<int64_t>(value);
  }
  return bad(lower_case_name.c_str(), "The header " + lower_case_name + " is " +
                                          base::json_quote(text) +
                                          ", it must be a whole number of at least 0.");
}

std::string http_date(int64_t now_ns) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t seconds = now_ns / 1'000'000'000;
  tm at{};
  ::gmtime_r(&seconds, &at);
  char text[40];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[at.tm_wday],
                at.tm_mday, kMonths[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min,
                at.tm_sec);
  return text;
}

}  // namespace mortise::server
