// Opens each medium that a row names, once: it is in the upload, its type is known, it decodes
// within the limits. [serial]
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "ingest/finding.h"
#include "ingest/pictures.h"
#include "ingest/upload_files.h"

namespace mortise::ingest {

// What is known of a medium that is good.
struct MediumFacts {
  uint64_t size_bytes = 0;
  int64_t width = 0, height = 0;  // 0 for sound, and where it was not decoded
  double seconds = 0;             // 0 for pictures, and where the file does not tell
  std::string looks_like;         // the first medium with this picture; "" for none
};

class MediaCheck {
 public:
  explicit MediaCheck(const UploadFiles& files) : files_(files) {}

  // What is wrong with this medium, if anything. A second question for a name is answered from
  // memory.
  std::optional<Finding> check(const std::string& name, const std::string& field);
  // The files that a good medium is made of: itself, or the pictures of a folder that a row names as
  // a film.
  std::vector<std::string> files_of(const std::string& name) const;
  bool is_missing(const std::string& name) const { return missing_.contains(name); }
  // A medium that is in no file of the upload: what check() will say of its name is found out now.
  void take(const std::string& name, base::ByteView bytes);
  const MediumFacts& facts(const std::string& name) const;  // all 0 for one that was never good

 private:
  std::optional<Finding> inspect(const std::string& name);
  std::optional<Finding> misnamed(const std::string& name, const base::Error& why) const;
  std::optional<Finding> judge(const std::string& name, base::ByteView bytes);
  std::optional<Finding> inspect_folder(const std::string& name);

  const UploadFiles& files_;
  std::set<std::string> missing_;  // asked for and not in the upload
  std::map<std::string, std::optional<Finding>> known_;
  std::map<std::string, MediumFacts> facts_;
  std::map<std::string, std::vector<std::string>> folders_;  // of pictures, named as films
  PictureIndex pictures_;
};

}  // namespace mortise::ingest
