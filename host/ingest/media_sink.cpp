// See media_sink.h.
#include "ingest/media_sink.h"

#include <set>

namespace mortise::ingest {
namespace {

using base::Status;

class FolderSink final : public MediaSink {
 public:
  FolderSink(base::FileOps& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  Status put(const std::string& name, base::ByteView bytes) override {
    const std::string path = base::join_path(folder_, name);
    const std::string parent = path.substr(0, path.rfind('/'));
    if (folders_.insert(parent).second) MORTISE_TRY(base::make_folders(files_, parent));
    MORTISE_ASSIGN(auto file, files_.open(path, base::OpenMode::kTruncate));
    MORTISE_TRY(file->write(std::as_bytes(bytes)));
    MORTISE_TRY(file->sync());
    return file->close();
  }
  Status drop(const std::string& name) override {
    return files_.remove(base::join_path(folder_, name));
  }
  Status finish() override {
    for (const std::string& folder : folders_) MORTISE_TRY(files_.sync_folder(folder));
    return {};
  }

 private:
  base::FileOps& files_;
  std::string folder_;
  std::set<std::string> folders_;  // made
};

class NoSink final : public MediaSink {
 public:
  Status put(const std::string&, base::ByteView) override { return {}; }
  Status drop(const std::string&) override { return {}; }
  Status finish() override { return {}; }
};

}  // namespace

std::unique_ptr<MediaSink> make_media_sink(base::FileOps& files, const std::string& output_folder) {
  if (output_folder.empty()) return std::make_unique<NoSink>();
  return std::make_unique<FolderSink>(files, base::join_path(output_folder, kMediaFolder));
}

}  // namespace mortise::ingest
