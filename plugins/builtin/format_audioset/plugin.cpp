// The face of the pack: mortise.dataset_format/1 for AudioSet: weak CSV and strong TSV.
// Columns: row, utf8; byte_offset, int64, where the segment's line begins.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/plugin.hpp>

#include "segment_reader.h"

namespace mortise::format_audioset {
namespace {

class AudioSet : public sdk::RowFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    switch (layout_of(sample.head)) {
      case Layout::kWeak:
        return {96, "The lines are AudioSet segments with labels."};
      case Layout::kStrong:
        return {96, "The header is that of AudioSet's strong labels."};
      default:
        break;
    }
    if (sample.head.starts_with("index,mid,display_name")) {
      return {1, "The file names AudioSet's labels: it is read beside the segments."};
    }
    return {0, "The lines are no AudioSet segments."};
  }

  AudioSet(std::vector<std::string> uris, sdk::Json config)
      : RowFormat(sdk::RowFiles::open(std::move(uris)), config) {
    const std::string labels(config.get("labels", ""));
    const std::string audio(config.get("audio_folder", ""));
    for (const std::string& name : files().names) {
      sdk::ByteReader bytes(name);
      const Layout layout = layout_of(bytes.window());
      if (layout == Layout::kNone) {
        throw sdk::invalid_argument("The file does not begin with AudioSet segments.")
            .at(name, -1, 0);
      }
      layouts_.push_back(layout);
      folders_.push_back(read_folder(name, labels, audio));
    }
  }

 protected:
  std::unique_ptr<sdk::RowReader> open_shard(uint32_t shard,
                                             const sdk::RowPosition* from) const override {
    return std::make_unique<SegmentReader>(files().names[shard], layouts_[shard], folders_[shard],
                                           from);
  }

 private:
  std::vector<Layout> layouts_;  // a file
  std::vector<Folder> folders_;
};

}  // namespace
}  // namespace mortise::format_audioset

using mortise::format_audioset::AudioSet;

MORTISE_PLUGIN("mortise.format_audioset",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<AudioSet>()});
