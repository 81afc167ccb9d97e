// The face of the pack: mortise.dataset_format/1 for Label Studio's JSON export.
// Columns: row, utf8; byte_offset, int64, where the task begins in its file.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_outline.hpp>
#include <mortise/cpp/plugin.hpp>

#include "task_reader.h"

namespace mortise::format_labelstudio {
namespace {

class LabelStudio : public sdk::RowFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    const sdk::JsonShape root = sdk::outline_of(sample.head).root;
    const bool is_export = root.kind == '[' &&
                           (root.has({"data", "annotations"}) || root.has({"data", "completions"}));
    if (is_export) return {96, "The document is an array of Label Studio tasks."};
    return {0, "The file is no array of Label Studio tasks."};
  }

  LabelStudio(std::vector<std::string> uris, sdk::Json config)
      : RowFormat(sdk::RowFiles::open(std::move(uris)), config) {
    options_.is_norm = std::string_view(config.get("boxes", "pixel")) == "norm";
    options_.media_folder = config.get("media_folder", "");
    limits_.value_bytes = sdk::size_option(config, "row_bytes_max", uint64_t{64} << 20);
  }

 protected:
  std::unique_ptr<sdk::RowReader> open_shard(uint32_t shard,
                                             const sdk::RowPosition* from) const override {
    return std::make_unique<TaskReader>(files().names[shard], options_, limits_, from);
  }

 private:
  Options options_;
  sdk::JsonWalkLimits limits_;
};

}  // namespace
}  // namespace mortise::format_labelstudio

using mortise::format_labelstudio::LabelStudio;

MORTISE_PLUGIN("mortise.format_labelstudio",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<LabelStudio>()});
