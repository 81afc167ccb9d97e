// The face of the pack: mortise.dataset_format/1 for DICOM files and folders of them. A shard is a
// uri. Columns: row, utf8, the tags of dicom_rows.h; byte_offset, int64; image, or images for a
// file of several frames, as PNG.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include <algorithm>

#include "dicom_rows.h"

namespace mortise::format_dicom {
namespace {

constexpr size_t kFilesMax = 1'000'000;
constexpr int kDepthMax = 32;

bool is_named(std::string_view name) {
  const std::string_view ending = sdk::ending_of(name);
  return ending == "dcm" || ending == "dicom" || ending == "DCM";
}

// Files by their ending, and those without one that begin as DICOM does.
void list_tree(const std::string& folder, int depth, std::vector<std::string>* out) {
  if (depth > kDepthMax) throw sdk::resource_exhausted("Folders lie too deep.").at(folder);
  for (const std::string& entry : sdk::list_files(folder)) {
    const std::string name = sdk::name_in(folder, entry);
    if (name.ends_with('/')) {
      list_tree(name.substr(0, name.size() - 1), depth + 1, out);
    } else if (is_named(name)) {
      out->push_back(name);
    } else if (sdk::ending_of(name).empty()) {
      std::string head(132, '\0');
      head.resize(sdk::File::open(name).read_at(0, head.data(), head.size()));
      if (is_dicom(head)) out->push_back(name);
    }
    if (out->size() > kFilesMax) {
      throw sdk::resource_exhausted("The folder has too many files.").at(folder);
    }
  }
}

DicomOptions read_options(sdk::Json config) {
  DicomOptions options;
  options.file_bytes_max = sdk::size_option(config, "file_bytes_max", uint64_t{1} << 30);
  options.picture.frames_max = config.get("frames_max", 1);
  options.keywords = technical_profile();
  const sdk::Json tags = config["tags"], window = config["window"];
  if (tags.exists()) {
    options.keywords.clear();
    tags.for_each_item([&](sdk::Json item) {
      const Keyword* keyword = find_keyword(item.as_text());
      if (item.as_text() == "FileName") {
        options.has_file_name = true;
      } else if (keyword != nullptr) {
        options.keywords.push_back(keyword);
      } else {
        throw sdk::invalid_argument("The tag \"" + std::string(item.as_text()) + "\" is not known.")
            .at("", -1, -1, item.pointer());
      }
    });
  }
  if (window.is_text()) options.picture.is_full_range = window.as_text() == "full";
  if (window.is_object()) {
    options.picture.window = {window["center"].as_double(), window["width"].as_double()};
  }
  return options;
}

struct Opened {
  std::vector<std::vector<std::string>> lists;
  sdk::RowFiles files;
  std::string identity;
};

Opened open_all(std::vector<std::string> uris, sdk::Json config) {
  if (uris.empty()) throw sdk::invalid_argument("There is no file to read.");
  Opened opened;
  sdk::append_json(&opened.identity, config);
  for (const std::string& uri : uris) {
    std::vector<std::string> names;
    uint64_t size = 0;
    try {
      size = sdk::File::open(uri).size_bytes();
      names = {uri};
    } catch (const sdk::Failure& failure) {
      // A folder is no file; what cannot be listed either is not there.
      try {
        list_tree(uri, 0, &names);
      } catch (const sdk::Failure& other) {
        if (other.code == MORTISE_STATUS_RESOURCE_EXHAUSTED) throw;
      }
      if (names.empty()) throw failure;
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) opened.identity += '\n' + name;
    opened.lists.push_back(std::move(names));
    opened.files.sizes_bytes.push_back(size);
  }
  opened.files.names = std::move(uris);
  return opened;
}

class Dicom : public sdk::MediaFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    if (!is_dicom(sample.head)) return {0, "The file has no mark of DICOM at byte 128."};
    return {98, "The file has the mark of DICOM at byte 128."};
  }

  Dicom(std::vector<std::string> uris, sdk::Json config)
      : Dicom(open_all(std::move(uris), config), config) {}

  sdk::FormatFacts describe() const override {
    sdk::FormatFacts facts = MediaFormat::describe();
    facts.row_count_hint = 0;
    for (const auto& list : lists_) facts.row_count_hint += static_cast<int64_t>(list.size());
    return facts;
  }

 protected:
  std::unique_ptr<sdk::MediaRowReader> open_shard(const sdk::ScanOptions& options,
                                                  const sdk::RowPosition* from) const override {
    return std::make_unique<DicomRows>(lists_[options.shard_index], options_, from);
  }

 private:
  Dicom(Opened opened, sdk::Json config)
      : MediaFormat(std::move(opened.files), opened.identity,
                    {{"image", MORTISE_MEDIA_IMAGE, false}, {"images", MORTISE_MEDIA_IMAGE, true}}),
        lists_(std::move(opened.lists)),
        options_(read_options(config)) {}

  std::vector<std::vector<std::string>> lists_;
  DicomOptions options_;
};

}  // namespace
}  // namespace mortise::format_dicom

MORTISE_PLUGIN("mortise.format_dicom",
               {MORTISE_KIND_DATASET_FORMAT,
                mortise::sdk::format_table<mortise::format_dicom::Dicom>()});
