// See multipart.h.
#include "server/multipart.h"

#include <algorithm>
#include <cctype>

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr size_t kHeadBytesMax = 16u << 10, kBoundaryMax = 70;
constexpr int kPartsMax = 64;

Error broken(std::string message) {
  return Error(Code::kInvalidArgument, std::move(message), "Send multipart/form-data, RFC 7578.");
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// The value of ; key="value" or ; key=value in a header; "" when it is not there.
std::string parameter_of(std::string_view header, std::string_view key) {
  bool is_quoted = false;
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i] == '\\' && is_quoted) {
      ++i;
      continue;
    }
    if (header[i] == '"') is_quoted = !is_quoted;
    if (is_quoted || header[i] != ';') continue;
    std::string_view rest = header.substr(i + 1);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (lower(rest.substr(0, key.size())) != key || !rest.substr(key.size()).starts_with('=')) {
      continue;
    }
    rest.remove_prefix(key.size() + 1);
    if (!rest.starts_with('"')) return std::string(rest.substr(0, rest.find(';')));
    std::string value;
    for (size_t at = 1; at < rest.size() && rest[at] != '"'; ++at) {
      if (rest[at] == '\\' && at + 1 < rest.size()) ++at;
      value += rest[at];
    }
    return value;
  }
  return {};
}

}  // namespace

FormReader::FormReader(std::string boundary, FormHooks hooks)
    : hooks_(std::move(hooks)), delimiter_("\r\n--" + std::move(boundary)), waiting_("\r\n") {}

Result<FormReader> FormReader::begin(std::string_view content_type, FormHooks hooks) {
  if (!lower(content_type).starts_with("multipart/form-data")) {
    Error error = broken("The body is not a form.");
    return error.with("status", "415");
  }
  std::string boundary = parameter_of(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kBoundaryMax) {
    return broken("Content-Type names no boundary of 1 to 70 characters.");
  }
  return FormReader(std::move(boundary), std::move(hooks));
}

Status FormReader::take(base::ByteView piece) {
  if (at_ == At::kEnd) return {};  // an epilogue says nothing
  waiting_ += base::as_text(piece);
  for (bool goes_on = true; goes_on;) {
    MORTISE_ASSIGN(goes_on, step());
  }
  return {};
}

Result<bool> FormReader::step() {
  if (at_ == At::kEnd) {
    waiting_.clear();
    return false;
  }
  if (at_ == At::kData) return step_data();
  if (at_ == At::kHead) return step_head();
  if (waiting_.size() < 2) return false;
  if (waiting_.starts_with("--")) {
    at_ = At::kEnd;
  } else if (waiting_.starts_with("\r\n")) {
    at_ = At::kHead;
  } else {
    return broken("A boundary of the form is not followed by a line end.");
  }
  // A head without lines is "\r\n" alone: the line end of the boundary is left before it.
  if (at_ == At::kEnd) waiting_.erase(0, 2);
  return true;
}

Result<bool> FormReader::step_data() {
  const size_t found = waiting_.find(delimiter_);
  const bool is_over = found != std::string::npos;
  const size_t kept = std::min(waiting_.size(), delimiter_.size() - 1);
  const size_t end = is_over ? found : waiting_.size() - kept;
  if (is_part_ && end > 0) {
    MORTISE_TRY(hooks_.data(base::as_bytes(std::string_view(waiting_).substr(0, end))));
  }
  waiting_.erase(0, is_over ? end + delimiter_.size() : end);
  if (!is_over) return false;
  if (is_part_) MORTISE_TRY(hooks_.end_part());
  is_part_ = false;
  at_ = At::kBoundary;
  return true;
}

Result<bool> FormReader::step_head() {
  const size_t end = waiting_.find("\r\n\r\n");
  if (std::min(end, waiting_.size()) > kHeadBytesMax || parts_ >= kPartsMax) {
    return Error(Code::kResourceExhausted, "The form has too many or too long parts.")
        .with("status", "413");
  }
  if (end == std::string::npos) return false;
  std::string name, filename;
  for (size_t at = 2; at < end;) {
    const size_t stop = std::min(waiting_.find("\r\n", at), end);
    const std::string_view line = std::string_view(waiting_).substr(at, stop - at);
    at = stop + 2;
    if (!lower(line.substr(0, 20)).starts_with("content-disposition:")) continue;
    name = parameter_of(line, "name");
    filename = parameter_of(line, "filename");
  }
  if (name.empty()) return broken("A part of the form has no name.");
  waiting_.erase(0, end + 4);
  ++parts_;
  is_part_ = true;
  at_ = At::kData;
  MORTISE_TRY(hooks_.begin_part(name, filename));
  return true;
}

Status FormReader::finish() const {
  return at_ == At::kEnd ? Status() : Status(broken("The form ends before its last boundary."));
}

}  // namespace mortise::server
