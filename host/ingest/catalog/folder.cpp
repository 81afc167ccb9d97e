// See folder.h.
#include "ingest/catalog/folder.h"

#include <algorithm>

#include "base/crypto.h"
#include "ingest/catalog/words.h"
#include "ingest/choose_rows.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr uint64_t kTextBytesMax = 16u << 20;
constexpr uint64_t kTableBytesMax = 512u << 20;

std::string base_name(std::string_view name) {
  return std::string(name.substr(name.rfind('/') + 1));
}

std::string_view without_dots(std::string_view name) {
  while (name.starts_with("./") || name.starts_with("../")) name.remove_prefix(name.find('/') + 1);
  return name;
}

// Digits by their number: "9.jpg" stands before "10.jpg".
bool comes_before(const std::string& a, const std::string& b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    if (is_digit(a[i]) && is_digit(b[k])) {
      const auto number = [&](const std::string& text, size_t& at) {
        const size_t begin = std::min(text.find_first_not_of('0', at), text.size());
        at = begin;
        while (at < text.size() && is_digit(text[at])) ++at;
        return text.substr(begin, at - begin);
      };
      const std::string left = number(a, i), right = number(b, k);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
      continue;
    }
    if (a[i] != b[k]) return a[i] < b[k];
    ++i;
    ++k;
  }
  return a.size() - i < b.size() - k;
}

std::string ending_of(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return ".png";
  if (bytes.starts_with("\xFF\xD8")) return ".jpg";
  if (bytes.starts_with("GIF8")) return ".gif";
  if (bytes.size() > 12 && bytes.starts_with("RIFF")) {
    return bytes.substr(8, 4) == "WEBP" ? ".webp" : ".wav";
  }
  if (bytes.starts_with("fLaC")) return ".flac";
  return bytes.starts_with("OggS") ? ".ogg" : "";
}

