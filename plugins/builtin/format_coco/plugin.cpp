// The face of the pack: mortise.dataset_format/1 for COCO files: captions, boxes, keypoints.
// Columns: row, utf8; byte_offset, int64: of the caption's annotation or of the image's record.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_outline.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "rows.h"

namespace mortise::format_coco {
namespace {

Layout layout_of(std::string_view name) {
  if (name.empty()) return Layout::kUnknown;
  return name == "captions" ? Layout::kCaptions : Layout::kDetection;
}

class Coco : public sdk::RowFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    const sdk::JsonOutline outline = sdk::outline_of(sample.head);
    const sdk::JsonShape* images = outline.find("images");
    const sdk::JsonShape* notes = outline.find("annotations");
    const bool has_images =
        images != nullptr && (images->has({"id", "file_name"}) || images->has({"id", "coco_url"}));
    const bool has_notes = notes != nullptr && (notes->has({"image_id", "caption"}) ||
                                                notes->has({"image_id", "bbox"}) ||
                                                notes->has({"image_id", "category_id"}));
    if (has_images && has_notes) return {98, "The object holds COCO images and annotations."};
    if (has_notes) return {95, "The object holds COCO annotations."};
    if (has_images) return {90, "The object holds COCO images."};
    return {0, "The file holds neither COCO images nor COCO annotations at its top."};
  }

  Coco(std::vector<std::string> uris, sdk::Json config)
      : RowFormat(sdk::RowFiles::open(std::move(uris)), config),
        image_folder_(config.get("image_folder", "")) {
    for (const std::string& name : files().names) {
      indexes_.push_back(read_index(name, layout_of(config.get("layout", ""))));
    }
  }

 protected:
  std::unique_ptr<sdk::RowReader> open_shard(uint32_t shard,
                                             const sdk::RowPosition* from) const override {
    return std::make_unique<Rows>(files().names[shard], indexes_[shard], image_folder_, from);
  }

 private:
  std::string image_folder_;
  std::vector<Index> indexes_;  // a file
};

}  // namespace
}  // namespace mortise::format_coco

using mortise::format_coco::Coco;

MORTISE_PLUGIN("mortise.format_coco",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<Coco>()});
