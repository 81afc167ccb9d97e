// Manifests and pack folders for the tests of host/pack.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "pack/manifest.h"

namespace mortise::pack::test {

inline base::FileOps& files() {
  return base::posix_file_ops();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mortise-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, ignored)) {
      if (entry.is_directory(ignored)) {
        std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all, ignored);
      }
    }
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline const std::string kHash(64, 'a');

// A manifest with every required key; tests change one thing of it.
inline base::Json manifest_json(const std::string& id = "com.example.f1",
                                const std::string& version = "1.0.0") {
  using base::Json;
  Json plugin = Json::object({{"id", id}, {"kind", "metric"}});
  plugin["interfaces"] = Json::array({"mortise.metric/1"});
  Json library =
      Json::object({{"platform", "linux_amd64_glibc"}, {"path", "lib/f1.so"}, {"sha256", kHash}});
  return Json::object({{"manifest_version", 1},
                       {"id", id},
                       {"version", version},
                       {"abi", Json::object({{"generation", 1}, {"needs_minor", 0}})},
                       {"plugins", Json::array({plugin})},
                       {"libraries", Json::array({library})}});
}

inline void write(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string hash_of(const std::string& content) {
  return base::to_hex(base::sha256(base::as_bytes(content)));
}

// A pack folder whose hashes are right: lib/f1.so and data/words.txt.
inline void write_pack(const std::string& root, const std::string& id = "com.example.f1",
                       const std::string& version = "1.0.0") {
  write(root + "/lib/f1.so", "library of " + id + " " + version);
  write(root + "/data/words.txt", "one\ntwo\n");
  base::Json json = manifest_json(id, version);
  json["libraries"].items()[0]["sha256"] = hash_of("library of " + id + " " + version);
  json["files"] = base::Json::object({{"data/words.txt", hash_of("one\ntwo\n")}});
  write(root + "/pack.json", json.dump(2));
}

}  // namespace mortise::pack::test
