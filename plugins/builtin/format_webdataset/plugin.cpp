// The face of the pack: mortise.dataset_format/1 and its writer for WebDataset, plain tar shards.
// Columns: row, utf8; byte_offset, int64, of the sample's first header; the common columns of
// media.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/format_writer.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "sample_reader.h"
#include "writer.h"

namespace mortise::format_webdataset {
namespace {

constexpr uint64_t kShardsMax = 1 << 20;

// "name-{000000..000012}.tar" stands for thirteen names.
std::vector<std::string> expand(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    const size_t open = name.find('{'), dots = name.find("..", open), close = name.find('}', dots);
    if (open == name.npos || dots == name.npos || close == name.npos) {
      all.push_back(name);
      continue;
    }
    const std::string_view from = std::string_view(name).substr(open + 1, dots - open - 1);
    const std::string_view to = std::string_view(name).substr(dots + 2, close - dots - 2);
    uint64_t first = 0, last = 0;
    const auto a = std::from_chars(from.data(), from.data() + from.size(), first);
    const auto b = std::from_chars(to.data(), to.data() + to.size(), last);
    if (a.ptr != from.data() + from.size() || b.ptr != to.data() + to.size() || from.empty() ||
        to.empty() || last < first || last - first >= kShardsMax) {
      throw sdk::invalid_argument("The braces in \"" + name + "\" hold no range of numbers.")
          .at(name)
          .with_hint("Write them as {000000..000012}.");
    }
    for (uint64_t i = first; i <= last; ++i) {
      std::string digits = std::to_string(i);
      if (digits.size() < from.size()) digits.insert(0, from.size() - digits.size(), '0');
      all.push_back(name.substr(0, open) + digits + name.substr(close + 1));
    }
  }
  return all;
}

std::set<std::string, std::less<>> read_set(sdk::Json list) {
  std::set<std::string, std::less<>> set;
  for (const sdk::Json& item : list.exists() ? list.items() : std::vector<sdk::Json>()) {
    set.emplace(item.as_text());
  }
  return set;
}

std::string text_of(sdk::Json config) {
  std::string text;
  sdk::append_json(&text, config);
  return text;
}

class WebDataset : public sdk::MediaFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    const bool is_named = sample.name.ends_with(".tar");
    if (sample.head.starts_with("\x1F\x8B")) {
      return {0, "The file is compressed; WebDataset shards are read as plain tar."};
    }
    if (!is_header(sample.head)) return {0, "The file does not begin with a tar header."};
    return {is_named ? 95u : 60u, "The file begins with a tar header."};
  }

  WebDataset(std::vector<std::string> uris, sdk::Json config)
      : MediaFormat(sdk::RowFiles::open(expand(uris)), text_of(config),
                    sdk::common_media_columns()) {
    options_.ignore = read_set(config["ignore"]);
    options_.text = read_set(config["text"]);
    options_.row_bytes_max = sdk::size_option(config, "row_bytes_max", uint64_t{8} << 20);
    for (const std::string& name : files().names) {
      std::string head(kBlock, '\0');
      head.resize(sdk::File::open(name).read_at(0, head.data(), head.size()));
      if (is_header(head) || (head.size() == kBlock && head.find_first_not_of('\0') == head.npos)) {
        continue;
      }
      throw sdk::invalid_argument("The file does not begin with a tar header.")
          .at(name, -1, 0)
          .with_hint("Shards are plain tar; unpack a .tar.gz or .tar.zst first.");
    }
  }

 protected:
  std::unique_ptr<sdk::MediaRowReader> open_shard(const sdk::ScanOptions& options,
                                                  const sdk::RowPosition* from) const override {
    return std::make_unique<SampleReader>(files().names[options.shard_index], options_, from);
  }

 private:
  SampleOptions options_;
};

}  // namespace
}  // namespace mortise::format_webdataset

using mortise::format_webdataset::ShardWriter;
using mortise::format_webdataset::WebDataset;

MORTISE_PLUGIN("mortise.format_webdataset",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<WebDataset>()},
               {MORTISE_KIND_DATASET_FORMAT_WRITER,
                mortise::sdk::format_writer_table<ShardWriter>()});
