// A fresh folder for one test, removed at its end.
#pragma once

#include <cstdlib>
#include <string>

#include "base/file_ops.h"

namespace mortise::engine {

class TempFolder {
 public:
  TempFolder() {
    const char* base = std::getenv("TMPDIR");
    std::string name = std::string(base == nullptr ? "/tmp" : base) + "/mortise-test-XXXXXX";
    path_ = ::mkdtemp(name.data()) == nullptr ? std::string() : name;
  }
  ~TempFolder() {
    if (!path_.empty()) (void)base::remove_tree(base::posix_file_ops(), path_).ok();
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace mortise::engine
