// Task "dataset.write": canonical rows and their media, plain files here, into one file of a format
// through its writer pack.
#include "app/mortise-worker/context.h"
#include "base/json_read.h"

namespace mortise::worker {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr size_t kBatchRows = 256;
constexpr const char* kRoot = "data/";

// Members of rows that name media, each a column of the file.
struct MediaMember {
  const char* name;
  const char* extension;
  bool is_list;
};
constexpr MediaMember kMediaMembers[] = {{"image_path", "mortise.image", false},
                                         {"audio_path", "mortise.audio", false},
                                         {"images", "mortise.image", true},
                                         {"audios", "mortise.audio", true},
                                         {"videos", "mortise.video", true}};

plugin::Column medium_column(const MediaMember& member) {
  plugin::Column medium{"item", "+s", true, {}, ""};
  for (const auto& [name, format] : {std::pair{"name", "u"},
                                     {"bytes", "z"},
                                     {"member", "u"},
                                     {"offset", "l"},
                                     {"length", "l"}}) {
    medium.children.push_back({name, format, true, {}, ""});
  }
  medium.name = member.name;
  medium.extension = member.extension;
  if (!member.is_list) return medium;
  plugin::Column list{member.name, "+l", true, {}, member.extension};
  medium.name = "item";
  medium.extension.clear();
  list.children.push_back(std::move(medium));
  return list;
}

// Reads rows.jsonl line by line and hands each row on.
Status each_row(Context& context, const std::string& folder,
                const std::function<Status(Json row, int64_t number)>& take) {
  const std::string path = base::join_path(folder, "rows.jsonl");
  MORTISE_ASSIGN(const auto file, context.files.open(path, base::OpenMode::kRead));
  base::RowReader reader({.size_bytes_max = 64u << 20, .depth_max = 128});
  std::string rest;
  base::Bytes piece(1u << 20);
  int64_t number = 0;
  for (uint64_t at = 0;;) {
    MORTISE_ASSIGN(const size_t got, file->read_at(at, piece));
    if (got == 0) return {};
    at += got;
    rest += base::as_text(base::ByteView(piece).first(got));
    size_t begin = 0;
    for (size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (context.is_cancelled) return Error(Code::kCancelled, "The export was cancelled.");
      ++number;
      auto row = reader.parse(std::string_view(rest).substr(begin, end - begin));
      if (!row.ok()) return std::move(row.error()).at_file(path).at_row(number);
      MORTISE_TRY(take(std::move(*row), number));
    }
    rest.erase(0, begin);
  }
}

Error no_column(const std::string& field, int64_t number) {
  return Error(Code::kUnimplemented, "This format has no place for the medium of this field.",
               "Take --format jsonl, which keeps rows as they are.")
      .at_row(number)
      .at_field(field);
}

// What a member's values are in all rows; "json" where they differ, or are no plain values.
void add_kind(Json& fields, const std::string& name, const Json& value) {
  if (value.is_null()) return;
  const int64_t past = INT64_MIN;
  const char* const kind = value.is_string()                                           ? "string"
                           : value.is_bool()                                           ? "boolean"
                           : !value.is_number()                                        ? "json"
                           : value.kind() == Json::Kind::kDouble                       ? "number"
                           : value.as_int(past) == past && value.as_uint() > INT64_MAX ? "json"
                                                                                       : "integer";
  Json& known = fields[name];
  known = known.is_null() || known.as_string() == kind ? kind : "json";
}

// A writer whose configuration takes "fields" is told them before the first row.
Result<Json> writer_config(Context& context, Json fields) {
  MORTISE_ASSIGN(const auto plugin, context.registry.load(context.text("format")));
  const Json& known = plugin->decision().plugin.config_schema["properties"];
  return known.contains("fields") ? Json::object({{"fields", std::move(fields)}}) : Json::object();
}

// A medium as the range of a whole file, which the pack reads itself.
Result<Json> medium_of(Context& context, const std::string& folder, const std::string& name) {
  MORTISE_ASSIGN(const auto file,
                 context.files.open(base::join_path(folder, name), base::OpenMode::kRead));
  MORTISE_ASSIGN(const uint64_t size, file->size());
  return Json::object({{"name", name}, {"member", kRoot + name}, {"offset", 0}, {"length", size}});
}

// {"row": text without its media, and a member a column of media}.
Result<Json> cells_of(Context& context, const std::string& folder, Json row, int64_t number) {
  for (const char* deep : {"video", "tensors"}) {
    if (row.contains(deep)) return no_column(std::string("/") + deep, number);
  }
  Json cells = Json::object();
  for (const MediaMember& member : kMediaMembers) {
    const Json* const value = row.find(member.name);
    if (value == nullptr || value->is_null()) continue;
    if (member.is_list != value->is_array()) {
      return no_column(std::string("/") + member.name, number);
    }
    Json media = Json::array();
    for (const Json& name : member.is_list ? value->items() : Json::Array{*value}) {
      if (!name.is_string()) return no_column(std::string("/") + member.name, number);
      MORTISE_ASSIGN(Json medium, medium_of(context, folder, name.as_string()));
      media.push_back(std::move(medium));
    }
    cells[member.name] = member.is_list ? std::move(media) : media.at(0);
    row.erase(member.name);
  }
  cells["row"] = row.canonical();
  return cells;
}

}  // namespace

