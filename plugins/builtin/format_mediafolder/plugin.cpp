// The face of the pack: mortise.dataset_format/1 for folders of media as people keep them: class
// folders, metadata.csv or metadata.jsonl, sidecar text, one JSON file a medium. A uri is a folder
// or one metadata file. Columns: row, utf8; byte_offset, int64; the common columns of media.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "folder.h"
#include "folder_rows.h"

namespace mortise::format_mediafolder {
namespace {

bool is_table(std::string_view name) {
  return name.ends_with(".csv") || name.ends_with(".jsonl");
}

FolderOptions read_options(sdk::Json config) {
  FolderOptions options;
  options.label = config.get("label", "auto");
  if (config["sidecars"].exists()) {
    options.sidecars.clear();
    config["sidecars"].for_each_item(
        [&](sdk::Json item) { options.sidecars.emplace_back(item.as_text()); });
  }
  return options;
}

struct Opened {
  std::vector<Folder> folders;
  sdk::RowFiles files;
  std::string identity;  // what the rows depend on
};

Opened open_all(std::vector<std::string> uris, sdk::Json config) {
  if (uris.empty()) throw sdk::invalid_argument("There is no folder to read.");
  Opened opened;
  sdk::append_json(&opened.identity, config);
  const FolderOptions options = read_options(config);
  for (const std::string& uri : uris) {
    if (is_table(uri)) {
      opened.folders.push_back({"", {uri}, {}});
    } else {
      opened.folders.push_back(list_folder(uri, options));
    }
    uint64_t size = 0;
    for (const std::string& name : opened.folders.back().metadata) {
      const uint64_t bytes = sdk::File::open(name).size_bytes();
      size += bytes;
      opened.identity += '\n' + name + ' ' + std::to_string(bytes);
    }
    for (const MediaFile& file : opened.folders.back().media) {
      opened.identity += '\n' + file.name + ' ' + file.text_file + ' ' + file.json_file;
    }
    opened.files.sizes_bytes.push_back(size);
  }
  opened.files.names = std::move(uris);
  return opened;
}

class MediaFolder : public sdk::MediaFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    if (!is_metadata(sample.name)) {
      return {0, "Folders of media are read by naming the folder or its metadata file."};
    }
    if (sample.head.find("file_name") == sample.head.npos) {
      return {0, "The metadata file names no column file_name."};
    }
    return {98, "The file is metadata of a folder of media and has file_name."};
  }

  MediaFolder(std::vector<std::string> uris, sdk::Json config)
      : MediaFolder(open_all(std::move(uris), config), config) {}

 protected:
  std::unique_ptr<sdk::MediaRowReader> open_shard(const sdk::ScanOptions& options,
                                                  const sdk::RowPosition* from) const override {
    return std::make_unique<FolderRows>(folders_[options.shard_index], limits_, from);
  }

 private:
  MediaFolder(Opened opened, sdk::Json config)
      : MediaFormat(std::move(opened.files), opened.identity, sdk::common_media_columns()),
        folders_(std::move(opened.folders)) {
    limits_.metadata_bytes_max =
        sdk::size_option(config, "metadata_bytes_max", uint64_t{256} << 20);
    limits_.row_bytes_max = sdk::size_option(config, "row_bytes_max", uint64_t{8} << 20);
  }

  std::vector<Folder> folders_;
  RowLimits limits_;
};

}  // namespace
}  // namespace mortise::format_mediafolder

MORTISE_PLUGIN("mortise.format_mediafolder",
               {MORTISE_KIND_DATASET_FORMAT,
                mortise::sdk::format_table<mortise::format_mediafolder::MediaFolder>()});
