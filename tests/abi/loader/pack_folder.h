// A pack in a temporary folder around one of this folder's libraries, for the loader's tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/crypto.h"
#include "base/json.h"
#include "pack/find.h"

namespace mortise::plugin::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mortise-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// pack.json of "com.example.count" 1.0.0 with lib/metric.so, a copy of `library`.
class PackFolder {
 public:
  explicit PackFolder(const std::string& library) {
    std::filesystem::create_directories(root() + "/lib");
    std::filesystem::copy_file(std::string(MORTISE_TEST_PLUGINS) + "/" + library + ".so",
                               library_path());
    write_manifest();
  }

  std::string root() const { return folder_.path() + "/count"; }
  std::string library_path() const { return root() + "/lib/metric.so"; }

  void write_manifest() {
    const auto hash = base::to_hex(base::sha256_file(library_path()).value());
    std::ofstream(root() + "/pack.json") << R"({"manifest_version":1,"id":"com.example.count",)"
                                            R"("version":"1.0.0","abi":{"generation":1,)"
                                            R"("needs_minor":0},"plugins":[{)"
                                            R"("id":"com.example.count","kind":"metric",)"
                                            R"("interfaces":["mortise.metric/1"],)"
                                            R"("config_schema":{"type":"object","properties":)"
                                            R"({"n":{"type":"integer"}},)"
                                            R"("additionalProperties":false}}],"libraries":[{)"
                                            R"("platform":"linux_amd64_glibc",)"
                                            R"("path":"lib/metric.so","sha256":")"
                                         << hash << "\"}]}";
  }

  pack::Decision decide() const {
    return pack::decide_folder(base::posix_file_ops(), root(), "", {}).value();
  }
  pack::Search search() const {
    pack::Search search;
    search.places.push_back({pack::Tier::kSystem, folder_.path()});
    return search;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace mortise::plugin::test
