// See media_check.h. Images are decoded in full: a truncated file has a perfect header.
#include "ingest/media_check.h"

#include <algorithm>
#include <cctype>

#include "base/file_ops.h"
#include "ingest/image.h"

namespace mortise::ingest {
namespace {

std::string ending_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  std::string ending = dot == std::string::npos ? "" : name.substr(dot + 1);
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

bool is_image(const std::string& ending) {
  return ending == "png" || ending == "jpg" || ending == "jpeg";
}

constexpr uint64_t kMediumBytesMax = UINT64_C(1) << 30;

base::Result<std::string> read_all(base::File& file) {
  MORTISE_ASSIGN(const uint64_t size, file.size());
  if (size > kMediumBytesMax) {
    return base::Error(base::Code::kResourceExhausted, "It has more than 1 GiB.");
  }
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    const auto rest = std::as_writable_bytes(std::span(bytes)).subspan(done);
    MORTISE_ASSIGN(const size_t got, file.read_at(done, rest));
    if (got == 0) return base::Error(base::Code::kDataLoss, "It ends while it is read.");
    done += got;
  }
  return bytes;
}

Finding finding(const char* code, std::string message, std::string hint) {
  Finding made;
  made.code = code;
  made.message = std::move(message);
  made.hint = std::move(hint);
  return made;
}

}  // namespace

std::optional<Finding> MediaCheck::check(const std::string& name, const std::string& field) {
  auto known = known_.find(name);
  if (known == known_.end()) known = known_.emplace(name, inspect(name)).first;
  std::optional<Finding> answer = known->second;
  if (answer) answer->field = field;
  return answer;
}

uint64_t MediaCheck::size_bytes(const std::string& name) const {
  const auto found = sizes_.find(name);
  return found == sizes_.end() ? 0 : found->second;
}

std::optional<Finding> MediaCheck::inspect(const std::string& name) {
  if (const auto safe = base::check_relative_path(name); !safe.ok()) {
    return finding("media_name", "\"" + name + "\" is no name of a medium: " + safe.error().message,
                   safe.error().hint);
  }
  auto file = files_.open(name);
  if (!file.ok() && file.error().code == base::Code::kNotFound) {
    missing_.insert(name);
    return finding(
        "media_missing", "The row names " + name + ", which is not in the upload.",
        "Add the file with --media DIR, or drop the row with --max-bad-rows and --patch.");
  }
  const auto bytes = file.ok() ? read_all(**file) : base::Result<std::string>(file.error());
  if (!bytes.ok()) {
    return finding("media_unreadable", name + " cannot be read: " + bytes.error().message,
                   "Upload the file again.");
  }
  return judge(name, base::as_bytes(*bytes));
}

void MediaCheck::take(const std::string& name, base::ByteView bytes) {
  known_.insert_or_assign(name, judge(name, bytes));
}

std::optional<Finding> MediaCheck::judge(const std::string& name, base::ByteView bytes) {
  if (bytes.empty()) return finding("media_empty", name + " is empty.", "Upload the file again.");
  if (is_image(ending_of(name))) {
    const auto image = decode_image(bytes);
    if (!image.ok()) {
      return finding("media_broken", name + ": " + image.error().message,
                     image.error().hint.empty() ? "Upload the file again." : image.error().hint);
    }
  }
  sizes_[name] = bytes.size();
  return std::nullopt;
}

}  // namespace mortise::ingest