// arguments: {folder: with rows.jsonl and the media by their names, format: a plugin's id, out: a
// folder, file: a new name in it}; the record says rows_count.
Result<job::TaskResult> dataset_write(Context& context) {
  const std::string folder = context.text("folder");
  MORTISE_TRY(context.services.grant("data", folder));
  MORTISE_TRY(context.services.grant("out", context.text("out"), plugin::Access::kReadWrite));
  plugin::Column schema{"", "+s", false, {}, ""};
  schema.children.push_back({"row", "u", false, {}, ""});
  std::vector<bool> is_used(std::size(kMediaMembers), false);
  Json fields = Json::object();
  MORTISE_TRY(each_row(context, folder, [&](const Json& row, int64_t) -> Status {
    for (const auto& [name, value] : row.members()) {
      const auto medium = std::ranges::find(kMediaMembers, name, &MediaMember::name);
      if (medium == std::end(kMediaMembers)) {
        add_kind(fields, name, value);
      } else {
        is_used[static_cast<size_t>(medium - std::begin(kMediaMembers))] = true;
      }
    }
    return {};
  }));
  MORTISE_ASSIGN(const Json config, writer_config(context, std::move(fields)));
  for (size_t i = 0; i < is_used.size(); ++i) {
    if (is_used[i]) schema.children.push_back(medium_column(kMediaMembers[i]));
  }
  MORTISE_ASSIGN(auto writer,
                 context.registry.open_format_writer(
                     context.text("format"), "out/" + context.text("file"), schema, config));
  std::vector<Json> batch;
  int64_t done = 0;
  const auto flush = [&]() -> Status {
    if (batch.empty()) return {};
    MORTISE_TRY(writer.append(batch));
    done += static_cast<int64_t>(batch.size());
    batch.clear();
    context.progress("write", done, -1);
    return {};
  };
  MORTISE_TRY(each_row(context, folder, [&](Json row, int64_t number) -> Status {
    MORTISE_ASSIGN(Json cells, cells_of(context, folder, std::move(row), number));
    batch.push_back(std::move(cells));
    return batch.size() < kBatchRows ? Status() : flush();
  }));
  MORTISE_TRY(flush());
  MORTISE_TRY(writer.commit());
  job::TaskResult result;
  result.ok = true;
  result.summary = std::to_string(done) + " rows are written.";
  result.record["rows_count"] = done;
  return result;
}

}  // namespace mortise::worker
