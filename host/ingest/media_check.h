// Opens each medium that a row names, once: it is in the upload, its type is known, it decodes
// within the limits. [serial]
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/crypto.h"
#include "ingest/finding.h"
#include "ingest/upload_files.h"

namespace mortise::ingest {

class MediaCheck {
 public:
  explicit MediaCheck(const UploadFiles& files) : files_(files) {}

  // What is wrong with this medium, if anything. A second question for a name is answered from
  // memory.
  std::optional<Finding> check(const std::string& name, const std::string& field);
  bool is_missing(const std::string& name) const { return missing_.contains(name); }
  // A medium that is in no file of the upload: what check() will say of its name is found out now.
  void take(const std::string& name, base::ByteView bytes);
  uint64_t size_bytes(const std::string& name) const;  // 0 for a name that was never good

 private:
  std::optional<Finding> inspect(const std::string& name);
  std::optional<Finding> judge(const std::string& name, base::ByteView bytes);

  const UploadFiles& files_;
  std::set<std::string> missing_;  // asked for and not in the upload
  std::map<std::string, std::optional<Finding>> known_;
  std::map<std::string, uint64_t> sizes_;
};

}  // namespace mortise::ingest
