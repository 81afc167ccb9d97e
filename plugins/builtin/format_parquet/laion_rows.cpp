// Keys as img2dataset makes them: five digits of the shard, then the row in the shard, with as many
// digits as rows_per_shard needs: row 12 of shard 3 of 10000 is 000030012.
// A row's number alone never chooses a picture: without a key, the name of the table or the
// configuration must say which shard it is, or only the URL counts.
#include "laion_rows.h"

#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/json_write.hpp>

#include <algorithm>
#include <charconv>

namespace mortise::format_parquet {
namespace {

constexpr size_t kShardDigits = 5;

// What a column is called here -> what releases call it; in small letters.
struct Alias {
  const char* name;
  std::vector<const char*> known_as;
};
const std::vector<Alias>& aliases() {
  static const std::vector<Alias> table = {
      {"url", {"url", "image_url", "img_url", "link", "opensource_url"}},
      {"text", {"text", "caption", "top_caption", "vlm_caption", "alt_text"}},
      {"width", {"width"}},
      {"height", {"height"}},
      {"similarity", {"similarity", "clip_similarity"}},
      {"nsfw", {"nsfw", "punsafe"}},
      {"watermark", {"watermark", "pwatermark"}},
      {"aesthetic", {"aesthetic", "aesthetic_score", "aesthetics_score"}},
      {"language", {"language", "lang"}},
      {"key", {"key"}},
      {"status", {"status"}},
      {"error", {"error", "error_message"}},
  };
  return table;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string padded(int64_t number, size_t digits) {
  std::string text = std::to_string(number);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

bool has_column(const ParquetFile& file, std::string_view name) {
  return std::any_of(file.columns().begin(), file.columns().end(),
                     [&](const Column& column) { return column.name == name; });
}

}  // namespace

void name_columns(ParquetFile* file) {
  if (has_column(*file, "image")) {
    throw sdk::invalid_argument("The table has a column \"image\" of its own.")
        .at(file->name(), -1, -1, "image")
        .with_hint("Read it with mortise.format_parquet.");
  }
  for (const Alias& alias : aliases()) {
    if (has_column(*file, alias.name)) continue;
    std::vector<size_t> found;
    for (size_t i = 0; i < file->columns().size(); ++i) {
      const std::string name = lower(file->columns()[i].name);
      if (std::count(alias.known_as.begin(), alias.known_as.end(), name) > 0) found.push_back(i);
    }
    if (found.size() == 1) file->rename(found[0], alias.name);
  }
  if (has_column(*file, "url") || has_column(*file, "key")) return;
  throw sdk::invalid_argument("The table has neither one column of URLs nor one of keys.")
      .at(file->name(), -1, -1, "url")
      .with_hint("Call it url, or read the file with mortise.format_parquet.");
}

int64_t shards_of(const ParquetFile& file, int64_t rows_per_shard) {
  const int64_t rows = file.first_row(file.row_groups());
  return rows / rows_per_shard + (rows % rows_per_shard == 0 ? 0 : 1);
}

int64_t shard_in_name(std::string_view file_name) {
  const std::string_view base = file_name.substr(file_name.rfind('/') + 1);
  const std::string_view stem = base.substr(0, base.find('.'));
  int64_t number = -1;
  if (!is_number(stem) || stem.size() > 9) return -1;
  std::from_chars(stem.data(), stem.data() + stem.size(), number);
  return number;
}

LaionReader::LaionReader(const ParquetFile& file, int row_group, int64_t first_shard,
                         const std::vector<sdk::MediaColumn>& no_media, const LaionOptions& options,
                         int64_t memory_bytes_max, const sdk::RowPosition* from)
    : file_(file),
      options_(options),
      first_shard_(first_shard),
      digits_(options.rows_per_shard == 1
                  ? 0
                  : static_cast<int>(std::to_string(options.rows_per_shard - 1).size())),
      rows_(file, row_group, no_media, {}, memory_bytes_max, from),
      pictures_(options.has_media_folder ? options.media_folder : sdk::folder_of(file.name())) {}

bool LaionReader::next(sdk::MediaRow* out) {
  for (; rows_.next(out);) {
    std::string shard, key, url;
    place(*out, &shard, &key, &url);
    auto& image = out->media[0];
    if (auto found = pictures_.find(shard, key, url)) {
      image.push_back(std::move(*found));
      return true;
    }
    if (options_.skips_missing) continue;
    const std::string name = pictures_.expected(shard, key, url);
    if (name.empty()) return true;
    out->json.pop_back();
    out->json += out->json.size() > 1 ? ",\"image\":" : "\"image\":";
    sdk::append_json_text(&out->json, name);
    out->json += '}';
    return true;
  }
  return false;
}

void LaionReader::place(const sdk::MediaRow& row, std::string* shard, std::string* key,
                        std::string* url) const {
  const auto digits = static_cast<size_t>(digits_);
  const int64_t index = static_cast<int64_t>(rows_.position().row) - 2;  // in the file, from 0
  const sdk::JsonDocument document = sdk::JsonDocument::parse(row.json);
  const sdk::Json values = document.root();
  if (values["url"].is_text()) *url = values["url"].as_text();
  const sdk::Json given = values["key"];
  if (given.is_text()) *key = given.as_text();
  if (given.is_integer()) *key = padded(given.as_integer(), kShardDigits + digits);
  if (is_number(*key) && key->size() >= kShardDigits + digits) {
    *shard = key->substr(0, key->size() - digits);  // the key knows best
    return;
  }
  if (first_shard_ < 0) return;
  const bool is_one_shard = shard_in_name(file_.name()) >= 0;
  const int64_t inner = is_one_shard ? 0 : index / options_.rows_per_shard;
  *shard = padded(first_shard_ + inner, kShardDigits);
  if (key->empty()) *key = *shard + padded(index - inner * options_.rows_per_shard, digits);
}

}  // namespace mortise::format_parquet
