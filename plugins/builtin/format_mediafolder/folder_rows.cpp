// A medium is given as its whole file, which the host uses in place. A name that no file has stands
// in the row as it was written: the host's finding then names row and field.
#include "folder_rows.h"

#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/utf8.hpp>

#include <set>

#include "csv.h"

namespace mortise::format_mediafolder {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";

// "file_name" -> "", "left_file_name" -> "left"; nothing for another column.
bool is_file_column(std::string_view column) {
  return column == "file_name" || column == "file_names" || column.ends_with("_file_name") ||
         column.ends_with("_file_names");
}

void check_utf8(std::string_view text) {
  if (const int64_t bad = sdk::find_invalid_utf8(text); bad >= 0) {
    throw sdk::invalid_argument("The file is not UTF-8.").at("", -1, bad);
  }
}

}  // namespace

// A row being made.
struct FolderRows::Row {
  sdk::JsonObject fields;
  sdk::CommonMedia media;

  // shown: as the host knows the file, for a name that no file has.
  void add_file(std::string_view column, const std::string& name, std::string_view shown) {
    const std::string_view kind = sdk::media_kind(sdk::ending_of(name));
    if (kind.empty()) {
      throw sdk::unimplemented("\"" + name + "\" is no picture, sound or film by its ending.")
          .at("", -1, -1, column);
    }
    sdk::OwnedMedium medium;
    try {
      medium.length = static_cast<int64_t>(sdk::File::open(name).size_bytes());
    } catch (const sdk::Failure& failure) {
      if (failure.code != MORTISE_STATUS_NOT_FOUND) throw;
      return fields.text(kind.substr(kind.find('.') + 1), shown);
    }
    medium.member = name;
    media.add(kind, std::move(medium));
  }
  void finish(sdk::MediaRow* out) {
    out->json = fields.finish();
    media.move_to(out);
  }
};

FolderRows::FolderRows(const Folder& folder, const RowLimits& limits, const sdk::RowPosition* from)
    : folder_(folder),
      limits_(limits),
      row_(from == nullptr ? 1 : from->row),
      at_(from == nullptr ? 0 : from->at),
      part_(from == nullptr ? 0 : from->part) {}

bool FolderRows::next(sdk::MediaRow* out) {
  const bool more = folder_.metadata.empty() ? next_medium(out) : next_metadata(out);
  if (more) ++row_;
  return more;
}

std::string FolderRows::read_text(const std::string& name) const {
  std::string text = sdk::File::open(name).read_all(limits_.row_bytes_max);
  try {
    check_utf8(text);
  } catch (const sdk::Failure& failure) {
    throw failure.at(name, static_cast<int64_t>(row_), failure.byte);
  }
  if (text.starts_with(kMark)) text.erase(0, kMark.size());
  return text;
}

// The metadata file part_ into text_, with its header.
void FolderRows::open_metadata() {
  if (open_part_ == part_) return;
  const std::string& name = folder_.metadata[part_];
  text_ = sdk::File::open(name).read_all(limits_.metadata_bytes_max);
  open_part_ = part_;
  header_.clear();
  uint64_t begin = text_.starts_with(kMark) ? kMark.size() : 0;
  try {
    check_utf8(text_);
    if (name.ends_with(".csv") && next_record(text_, &begin, &header_)) {
      const bool has_file = std::any_of(header_.begin(), header_.end(), is_file_column);
      const std::set<std::string> columns(header_.begin(), header_.end());
      if (!has_file || columns.size() != header_.size()) {
        throw sdk::invalid_argument(has_file ? "The header names a column twice."
                                             : "The header has no column file_name.")
            .with_hint("The first line names the columns, one of them file_name.");
      }
    }
  } catch (const sdk::Failure& failure) {
    throw failure.at(name, -1, failure.byte);
  }
  at_ = std::max(at_, begin);
}

