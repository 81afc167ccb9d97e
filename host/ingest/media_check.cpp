// See media_check.h. Images and sound are decoded in full: a truncated file has a perfect header.
// Of a film every packet is read, and its first frame decoded.
#include "ingest/media_check.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>

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
  facts.width = static_cast<int32_t>(image.width);
  facts.height = static_cast<int32_t>(image.height);
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
  facts.width = static_cast<int32_t>(film.facts().width);
  facts.height = static_cast<int32_t>(film.facts().height);
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

base::Result<std::string> read_all(base::File& file, uint64_t size) {
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

constexpr uint64_t kLargeBytes = UINT64_C(64) << 20;  // above, one is in memory at a time

size_t threads_count() {
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 16);
}

}  // namespace

struct MediaCheck::Looked {
  std::optional<Finding> broken = {};
  MediumFacts facts = {};
  uint64_t picture = 0;    // its hash; 0 for none
  bool is_absent = false;  // there is no file of this name
};

std::optional<Finding> MediaCheck::check(const std::string& name, const std::string& field) {
  if (!is_known(name)) settle(name, look(name));
  const auto bad = bad_.find(name);
  if (bad == bad_.end()) return std::nullopt;
  Finding answer = bad->second;
  answer.field = field;
  if (answer.patch.is_string()) answer.patch = replace_patch(field, answer.patch);
  return answer;
}

void MediaCheck::use(const std::string& name) {
  for (const std::string& file : files_of(name)) facts_to_set(file).is_used = true;
}

std::vector<std::string> MediaCheck::used() const {
  std::vector<std::string> names;
  for (const MediumFacts& facts : facts_) {
    if (facts.is_used) names.emplace_back(names_.name(facts.number));
  }
  std::ranges::sort(names);
  return names;
}

const MediumFacts& MediaCheck::facts(const std::string& name) const {
  static const MediumFacts unknown;
  const uint32_t number = names_.find(name);
  return number == NameIndex::kNone ? unknown : facts_[number];
}

MediumFacts& MediaCheck::facts_to_set(const std::string& name) {
  const uint32_t number = names_.add(name);
  if (number == facts_.size()) facts_.emplace_back().number = number;
  return facts_[number];
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

MediaCheck::Looked MediaCheck::look(const std::string& name) const {
  if (const auto safe = base::check_relative_path(name); !safe.ok()) {
    return {.broken = misnamed(name, safe.error())};
  }
  auto file = files_.open(name);
  if (!file.ok() && file.error().code == base::Code::kNotFound) return {.is_absent = true};
  std::unique_lock<std::mutex> lock(large_, std::defer_lock);
  const auto size = file.ok() ? (*file)->size() : base::Result<uint64_t>(file.error());
  if (size.ok() && *size > kLargeBytes) lock.lock();
  const auto bytes = size.ok() ? read_all(**file, *size) : base::Result<std::string>(size.error());
  if (bytes.ok()) return look_at(name, base::as_bytes(*bytes));
  return {.broken = make_finding("media_unreadable", "",
                                 name + " cannot be read: " + bytes.error().message)};
}

void MediaCheck::settle(const std::string& name, Looked looked) {
  if (looked.is_absent) looked.broken = inspect_folder(name);
  if (looked.broken) {
    bad_.emplace(name, std::move(*looked.broken));
  } else if (!looked.is_absent) {
    MediumFacts& facts = facts_to_set(name);
    const uint32_t number = facts.number;
    const bool is_used = facts.is_used;
    facts = looked.facts;
    facts.number = number;
    facts.is_good = true;
    facts.is_used = is_used;
    if (looked.picture != 0) facts.looks_like = pictures_.add(number, looked.picture);
  }
}

class MediaCheck::Looking {
 public:
  Looking(const MediaCheck& media, std::vector<std::string> names)
      : media_(media), names_(std::move(names)), looked_(names_.size()) {
    const size_t most = std::min(names_.size(), threads_count() - 1);
    for (size_t i = 0; i < most; ++i) threads_.emplace_back(&Looking::work, this);
  }

  // Each name and what was found out about it, in their order.
  template <class Take>
  void finish(const Take& take) {
    work();
    threads_.clear();
    for (size_t i = 0; i < names_.size(); ++i) take(names_[i], std::move(looked_[i]));
    names_.clear();
  }

 private:
  void work() {
    for (size_t at = next_++; at < names_.size(); at = next_++) {
      looked_[at] = media_.look(names_[at]);
    }
  }

  const MediaCheck& media_;
  std::vector<std::string> names_;
  std::vector<Looked> looked_;
  std::atomic<size_t> next_ = 0;
  std::vector<std::jthread> threads_;  // goes first: they use all above
};

std::shared_ptr<MediaCheck::Looking> MediaCheck::begin(
    const std::vector<std::string>& names) const {
  std::vector<std::string> wanted;
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!is_known(name) && seen.insert(name).second) wanted.push_back(name);
  }
  return std::make_shared<Looking>(*this, std::move(wanted));
}

void MediaCheck::finish(Looking& looking) {
  looking.finish([this](const std::string& name, Looked looked) {
    if (!is_known(name)) settle(name, std::move(looked));
  });
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
  finish(*begin(*pictures));
  MediumFacts whole;
  for (const std::string& picture : *pictures) {
    if (auto broken = check(picture, "")) return broken;
    whole.size_bytes += facts(picture).size_bytes;
  }
  whole.number = facts_to_set(name).number;
  whole.is_good = true;
  facts_[whole.number] = whole;
  folders_[name] = std::move(pictures).value();
  return std::nullopt;
}

std::vector<std::string> MediaCheck::files_of(const std::string& name) const {
  const auto folder = folders_.find(name);
  return folder == folders_.end() ? std::vector<std::string>{name} : folder->second;
}

void MediaCheck::take(const std::string& name, base::ByteView bytes) {
  if (facts(name).is_good) facts_to_set(name).is_good = false;
  bad_.erase(name);
  settle(name, look_at(name, bytes));
}

MediaCheck::Looked MediaCheck::look_at(const std::string& name, base::ByteView bytes) {
  if (bytes.empty()) return {.broken = make_finding("media_empty", "", name + " is empty.")};
  Looked looked;
  const auto read = read_medium(ending_of(name), bytes, looked.facts, looked.picture);
  looked.facts.size_bytes = bytes.size();
  if (read.ok()) return looked;
  Finding made = make_finding("media_broken", "", name + ": " + read.error().message);
  if (!read.error().hint.empty()) made.hint = read.error().hint;
  return {.broken = std::move(made)};
}

}  // namespace mortise::ingest
