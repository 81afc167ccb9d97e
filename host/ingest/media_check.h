// Opens each medium that a row names, once: it is in the upload, its type is known, it decodes
// within the limits. [serial]
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "ingest/finding.h"
#include "ingest/name_index.h"
#include "ingest/pictures.h"
#include "ingest/upload_files.h"

namespace mortise::ingest {

// What is known of a medium that is good.
struct MediumFacts {
  uint64_t size_bytes = 0;
  double seconds = 0;                      // 0 for pictures, and where the file does not tell
  int32_t width = 0, height = 0;           // 0 for sound, and where it was not decoded
  uint32_t number = NameIndex::kNone;      // its own
  uint32_t looks_like = NameIndex::kNone;  // the first medium with this picture; kNone: no picture
  bool is_good = false;
  bool is_used = false;  // by a row that was kept
};

class MediaCheck {
 public:
  explicit MediaCheck(const UploadFiles& files) : files_(files) {}

  // Media that are being looked at, on threads of their own.
  class Looking;
  // Begins to find out about these media; what is known already is left out.
  std::shared_ptr<Looking> begin(const std::vector<std::string>& names) const;
  // Takes part until all are looked at; check() then answers from memory.
  void finish(Looking& looking);
  // What is wrong with this medium, if anything. A second question for a name is answered from
  // memory.
  std::optional<Finding> check(const std::string& name, const std::string& field);
  // The files that a good medium is made of: itself, or the pictures of a folder that a row names
  // as a film.
  std::vector<std::string> files_of(const std::string& name) const;
  bool is_missing(const std::string& name) const { return missing_.contains(name); }
  // A medium that is in no file of the upload: what check() will say of its name is found out now.
  void take(const std::string& name, base::ByteView bytes);
  const MediumFacts& facts(const std::string& name) const;  // as made for one that is not good
  std::string_view name(uint32_t number) const { return names_.name(number); }
  // A row that names this good medium is kept.
  void use(const std::string& name);
  std::vector<std::string> used() const;  // files, sorted

 private:
  struct Looked;
  bool is_known(const std::string& name) const {
    return facts(name).is_good || bad_.contains(name);
  }
  MediumFacts& facts_to_set(const std::string& name);
  static Looked look_at(const std::string& name, base::ByteView bytes);
  Looked look(const std::string& name) const;  // [parallel]
  // Into facts_ or bad_, so that a million good media cost no finding each.
  void settle(const std::string& name, Looked looked);
  std::optional<Finding> misnamed(const std::string& name, const base::Error& why) const;
  std::optional<Finding> inspect_folder(const std::string& name);

  const UploadFiles& files_;
  std::set<std::string> missing_;   // asked for and not in the upload
  NameIndex names_;                 // of those that are or were good
  std::vector<MediumFacts> facts_;  // by number
  std::map<std::string, Finding> bad_;
  std::map<std::string, std::vector<std::string>> folders_;  // of pictures, named as films
  PictureIndex pictures_;
  mutable std::mutex large_;  // held by the one that holds a large medium
};

}  // namespace mortise::ingest