bool FolderRows::next_metadata(sdk::MediaRow* out) {
  for (; part_ < folder_.metadata.size(); ++part_, at_ = 0) {
    open_metadata();
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string::npos) {
      ++at_;
    }
    if (at_ >= text_.size()) continue;
    const uint64_t begin = at_;
    out->byte_offset = begin;
    try {
      if (folder_.metadata[part_].ends_with(".csv")) {
        take_csv(out);
      } else {
        const size_t end = std::min(text_.find('\n', at_), text_.size());
        at_ = end;
        take_json(std::string_view(text_).substr(begin, end - begin), out);
      }
    } catch (const sdk::Failure& failure) {
      const auto byte = static_cast<int64_t>(begin) + std::max<int64_t>(failure.byte, 0);
      throw failure.at(folder_.metadata[part_], static_cast<int64_t>(row_), byte, failure.field);
    }
    return true;
  }
  return false;
}

// A file named in a metadata file, relative to it.
void FolderRows::add_below(Row* row, std::string_view column, std::string_view name) const {
  const std::string whole = sdk::name_in(sdk::folder_of(folder_.metadata[part_]), name);
  const bool is_below = !folder_.root.empty() && whole.starts_with(folder_.root + "/");
  row->add_file(column, whole, is_below ? whole.substr(folder_.root.size() + 1) : whole);
}

void FolderRows::take_csv(sdk::MediaRow* out) {
  const uint64_t begin = at_;
  try {
    next_record(text_, &at_, &cells_);
  } catch (const sdk::Failure& failure) {  // its byte counts from the start of the text
    throw failure.at("", -1, failure.byte - static_cast<int64_t>(begin));
  }
  if (cells_.size() != header_.size()) {
    throw sdk::invalid_argument("The row has " + std::to_string(cells_.size()) +
                                " cells, the header " + std::to_string(header_.size()) + ".")
        .with_hint("Put a cell that holds a comma or a line end in double quotes.");
  }
  Row row;
  for (size_t i = 0; i < cells_.size(); ++i) {
    if (!is_file_column(header_[i])) {
      row.fields.text(header_[i], cells_[i]);
    } else if (!cells_[i].empty()) {
      add_below(&row, header_[i], cells_[i]);
    }
  }
  row.finish(out);
}

void FolderRows::take_json(std::string_view line, sdk::MediaRow* out) {
  const sdk::JsonDocument document = sdk::JsonDocument::parse(std::string(line));
  Row row;
  bool has_file = false;
  if (!document.root().is_object()) {
    throw sdk::invalid_argument("The row is JSON, but not an object.");
  }
  document.root().for_each_member([&](std::string_view name, sdk::Json value) {
    if (!is_file_column(name)) return row.fields.value(name, value);
    has_file = true;
    if (value.is_null()) return;
    if (!value.is_array()) {
      return add_below(&row, name, value.as_text());
    }
    value.for_each_item([&](sdk::Json item) { add_below(&row, name, item.as_text()); });
  });
  if (!has_file) {
    throw sdk::invalid_argument("The row has no member file_name.").at("", -1, 0, "file_name");
  }
  row.finish(out);
}

bool FolderRows::next_medium(sdk::MediaRow* out) {
  if (at_ >= folder_.media.size()) return false;
  const MediaFile& file = folder_.media[at_++];
  Row row;
  out->byte_offset = 0;
  if (!file.split.empty()) row.fields.text("split", file.split);
  if (!file.label.empty()) row.fields.text("label", file.label);
  if (!file.text_file.empty()) {
    std::string text = read_text(file.text_file);
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    row.fields.text("text", text);
  }
  if (!file.json_file.empty()) {
    try {
      const sdk::JsonDocument document = sdk::JsonDocument::parse(read_text(file.json_file));
      if (document.root().is_object()) {
        document.root().for_each_member([&](std::string_view name, sdk::Json value) {
          const bool is_taken = (name == "split" && !file.split.empty()) ||
                                (name == "label" && !file.label.empty()) ||
                                (name == "text" && !file.text_file.empty());
          if (!is_taken) return row.fields.value(name, value);
          throw sdk::invalid_argument("The field is given twice: here and by the medium's place.")
              .at("", -1, -1, name);
        });
      } else {
        row.fields.value("json", document.root());
      }
    } catch (const sdk::Failure& failure) {
      throw failure.at(file.json_file, static_cast<int64_t>(row_), failure.byte, failure.field);
    }
  }
  row.add_file("file", file.name, file.name);
  row.finish(out);
  return true;
}

}  // namespace mortise::format_mediafolder
