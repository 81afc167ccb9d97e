// Where the picture of a LAION row lies, by the names that img2dataset gives: in a folder or a tar
// a shard, named by key, or beside the table, named by key or by the MD5 of the URL.
//
// Called by laion_rows.cpp. Looks only at what is given; nothing is fetched. Names of one shard and
// of the folder itself are in memory at a time.
#pragma once

#include <mortise/cpp/media_rows.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace mortise::format_parquet {

class PictureFinder {  // [serial]
 public:
  explicit PictureFinder(std::string folder) : folder_(std::move(folder)) {}

  // The picture with this key in this shard ("00000"), as a range of a file. Each may be empty.
  // Throws what a broken tar or the host's files report, RESOURCE_EXHAUSTED above a million names.
  std::optional<sdk::OwnedMedium> find(const std::string& shard, const std::string& key,
                                       std::string_view url);
  // Where it would be: "00000/000000012.jpg" in the folder; "" when nothing is known of it.
  std::string expected(const std::string& shard, const std::string& key,
                       std::string_view url) const;

 private:
  void enter(const std::string& shard);

  std::string folder_;
  std::optional<std::set<std::string>> beside_;     // names in the folder
  std::optional<std::string> shard_;                // what the two below are of
  std::set<std::string> in_shard_;                  // names in its folder
  std::map<std::string, sdk::OwnedMedium> in_tar_;  // by key
};

}  // namespace mortise::format_parquet
