// See media_check.h. Images and sound are decoded in full: a truncated file has a perfect header.
// Of a film every packet is read, and its first frame decoded.
#include "ingest/media_check.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/file_ops.h"
#include "ingest/audio.h"
#include "ingest/check_table.h"
#include "ingest/frame_sequence.h"
#include "ingest/image.h"
#include "ingest/row_rules.h"
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

base::Status read_picture(base::ByteView bytes, MediumFacts& facts, uint64_t& hash) {
  MORTISE_ASSIGN(const Image image, decode_image(bytes));
  facts.width = image.width;
  facts.height = image.height;
  hash = picture_hash(image);
  return {};
}

base::Status read_sound(base::ByteView bytes, MediumFacts& facts) {
  MORTISE_ASSIGN(AudioReader reader, AudioReader::open(ByteSource::of_bytes(bytes)));
  std::array<float, 4096> samples{};
  int64_t count = 0;
  for (size_t got = 1; got > 0;) {
    MORTISE_ASSIGN(got, reader.read(samples));
    count += static_cast<int64_t>(got);
  }
  facts.seconds = static_cast<double>(count) / reader.facts().rate;
  return {};
}

base::Status read_film(base::ByteView bytes, MediumFacts& facts) {
  MORTISE_ASSIGN(Video film, Video::open(ByteSource::of_bytes(bytes)));
  MORTISE_TRY(film.sample({.frames_max = 1}));
  facts.width = film.facts().width;
  facts.height = film.facts().height;
  facts.seconds = film.facts().seconds;
  return {};
}

// Reads it as what its name says it is; a name of another kind is taken as it is. hash: of a
// picture, else left alone.
base::Status read_medium(const std::string& ending, base::ByteView bytes, MediumFacts& facts,
                         uint64_t& hash) {
  if (is_one_of(ending, {"png", "jpg", "jpeg", "webp"})) return read_picture(bytes, facts, hash);
  if (is_one_of(ending, {"wav", "flac", "mp3", "ogg", "opus", "aiff"})) {
    return read_sound(bytes, facts);
  }
  if (is_one_of(ending, {"mp4", "mov", "mkv", "webm", "avi"})) return read_film(bytes, facts);
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

// "a\\b.png" and "./a.png" as the upload has them.
std::string plain_name(std::string name) {
  std::replace(name.begin(), name.end(), '\\', '/');
  while (name.starts_with("./")) name.erase(0, 2);
  return name;
}

}  // namespace

std::optional<Finding> MediaCheck::check(const std::string& name, const std::string& field) {
  if (!bad_.contains(name) && !facts_.contains(name)) inspect(name);
  const auto bad = bad_.find(name);
  if (bad == bad_.end()) return std::nullopt;
  Finding answer = bad->second;
  answer.field = field;
  if (answer.patch.is_string()) answer.patch = replace_patch(field, answer.patch);
  return answer;
}

void MediaCheck::use(const std::string& name) {
  for (const std::string& file : files_of(name)) facts_[file].is_used = true;
}

std::vector<std::string> MediaCheck::used() const {
  std::vector<std::string> names;
  for (const auto& [name, facts] : facts_) {
    if (facts.is_used) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

const MediumFacts& MediaCheck::facts(const std::string& name) const {
  static const MediumFacts unknown;
  const auto found = facts_.find(name);
  return found == facts_.end() ? unknown : found->second;
}

// The patch, as yet the name alone, is there when the upload has the file under a plainer name.
std::optional<Finding> MediaCheck::misnamed(const std::string& name, const base::Error& why) const {
  Finding made =
      make_finding("media_name", "", "\"" + name + "\" is no name of a medium: " + why.message);
  if (name.find("://") != name.npos) {
    made.message = "\"" + name + "\" is an address, and addresses are never fetched.";
    made.hint = "Put the file into the upload and name it in the row, such as images/0001.png.";
    return made;
  }
  const std::string plain = plain_name(name);
  if (plain != name && base::check_relative_path(plain).ok()) {
    const auto there = files_.contains(plain);
    if (there.ok() && *there) made.patch = plain;
  }
  return made;
}

void MediaCheck::inspect(const std::string& name) {
  if (auto broken = inspect_file(name)) bad_.emplace(name, std::move(*broken));
}

std::optional<Finding> MediaCheck::inspect_file(const std::string& name) {
  if (const auto safe = base::check_relative_path(name); !safe.ok()) {
    return misnamed(name, safe.error());
  }
  auto file = files_.open(name);
  if (!file.ok() && file.error().code == base::Code::kNotFound) return inspect_folder(name);
  const auto bytes = file.ok() ? read_all(**file) : base::Result<std::string>(file.error());
  if (!bytes.ok()) {
    return make_finding("media_unreadable", "", name + " cannot be read: " + bytes.error().message);
  }
  return judge(name, base::as_bytes(*bytes));
}

// No file, but perhaps a folder of the frames of a film.
std::optional<Finding> MediaCheck::inspect_folder(const std::string& name) {
  auto pictures = files_.below(name);
  if (!pictures.ok()) {
    return make_finding("media_unreadable", "",
                        name + " cannot be read: " + pictures.error().message);
  }
  std::erase_if(*pictures, [](const std::string& file) { return !is_picture(file); });
  if (pictures->empty()) {
    missing_.insert(name);
    return make_finding("media_missing", "",
                        "The row names " + name + ", which is not in the upload.");
  }
  MediumFacts whole;
  for (const std::string& picture : *pictures) {
    if (auto broken = check(picture, "")) return broken;
    whole.size_bytes += facts(picture).size_bytes;
  }
  facts_[name] = whole;
  folders_[name] = std::move(pictures).value();
  return std::nullopt;
}

std::vector<std::string> MediaCheck::files_of(const std::string& name) const {
  const auto folder = folders_.find(name);
  return folder == folders_.end() ? std::vector<std::string>{name} : folder->second;
}

void MediaCheck::take(const std::string& name, base::ByteView bytes) {
  facts_.erase(name);
  bad_.erase(name);
  if (auto broken = judge(name, bytes)) bad_.emplace(name, std::move(*broken));
}

std::optional<Finding> MediaCheck::judge(const std::string& name, base::ByteView bytes) {
  if (bytes.empty()) return make_finding("media_empty", "", name + " is empty.");
  MediumFacts facts;
  uint64_t hash = 0;
  if (const auto read = read_medium(ending_of(name), bytes, facts, hash); !read.ok()) {
    Finding made = make_finding("media_broken", "", name + ": " + read.error().message);
    if (!read.error().hint.empty()) made.hint = read.error().hint;
    return made;
  }
  facts.size_bytes = bytes.size();
  if (hash != 0) facts.looks_like = pictures_.add(name, hash);
  facts_[name] = std::move(facts);
  return std::nullopt;
}

}  // namespace mortise::ingest
