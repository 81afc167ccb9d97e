// Headers have no owner and no time, so equal rows make equal shards.
#include "writer.h"

#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/media_rows.hpp>
#include <mortise/cpp/services.hpp>

#include <cstdio>

#include "sample_reader.h"

namespace mortise::format_webdataset {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

void put_number(std::string* block, size_t at, size_t size, uint64_t value) {
  for (size_t i = size - 1; i > 0; --i, value >>= 3) {
    (*block)[at + i - 1] = static_cast<char>('0' + (value & 7));
  }
}

std::string header(std::string_view name, uint64_t size_bytes, char type) {
  std::string block(kBlock, '\0');
  name.copy(block.data(), 100);
  put_number(&block, 100, 8, 0644);
  put_number(&block, 108, 8, 0);
  put_number(&block, 116, 8, 0);
  put_number(&block, 124, 12, size_bytes);
  put_number(&block, 136, 12, 0);
  block[156] = type;
  std::string_view(
      "ustar\0"
      "00",
      8)
      .copy(block.data() + 257, 8);
  uint64_t sum = 8 * ' ';
  for (const char c : block) sum += static_cast<uint8_t>(c);
  put_number(&block, 148, 7, sum);
  block[155] = ' ';
  return block;
}

std::string padding(uint64_t size_bytes) {
  return std::string((kBlock - size_bytes % kBlock) % kBlock, '\0');
}

bool is_label(sdk::Json value) {
  return value.is_integer();
}

// A key that reads back as itself.
bool is_key(std::string_view key) {
  return !key.empty() && key.find('.') == key.npos && key.find("//") == key.npos &&
         key.find_first_of(std::string_view("\0\\", 2)) == key.npos && key.front() != '/' &&
         key.back() != '/';
}

}  // namespace

ShardWriter::ShardWriter(std::string_view uri, const ArrowSchema& schema, sdk::Json)
    : file_(sdk::File::create(uri)) {
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& column = *schema.children[i];
    const std::string_view name = sdk::schema_name(column);
    if (name == "row") {
      sdk::check_format(column, "u");
      row_column_ = i;
    } else if (!sdk::media_extension(column).empty()) {
      media_.push_back({i, std::string_view(column.format) == "+l"});
    } else if (name != "byte_offset") {
      throw sdk::invalid_argument("A shard holds rows and media: the column \"" +
                                  std::string(name) + "\" has no place in it.")
          .at("", -1, -1, name);
    }
  }
  if (row_column_ >= 0) return;
  throw sdk::invalid_argument("There is no column \"row\" to write.").at("", -1, -1, "row");
}

void ShardWriter::write_header(const std::string& name, uint64_t size_bytes) {
  if (name.size() > 100) {
    // "NN path=NAME\n", where NN counts itself.
    const std::string record = " path=" + name + "\n";
    size_t size = record.size() + 1;
    while (std::to_string(size).size() + record.size() != size) ++size;
    const std::string whole = std::to_string(size) + record;
    file_.write(header("pax", whole.size(), 'x') + whole + padding(whole.size()));
  }
  file_.write(header(name, size_bytes, '0'));
}

void ShardWriter::write_member(const std::string& name, std::string_view data) {
  write_header(name, data.size());
  file_.write(std::string(data) + padding(data.size()));
}

// Writes .txt, .cls and .json of a row; answers its key.
std::string ShardWriter::write_fields(std::string_view json) {
  const sdk::JsonDocument document = sdk::JsonDocument::parse(std::string(json));
  const sdk::Json row = document.root();
  if (!row.is_object()) throw sdk::invalid_argument("The row is JSON, but not an object.");
  char number[32];
  std::snprintf(number, sizeof(number), "%09lld", static_cast<long long>(rows_ + 1));
  std::string key = number;
  const sdk::Json given = row["__key__"];
  const bool has_key = given.is_text() && is_key(given.as_text());
  if (has_key) key = given.as_text();
  if (!keys_.insert(key).second) {
    throw sdk::invalid_argument("The key \"" + key + "\" stands in an earlier row too.")
        .at("", -1, -1, "/__key__");
  }
  sdk::JsonObject rest;
  bool has_rest = false;
  row.for_each_member([&](std::string_view name, sdk::Json value) {
    if (name == "__key__" && has_key) return;
    if (name == "text" && value.is_text()) return write_member(key + ".txt", value.as_text());
    if (name == "label" && is_label(value)) {
      return write_member(key + ".cls", std::to_string(value.as_integer()));
    }
    rest.value(name, value);
    has_rest = true;
  });
  if (has_rest || row.size() == (has_key ? 1u : 0u)) write_member(key + ".json", rest.finish());
  return key;
}

void ShardWriter::write_medium(const std::string& key, const sdk::Medium& medium,
                               const std::string& infix) {
  const std::string ending(sdk::ending_of(medium.name));
  if (sdk::media_kind(ending).empty()) {
    throw sdk::invalid_argument(
        "A medium without a name that tells its type cannot be written: \"" +
        std::string(medium.name) + "\".");
  }
  const std::string name = key + infix + "." + ending;
  if (medium.member.empty()) return write_member(name, medium.bytes);
  const auto length = static_cast<uint64_t>(medium.length);
  write_header(name, length);
  const sdk::File from = sdk::File::open(medium.member);
  std::string piece;
  for (uint64_t done = 0; done < length; done += piece.size()) {
    piece.resize(std::min(kPieceBytes, length - done));
    const uint64_t at = static_cast<uint64_t>(medium.offset) + done;
    if (from.read_at(at, piece.data(), piece.size()) != piece.size()) {
      throw sdk::data_loss("The range of a medium ends past its file.")
          .at(medium.member, -1, static_cast<int64_t>(at));
    }
    file_.write(piece);
  }
  file_.write(padding(length));
}

void ShardWriter::append(const sdk::StructView& batch) {
  const auto texts = batch.column<sdk::TextView>(row_column_, "row");
  for (int64_t row = 0; row < texts.size(); ++row, ++rows_) {
    sdk::check_cancelled();
    try {
      const std::string key = write_fields(texts[row]);
      for (const Column& column : media_) {
        if (!column.is_list) {
          const auto media = batch.column<sdk::MediumView>(column.index, "media");
          if (!media.is_null(row)) write_medium(key, media[row], "");
          continue;
        }
        const auto lists = batch.column<sdk::ListView<sdk::MediumView>>(column.index, "media");
        for (int64_t i = lists.begin(row); i < lists.end(row); ++i) {
          if (lists.items().is_null(i)) continue;
          write_medium(key, lists.items()[i], "." + std::to_string(i - lists.begin(row)));
        }
      }
    } catch (const sdk::Failure& failure) {
      throw failure.at(file_.name(), rows_ + 1, failure.byte, failure.field);
    }
  }
}

void ShardWriter::commit() {
  file_.write(std::string(2 * kBlock, '\0'));
  file_.close();
}

}  // namespace mortise::format_webdataset
