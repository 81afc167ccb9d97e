// Opens each medium that a row names, once: it is in the upload, its type is known, it decodes
// within the limits. [serial]
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
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
  bool is_used = false;           // by a row that was kept
};

class MediaCheck {
 public:
  explicit MediaCheck(const UploadFiles& files) : files_(files) {}

  // Finds out about these media now, several at a time, so that check() answers from memory.
  void look_ahead(const std::vector<std::string>& names);
  // What is wrong with this medium, if anything. A second question for a name is answered from
  // memory.
  std::optional<Finding> check(const std::string& name, const std::string& field);
  // The files that a good medium is made of: itself, or the pictures of a folder that a row names
  // as a film.
  std::vector<std::string> files_of(const std::string& name) const;
  bool is_missing(const std::string& name) const { return missing_.contains(name); }
  // A medium that is in no file of the upload: what check() will say of its name is found out now.
  void take(const std::string& name, base::ByteView bytes);
  const MediumFacts& facts(const std::string& name) const;  // all 0 for one that was never good
  // A row that names this good medium is kept.
  void use(const std::string& name);
  std::vector<std::string> used() const;  // files, sorted

 private:
  struct Looked;
  bool is_known(const std::string& name) const {
    return facts_.contains(name) || bad_.contains(name);
  }
  static Looked look_at(const std::string& name, base::ByteView bytes);
  Looked look(const std::string& name) const;  // [parallel]
  // Into facts_ or bad_, so that a million good media cost no finding each.
  void settle(const std::string& name, Looked looked);
  std::optional<Finding> misnamed(const std::string& name, const base::Error& why) const;
  std::optional<Finding> inspect_folder(const std::string& name);

  const UploadFiles& files_;
  std::set<std::string> missing_;                       // asked for and not in the upload
  std::unordered_map<std::string, MediumFacts> facts_;  // of the good ones
  std::map<std::string, Finding> bad_;
  std::map<std::string, std::vector<std::string>> folders_;  // of pictures, named as films
  PictureIndex pictures_;
  mutable std::mutex large_;  // held by the one that holds a large medium
};

}  // namespace mortise::ingest
