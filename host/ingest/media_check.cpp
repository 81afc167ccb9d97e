// See media_check.h. Images and sound are decoded in full: a truncated file has a perfect header.
// Of a film every packet is read, and its first frame decoded.
#include "ingest/media_check.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/file_ops.h"
#include "ingest/audio.h"
#include "ingest/image.h"
#include "ingest/video.h"

namespace mortise::ingest {
namespace {

std::string ending_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  std::string ending = dot == std::string::npos ? "" : name.substr(dot + 1);
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

bool is_one_of(std::string_view ending, std::initializer_list<std::string_view> endings) {
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

base::Status read_sound(base::ByteView bytes) {
  MORTISE_ASSIGN(AudioReader reader, AudioReader::open(ByteSource::of_bytes(bytes)));
  std::array<float, 4096> samples{};
  for (size_t got = 1; got > 0;) {
    MORTISE_ASSIGN(got, reader.read(samples));
  }
  return {};
}

base::Status read_film(base::ByteView bytes) {
  MORTISE_ASSIGN(Video film, Video::open(ByteSource::of_bytes(bytes)));
  MORTISE_TRY(film.sample({.frames_max = 1}));
  return {};
}

// Reads it as what its name says it is; a name of another kind is taken as it is.
base::Status read_medium(const std::string& ending, base::ByteView bytes) {
  if (is_one_of(ending, {"png", "jpg", "jpeg", "webp"})) {
    MORTISE_TRY(decode_image(bytes));
  } else if (is_one_of(ending, {"wav", "flac", "mp3", "ogg", "opus", "aiff"})) {
    MORTISE_TRY(read_sound(bytes));
  } else if (is_one_of(ending, {"mp4", "mov", "mkv", "webm", "avi"})) {
    MORTISE_TRY(read_film(bytes));
  }
  return {};
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
  if (const auto read = read_medium(ending_of(name), bytes); !read.ok()) {
    return finding("media_broken", name + ": " + read.error().message,
                   read.error().hint.empty() ? "Upload the file again." : read.error().hint);
  }
  sizes_[name] = bytes.size();
  return std::nullopt;
}

}  // namespace mortise::ingest
