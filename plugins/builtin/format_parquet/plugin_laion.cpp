// The face of the pack's second plugin: mortise.dataset_format/1 for tables of URLs and texts with
// the pictures beside them. A shard is a row group. Columns: row, utf8; byte_offset, always -1;
// image, a range of a file of the data set, null for a row that names a picture which is not there.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include <algorithm>

#include "laion_rows.h"

namespace mortise::format_parquet {
namespace {

struct Shard {
  size_t file;
  int row_group;  // -1: no rows
};

struct Opened {
  sdk::RowFiles files;
  std::vector<ParquetFile> tables;
  std::vector<int64_t> first_shards;  // of the pictures, a table
  LaionOptions options;
  int64_t memory_bytes_max;
  std::string identity;
};

Opened open_all(std::vector<std::string> uris, sdk::Json config) {
  Opened opened;
  const sdk::Json folder = config["media_folder"];
  opened.options.has_media_folder = folder.is_text();
  if (folder.is_text()) opened.options.media_folder = folder.as_text();
  opened.options.rows_per_shard =
      static_cast<int64_t>(sdk::size_option(config, "rows_per_shard", 10'000));
  opened.options.first_shard = config.get("first_shard", -1);
  opened.options.skips_missing = config.get("missing", "name") == "skip";
  opened.memory_bytes_max =
      static_cast<int64_t>(sdk::size_option(config, "memory_bytes_max", uint64_t{2} << 30));
  sdk::append_json(&opened.identity, config);
  opened.files = sdk::RowFiles::open(std::move(uris));
  ParquetOptions options;
  options.memory_bytes_max = opened.memory_bytes_max;
  int64_t shards = opened.options.first_shard;
  for (const std::string& name : opened.files.names) {
    ParquetFile& table = opened.tables.emplace_back(name, options);
    name_columns(&table);
    const int64_t named = shard_in_name(name);
    opened.first_shards.push_back(named >= 0 ? named : shards);
    if (shards >= 0) shards += shards_of(table, opened.options.rows_per_shard);
  }
  return opened;
}

// Does the footer, where the head has it, name such a column? A name there is its length and bytes.
bool names_column(std::string_view head, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return head.find(static_cast<char>(name.size()) + std::string(name)) != head.npos;
  });
}

class Laion : public sdk::MediaFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    if (!sample.head.starts_with("PAR1")) {
      return {0, "The file does not begin with the mark of Parquet."};
    }
    if (sample.size_bytes > sample.head.size()) {
      return {40, "The file is Parquet; its columns are named at its end."};
    }
    if (names_column(sample.head, {"URL", "url", "image_url"}) &&
        names_column(sample.head, {"TEXT", "text", "caption", "top_caption"})) {
      return {97, "The file is Parquet with columns of URLs and texts."};
    }
    return {5, "The file is Parquet, but names no columns of URLs and texts."};
  }

  Laion(std::vector<std::string> uris, sdk::Json config)
      : Laion(open_all(std::move(uris), config)) {}

  sdk::FormatFacts describe() const override {
    sdk::FormatFacts facts;
    facts.shards_count = static_cast<uint32_t>(shards_.size());
    if (options_.skips_missing) return facts;
    facts.row_count_hint = 0;
    for (const auto& [file, group] : shards_) {
      facts.row_count_hint += group < 0 ? 0 : tables_[file].rows(group);
    }
    return facts;
  }

 protected:
  std::unique_ptr<sdk::MediaRowReader> open_shard(const sdk::ScanOptions& options,
                                                  const sdk::RowPosition* from) const override {
    const auto& [file, group] = shards_[options.shard_index];
    if (group < 0) return std::make_unique<sdk::NoRows>();
    return std::make_unique<LaionReader>(tables_[file], group, first_shards_[file], no_media_,
                                         options_, memory_bytes_max_, from);
  }

 private:
  explicit Laion(Opened opened)
      : MediaFormat(std::move(opened.files), opened.identity, {{"image", MORTISE_MEDIA_IMAGE}}),
        tables_(std::move(opened.tables)),
        first_shards_(std::move(opened.first_shards)),
        options_(std::move(opened.options)),
        memory_bytes_max_(opened.memory_bytes_max) {
    for (size_t file = 0; file < tables_.size(); ++file) {
      for (int group = 0; group < tables_[file].row_groups(); ++group) {
        shards_.push_back({file, group});
      }
    }
    if (shards_.empty()) shards_.push_back({0, -1});
  }

  std::vector<ParquetFile> tables_;
  std::vector<int64_t> first_shards_;
  LaionOptions options_;
  int64_t memory_bytes_max_;
  std::vector<sdk::MediaColumn> no_media_;  // of the tables themselves
  std::vector<Shard> shards_;
};

}  // namespace
}  // namespace mortise::format_parquet

using mortise::format_parquet::Laion;

MORTISE_PLUGIN("mortise.format_laion",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<Laion>()});
