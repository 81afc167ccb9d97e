// See picture_finder.h.
#include "picture_finder.h"

#include <tar_scan.h>

#include "md5.h"

namespace mortise::format_parquet {
namespace {

constexpr const char* kEndings[] = {".jpg", ".png", ".webp", ".jpeg"};
constexpr size_t kNamesMax = 1'000'000;

std::set<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  try {
    names = sdk::list_files(folder);
  } catch (const sdk::Failure& failure) {
    if (failure.code != MORTISE_STATUS_NOT_FOUND) throw;
  }
  if (names.size() > kNamesMax) {
    throw sdk::resource_exhausted("The folder \"" + folder + "\" has more than a million names.")
        .with_hint("Keep pictures in a folder or a tar a shard, as img2dataset writes them.");
  }
  return {names.begin(), names.end()};
}

sdk::OwnedMedium whole_file(const std::string& name) {
  sdk::OwnedMedium medium;
  medium.member = name;
  medium.length = static_cast<int64_t>(sdk::File::open(name).size_bytes());
  return medium;
}

// The picture of that stem among the names of a folder.
std::optional<sdk::OwnedMedium> among(const std::set<std::string>& names, const std::string& folder,
                                      const std::string& stem) {
  for (const char* ending : kEndings) {
    if (names.contains(stem + ending)) return whole_file(sdk::name_in(folder, stem + ending));
  }
  return std::nullopt;
}

std::map<std::string, sdk::OwnedMedium> pictures_of(const std::string& tar) {
  std::map<std::string, sdk::OwnedMedium> pictures;
  format_webdataset::TarScan scan(tar, 0);
  for (format_webdataset::TarMember member; scan.next(&member);) {
    if (sdk::media_kind(sdk::ending_of(member.name)) != MORTISE_MEDIA_IMAGE) continue;
    const std::string base = member.name.substr(member.name.rfind('/') + 1);
    sdk::OwnedMedium medium;
    medium.name = base;
    medium.member = tar;
    medium.offset = static_cast<int64_t>(member.data);
    medium.length = static_cast<int64_t>(member.size_bytes);
    pictures.insert_or_assign(base.substr(0, base.find('.')), std::move(medium));
    if (pictures.size() <= kNamesMax) continue;
    throw sdk::resource_exhausted("The archive has more than a million pictures.").at(tar);
  }
  return pictures;
}

}  // namespace

void PictureFinder::enter(const std::string& shard) {
  if (!beside_) beside_ = names_in(folder_);
  if (shard_ == shard) return;
  shard_.reset();
  in_shard_.clear();
  in_tar_.clear();
  if (!shard.empty() && beside_->contains(shard + "/"))
    in_shard_ = names_in(sdk::name_in(folder_, shard));
  if (!shard.empty() && beside_->contains(shard + ".tar")) {
    in_tar_ = pictures_of(sdk::name_in(folder_, shard + ".tar"));
  }
  shard_ = shard;
}

std::optional<sdk::OwnedMedium> PictureFinder::find(const std::string& shard,
                                                    const std::string& key, std::string_view url) {
  enter(shard);
  if (key.empty()) return url.empty() ? std::nullopt : among(*beside_, folder_, md5_hex(url));
  if (auto found = among(in_shard_, sdk::name_in(folder_, shard), key)) return found;
  if (const auto found = in_tar_.find(key); found != in_tar_.end()) return found->second;
  if (auto found = among(*beside_, folder_, key)) return found;
  if (url.empty()) return std::nullopt;
  return among(*beside_, folder_, md5_hex(url));
}

std::string PictureFinder::expected(const std::string& shard, const std::string& key,
                                    std::string_view url) const {
  if (key.empty() && url.empty()) return {};
  const std::string stem = key.empty() ? md5_hex(url) : key;
  return sdk::name_in(folder_, sdk::name_in(key.empty() ? "" : shard, stem) + ".jpg");
}

}  // namespace mortise::format_parquet