// {"col1", "col2", ..., "rest"} of a line.
Json row_of_line(std::string_view line) {
  Json row = Json::object();
  const auto cells = cells_of(line, "");
  for (size_t i = 0; i < cells.size(); ++i) row["col" + std::to_string(i + 1)] = Json(cells[i]);
  row["rest"] = cells.size() < 2
                    ? Json("")
                    : Json(line.substr(static_cast<size_t>(cells[1].data() - line.data())));
  return row;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The list at a path of members; an object of things becomes rows {key, ...} or {key, value}.
Result<Json> records_of(Json document, const std::string& path, const std::string& file) {
  if (!path.empty()) {
    for (const std::string_view part : cells_of(path, ".")) {
      const Json* member = std::as_const(document).find(part);
      if (member == nullptr) {
        return Error(Code::kNotFound, "The document has no list \"" + path + "\".").at_file(file);
      }
      document = Json(*member);
    }
  }
  if (!document.is_object()) return document;
  Json rows = Json::array();
  for (auto& [key, value] : document.members()) {
    Json row = value.is_object() ? std::move(value) : Json::object({{"value", std::move(value)}});
    row["key"] = key;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Folder::Folder(base::FileOps& files, LocalFiles& media, Json tables, std::string rows_file,
               std::string kept_folder, ReadTable read_table)
    : files_(files),
      local_(media),
      media_(media.paths()),
      specs_(std::move(tables)),
      rows_file_(std::move(rows_file)),
      kept_folder_(std::move(kept_folder)),
      read_table_(std::move(read_table)) {
  for (const auto& [name, path] : media_) by_base_name_.emplace(base_name(name), name);
}

Result<std::string> Folder::find(std::string_view given) {
  const std::string name(without_dots(given));
  if (media_.contains(name)) return name;
  std::vector<std::string> fitting;
  const auto [begin, end] = by_base_name_.equal_range(base_name(name));
  for (auto each = begin; each != end; ++each) {
    if (each->second.ends_with("/" + name)) fitting.push_back(each->second);
  }
  if (fitting.size() == 1) return fitting[0];
  if (fitting.empty()) return name;
  return Error(Code::kInvalidArgument, name + " may be " + fitting[0] + " or " + fitting[1] + ".",
               "Import the folder of one of them, or leave the other one out.");
}

Result<std::vector<std::string>> Folder::list(std::string_view given) {
  const std::string folder = std::string(without_dots(given)) + "/";
  std::vector<std::string> names;
  for (const auto& [name, path] : media_) {
    const size_t at = name.find(folder);
    if (at == 0 || (at != name.npos && name[at - 1] == '/')) names.push_back(name);
  }
  if (names.empty()) {
    return Error(Code::kNotFound, "There are no files below " + folder + ".",
                 "Unpack the set's archives, or name their folder with --media.");
  }
  std::ranges::sort(names, comes_before);
  return names;
}

Result<std::string> Folder::text(std::string_view given) {
  MORTISE_ASSIGN(const std::string name, find(given));
  const auto file = media_.find(name);
  if (file == media_.end()) {
    return Error(Code::kNotFound, "There is no file " + name + ".",
                 "Add it to the folder that is imported.");
  }
  auto text = base::read_file(files_, file->second, kTextBytesMax);
  if (!text.ok()) return text.error().at_file(name);
  if (text->starts_with("\xEF\xBB\xBF")) text->erase(0, 3);
  return text;
}

Result<std::string> Folder::line(std::string_view name, int64_t number) {
  auto known = lines_.find(std::string(name));
  if (known == lines_.end()) {
    MORTISE_ASSIGN(const std::string all, text(name));
    known = lines_.emplace(name, lines_of(all)).first;
  }
  if (number >= 1 && static_cast<size_t>(number) <= known->second.size()) {
    return known->second[static_cast<size_t>(number - 1)];
  }
  return Error(Code::kOutOfRange,
               std::string(name) + " has " + std::to_string(known->second.size()) +
                   " lines, and no " + std::to_string(number) + ".",
               "Files that are read together have the same number of lines.");
}

Result<std::string> Folder::table_file(std::string_view name, const Json& spec) const {
  const std::string& pattern = spec["file"].as_string();
  if (pattern.empty()) return rows_file_;
  std::vector<std::string> fitting;
  for (const auto& [file, path] : media_) {
    if (matches_pattern(pattern, base_name(file))) fitting.push_back(file);
  }
  if (fitting.size() == 1) return fitting[0];
  return Error(fitting.empty() ? Code::kNotFound : Code::kInvalidArgument,
               "The table " + std::string(name) + " is in a file " + pattern + ", of which there " +
                   (fitting.empty() ? "is none." : "are several."),
               "The folder that is imported holds one.");
}

Result<Json> Folder::read(const std::string& file, const Json& spec) {
  if (!file.ends_with(".json") && !spec["lines"].as_bool()) {
    return read_table_(file, spec["config"]);
  }
  const auto place = media_.find(file);
  const std::string path = place == media_.end() ? file : place->second;
  auto text = base::read_file(files_, path, kTableBytesMax);
  if (!text.ok()) return text.error().at_file(file);
  if (spec["lines"].as_bool()) {
    Json rows = Json::array();
    for (const std::string& each : lines_of(*text)) {
      if (!each.empty()) rows.push_back(row_of_line(each));
    }
    return rows;
  }
  auto document = base::parse_json(*text, {.size_bytes_max = kTableBytesMax});
  if (!document.ok()) return document.error().at_file(file);
  return records_of(std::move(*document), spec["records"].as_string(), file);
}

Result<const Json*> Folder::table(std::string_view name) {
  const auto known = tables_.find(name);
  if (known != tables_.end()) return &known->second;
  const Json* spec = std::as_const(specs_).find(name);
  if (spec == nullptr) return nullptr;
  MORTISE_ASSIGN(const std::string file, table_file(name, *spec));
  MORTISE_ASSIGN(Json rows, read(file, *spec));
  return &tables_.emplace(name, std::move(rows)).first->second;
}

Result<const Json*> Folder::row_of(std::string_view name, std::string_view key,
                                   const std::string& value) {
  MORTISE_ASSIGN(const Json* rows, table(name));
  if (rows == nullptr) {
    return Error(Code::kInvalidArgument, "The set has no table " + std::string(name) + ".");
  }
  const std::string place = std::string(name) + "." + std::string(key);
  auto index = indexes_.find(place);
  if (index == indexes_.end()) {
    index = indexes_.emplace(place, std::unordered_map<std::string, size_t>()).first;
    for (size_t i = 0; i < rows->size(); ++i) {
      index->second.emplace(text_of(rows->at(i)[key]), i);
    }
  }
  const auto found = index->second.find(value);
  if (found != index->second.end()) return &rows->at(found->second);
  return Error(Code::kNotFound,
               "The table " + std::string(name) + " has no row whose " + std::string(key) +
                   " is \"" + value.substr(0, 80) + "\".",
               "Are these the files of one set, and of the same part of it?");
}

Result<std::string> Folder::keep(std::string bytes) {
  const std::string digest = base::to_hex(base::sha256(base::as_bytes(bytes)));
  const std::string name = "media/" + digest.substr(0, 32) + ending_of(bytes);
  const std::string path = base::join_path(kept_folder_, name);
  if (!media_.contains(name)) {
    MORTISE_TRY(base::make_folders(files_, base::join_path(kept_folder_, "media")));
    MORTISE_TRY(base::write_file_durably(files_, path, bytes));
    local_.add(name, path);
  }
  return name;
}

Result<std::string> Folder::keep_range(const std::string& name, uint64_t offset, uint64_t length) {
  const auto place = media_.find(name);
  if (place == media_.end()) {
    return Error(Code::kNotFound, "There is no file " + name + ".").at_file(name);
  }
  MORTISE_ASSIGN(const auto file, files_.open(place->second, base::OpenMode::kRead));
  MORTISE_ASSIGN(const uint64_t size, file->size());
  if (offset == 0 && length == size) return name;
  if (offset > size || length > size - offset) {
    return Error(Code::kDataLoss, "A medium lies past the end of the file.", "Copy it again.")
        .at_file(name)
        .at_byte(static_cast<int64_t>(offset));
  }
  std::string bytes(length, '\0');
  for (size_t done = 0; done < length;) {
    const auto rest = std::as_writable_bytes(std::span(bytes)).subspan(done);
    MORTISE_ASSIGN(const size_t got, file->read_at(offset + done, rest));
    if (got == 0) return Error(Code::kDataLoss, "The file became shorter.").at_file(name);
    done += got;
  }
  return keep(std::move(bytes));
}

}  // namespace mortise::ingest::catalog
