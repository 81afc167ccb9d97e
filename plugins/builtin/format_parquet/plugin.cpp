// The face of the pack: mortise.dataset_format/1 and its writer for Parquet. A shard is a row
// group. Columns: row, utf8, the columns of the file as one object; byte_offset, always -1, for
// a row has no place in such a file; one column of media for each in the file.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "row_group.h"
#include "writer.h"

namespace mortise::format_parquet {
namespace {

ParquetOptions read_options(sdk::Json config) {
  ParquetOptions options;
  options.memory_bytes_max =
      static_cast<int64_t>(sdk::size_option(config, "memory_bytes_max", uint64_t{2} << 30));
  if (config["columns"].exists()) {
    config["columns"].for_each_item(
        [&](sdk::Json item) { options.columns.emplace(item.as_text()); });
  }
  if (config["media"].exists()) {
    config["media"].for_each_member([&](std::string_view name, sdk::Json kind) {
      options.media.emplace(name, kind.as_text());
    });
  }
  return options;
}

struct Opened {
  sdk::RowFiles files;
  std::vector<ParquetFile> parquet;
  std::vector<sdk::MediaColumn> columns;
  ParquetOptions options;
  std::string identity;
};

Opened open_all(std::vector<std::string> uris, sdk::Json config) {
  Opened opened;
  opened.options = read_options(config);
  sdk::append_json(&opened.identity, config);
  opened.files = sdk::RowFiles::open(std::move(uris));
  for (const std::string& name : opened.files.names) {
    opened.parquet.emplace_back(name, opened.options);
    for (const Column& column : opened.parquet.back().columns()) {
      if (column.media.empty()) continue;
      if (column.name == "row" || column.name == "byte_offset") {
        throw sdk::invalid_argument("A column of media cannot be called \"" + column.name + "\".")
            .at(name, -1, -1, column.name);
      }
      const int64_t known = sdk::find_media_column(opened.columns, column.name);
      if (known < 0) {
        opened.columns.push_back({column.name, column.media, column.is_list});
      } else if (opened.columns[static_cast<size_t>(known)].is_list != column.is_list) {
        throw sdk::invalid_argument("The column \"" + column.name +
                                    "\" is a list in one file and not in another.")
            .at(name, -1, -1, column.name);
      }
    }
  }
  return opened;
}

class Parquet : public sdk::MediaFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    if (sample.head.starts_with("PAR1")) return {95, "The file begins with the mark of Parquet."};
    if (sample.head.starts_with("PARE")) return {10, "The file is Parquet with encryption."};
    return {0, "The file does not begin with the mark of Parquet."};
  }

  Parquet(std::vector<std::string> uris, sdk::Json config)
      : Parquet(open_all(std::move(uris), config)) {}

  sdk::FormatFacts describe() const override {
    sdk::FormatFacts facts;
    facts.row_count_hint = 0;
    for (const auto& [file, group] : shards_) {
      facts.row_count_hint += group < 0 ? 0 : parquet_[file].rows(group);
    }
    facts.shards_count = static_cast<uint32_t>(shards_.size());
    return facts;
  }

 protected:
  std::unique_ptr<sdk::MediaRowReader> open_shard(const sdk::ScanOptions& options,
                                                  const sdk::RowPosition* from) const override {
    const auto& [file, group] = shards_[options.shard_index];
    if (group < 0) return std::make_unique<sdk::NoRows>();
    return std::make_unique<RowGroupReader>(parquet_[file], group, columns(), options.columns,
                                            memory_bytes_max_, from);
  }

 private:
  explicit Parquet(Opened opened)
      : MediaFormat(std::move(opened.files), opened.identity, std::move(opened.columns)),
        parquet_(std::move(opened.parquet)),
        memory_bytes_max_(opened.options.memory_bytes_max) {
    for (size_t file = 0; file < parquet_.size(); ++file) {
      for (int group = 0; group < parquet_[file].row_groups(); ++group) {
        shards_.emplace_back(file, group);
      }
    }
    if (shards_.empty()) shards_.emplace_back(0, -1);  // files without rows
  }

  std::vector<ParquetFile> parquet_;
  int64_t memory_bytes_max_;
  std::vector<std::pair<size_t, int>> shards_;  // file, row group
};

}  // namespace
}  // namespace mortise::format_parquet

using mortise::format_parquet::Parquet;
using mortise::format_parquet::ParquetWriter;

MORTISE_PLUGIN("mortise.format_parquet",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<Parquet>()},
               {MORTISE_KIND_DATASET_FORMAT_WRITER,
                mortise::sdk::format_writer_table<ParquetWriter>()});
