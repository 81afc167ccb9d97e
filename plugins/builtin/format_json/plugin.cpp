// The face of the pack: mortise.dataset_format/1 for JSON documents that hold a list of records.
// Columns: row, utf8, the record as it stands; byte_offset, int64, where it begins in its file.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_outline.hpp>
#include <mortise/cpp/plugin.hpp>

#include "record_reader.h"

namespace mortise::format_json {
namespace {

Options read_options(sdk::Json config) {
  Options options;
  if (config["records"].exists()) options.records = std::string(config["records"].as_text());
  options.key = config.get("key", "key");
  options.limits.value_bytes = sdk::size_option(config, "row_bytes_max", uint64_t{64} << 20);
  return options;
}

bool holds_list(const sdk::JsonOutline& outline) {
  return std::any_of(outline.members.begin(), outline.members.end(), [](const auto& member) {
    return member.second.kind == '[' && member.second.item_kind == '{';
  });
}

class JsonDocuments : public sdk::RowFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    const bool is_named = sample.name.ends_with(".json");
    const sdk::JsonOutline outline = sdk::outline_of(sample.head);
    const bool is_seen_whole = sample.head.size() >= sample.size_bytes;
    const sdk::JsonShape& root = outline.root;
    if (root.kind == '[' && root.item_kind == '{') {
      return {is_named ? 90u : 80u, "The document is an array of objects."};
    }
    if (root.kind == '[' && root.item_kind == '\0') {
      return {is_named ? 50u : 0u, "The document is an array, and no item of it is to be seen."};
    }
    // An object that ends while the file goes on is the first of several: JSON lines.
    const bool is_one = is_seen_whole ? outline.is_whole : root.kind == '{';
    if (root.kind != '{' || !is_one || outline.members.empty()) {
      return {0, "The file is no JSON document with a list of objects."};
    }
    if (holds_list(outline)) return {is_named ? 70u : 50u, "The object holds a list of objects."};
    if (root.item_kind == '{') return {is_named ? 55u : 30u, "The object holds objects by name."};
    return {is_named ? 20u : 0u, "The object may hold a list of objects further on."};
  }

  JsonDocuments(std::vector<std::string> uris, sdk::Json config)
      : RowFormat(sdk::RowFiles::open(std::move(uris)), config), options_(read_options(config)) {
    for (const std::string& name : files().names) places_.push_back(find_records(name, options_));
  }

 protected:
  std::unique_ptr<sdk::RowReader> open_shard(uint32_t shard,
                                             const sdk::RowPosition* from) const override {
    return std::make_unique<RecordReader>(files().names[shard], places_[shard], options_, from);
  }

 private:
  Options options_;
  std::vector<Place> places_;  // a file
};

}  // namespace
}  // namespace mortise::format_json

using mortise::format_json::JsonDocuments;

MORTISE_PLUGIN("mortise.format_json",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<JsonDocuments>()});
