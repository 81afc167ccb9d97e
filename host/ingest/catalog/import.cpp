// See import.h. The rows of the importer go through the mapping, one by one, into run_ingest.
#include "ingest/catalog/import.h"

#include <algorithm>
#include <deque>

#include "base/json_read.h"
#include "ingest/catalog/evaluate.h"
#include "ingest/catalog/folder.h"
#include "ingest/choose_rows.h"
#include "ingest/folder_output.h"
#include "ingest/plugin_rows.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr size_t kSampleBytes = 64 * 1024;
constexpr std::string_view kRoot = "import/";  // the folder as formats know it

bool is_dicom(const std::string& name) {
  return name.ends_with(".dcm") || name.ends_with(".dicom");
}

bool fits_any(const std::string& name, const Json& patterns) {
  const std::string base_name = name.substr(name.rfind('/') + 1);
  return std::ranges::any_of(patterns.items(), [&](const Json& pattern) {
    return matches_pattern(pattern.as_string(), base_name);
  });
}

// What the importer is told: whole lines are cells of a separator that no text has.
Json config_of(const Json& rows) {
  if (!rows["lines"].as_bool()) return rows["config"];
  return Json::object({{"separator", "\x01"}, {"header", false}, {"quotes", false}});
}

Result<std::vector<FormatGuess>> guesses_of(base::FileOps& files, plugin::Registry& registry,
                                            const ImportRequest& request, const std::string& name) {
  MORTISE_ASSIGN(auto file,
                 files.open(base::join_path(request.folder, name), base::OpenMode::kRead));
  plugin::FormatSample sample;
  sample.name = name;
  MORTISE_ASSIGN(sample.size_bytes, file->size());
  sample.head.resize(std::min<uint64_t>(sample.size_bytes, kSampleBytes));
  MORTISE_ASSIGN(const size_t read,
                 file->read_at(0, std::as_writable_bytes(std::span(sample.head))));
  sample.head.resize(read);
  std::vector<FormatGuess> guesses;
  for (const auto& one : registry.probe_formats(sample)) {
    if (one.plugin_id == request.entry->rows_plugin_id() && one.answer.score > 0) {
      guesses.push_back({one.plugin_id, one.answer.score});
    }
  }
  return guesses;
}

// Names what the set's own files are, as far as the catalogue knows.
Error no_rows_of(const Entry& entry) {
  std::string named;
  for (const Json& pattern : entry.fields["rows"]["files"].items()) {
    named += (named.empty() ? "" : ", ") + pattern.as_string();
  }
  if (named.empty()) {
    named = "a file of the layout " + entry.fields["native_layout"].as_string() + " that " +
            entry.rows_plugin_id() + " reads";
  }
  return Error(Code::kNotFound,
               "The folder holds no file of rows of " + entry.id() + ": " + named + ".",
               "Put the set's own files there (" + entry.fields["source"].as_string() +
                   "), or name the file of rows with --rows FILE.");
}

// The entry's own files of rows, else the one that its importer knows; never a table's.
Result<RowsFiles> choose(base::FileOps& files, plugin::Registry& registry,
                         const ImportRequest& request) {
  const Json& rows = request.entry->fields["rows"];
  const Json& patterns = rows["files"];
  Json tables = Json::array();
  for (const auto& [name, spec] : request.entry->fields["tables"].members()) {
    if (spec.contains("file")) tables.push_back(spec["file"]);
  }
  RowsFiles chosen{{}, request.entry->rows_plugin_id()};
  if (chosen.format_id == kMediaFolderFormat && request.rows.empty()) {
    chosen.names.push_back("");  // the folder itself
    return chosen;
  }
  std::vector<std::string> names;
  for (const auto& [name, path] : request.files) {
    if (path != base::join_path(request.folder, name) || fits_any(name, tables)) continue;
    names.push_back(name);
    if (request.rows.empty() && fits_any(name, patterns)) chosen.names.push_back(name);
  }
  if (!chosen.names.empty()) return chosen;
  const bool is_named = !request.rows.empty() || rows["lines"].as_bool();
  auto found = choose_rows(names, request.rows,
                           [&](const std::string& name) -> Result<std::vector<FormatGuess>> {
                             if (is_named) return std::vector<FormatGuess>{{chosen.format_id, 100}};
                             return guesses_of(files, registry, request, name);
                           });
  const bool is_other = found.ok() && found->format_id != chosen.format_id;
  if (is_other || (!found.ok() && found.error().code == Code::kNotFound && request.rows.empty())) {
    return no_rows_of(*request.entry);
  }
  return found;
}

// The rows that the mapping makes of the importer's.
class MappedRows final : public RowSource {
 public:
  // develop: the name of a DICOM file -> that of its picture.
  using Develop = std::function<Result<std::string>(const std::string& name)>;

  MappedRows(RowSource& rows, const Mapping& mapping, const Json& reading, Folder& folder,
             const std::vector<std::string>& names, Develop develop)
      : rows_(rows),
        mapping_(mapping),
        reading_(reading),
        folder_(folder),
        names_(names),
        develop_(std::move(develop)) {
    scene_.lookup = &folder;
    scene_.cells = reading["cells"].as_string();
  }

  Result<bool> next(Row& row) override {
    while (made_.empty()) {
      MORTISE_ASSIGN(const bool more, rows_.next(read_));
      if (!more) return false;
      MORTISE_TRY(take());
    }
    row.text = made_.front().dump();
    row.byte_offset = read_.byte_offset;
    row.file = read_.file;
    made_.pop_front();
    return true;
  }

 private:
  // Lines that are no rows: a header, comments, what the set itself says to drop.
  bool is_left_out(const std::string& line) const {
    const std::string &comment = reading_["comment"].as_string(),
                      &without = reading_["without"].as_string();
    return scene_.row_number <= reading_["skip"].as_int() ||
           (!comment.empty() && line.starts_with(comment)) ||
           (!without.empty() && line.find(without) != line.npos);
  }

  // What came inside the rows file, by the names under which it is kept.
  base::Status name_media(Json& row) {
    for (const plugin::MediaField& field : read_.media) {
      Json names = Json::array();
      for (const plugin::MediumCell& cell : field.items) {
        if (cell.is_null) {
          names.push_back(Json());
          continue;
        }
        const auto offset = static_cast<uint64_t>(cell.offset);
        const auto length = static_cast<uint64_t>(cell.length);
        MORTISE_ASSIGN(std::string name, cell.member.empty()
                                             ? folder_.keep(std::string(cell.bytes))
                                             : folder_.keep_range(cell.member, offset, length));
        names.push_back(std::move(name));
      }
      row[field.field] = field.is_list ? std::move(names) : names.at(0);
    }
    return {};
  }

  base::Status take() {
    if (read_.file != file_ || scene_.rows_file.empty()) scene_.row_number = 0;
    file_ = read_.file;
    scene_.rows_file = names_[file_];
    ++scene_.row_number;
    MORTISE_ASSIGN(Json row, reader_.parse(read_.text));
    if (reading_["lines"].as_bool()) {
      if (is_left_out(row["col1"].as_string())) return {};
      row = Json(std::string(row["col1"].as_string()));
    }
    MORTISE_TRY(name_media(row));
    scene_.row = &row;
    auto made = made_of_row();
    if (!made.ok()) {
      return made.error()
          .at_file(names_[file_])
          .at_row(scene_.row_number)
          .at_byte(read_.byte_offset);
    }
    made_.insert(made_.end(), std::make_move_iterator(made->begin()),
                 std::make_move_iterator(made->end()));
    return {};
  }

  Result<std::vector<Json>> made_of_row() {
    MORTISE_ASSIGN(std::vector<Json> made, evaluate(mapping_, scene_));
    for (Json& row : made) {
      Json* image = row.find("image_path");
      if (image == nullptr || !image->is_string() || !is_dicom(image->as_string())) continue;
      MORTISE_ASSIGN(*image, develop_(image->as_string()));
    }
    return made;
  }

  RowSource& rows_;
  const Mapping& mapping_;
  const Json& reading_;
  Folder& folder_;
  const std::vector<std::string>& names_;
  const Develop develop_;
  base::RowReader reader_{{.size_bytes_max = 64u << 20, .depth_max = 128}};
  Scene scene_;
  Row read_;
  size_t file_ = 0;
  std::deque<Json> made_;
};

// The picture of a DICOM file, through its pack: its window applied, no tag of a patient read. A
// file that is not there keeps its name, for the check of media to say so.
Result<std::string> develop(plugin::Registry& registry, const ImportRequest& request,
                            Folder& folder, const std::string& name) {
  const auto place = request.files.find(name);
  if (place == request.files.end()) return name;
  constexpr std::string_view kMediaRoot = "dicom";
  const std::string root = place->second.substr(0, place->second.size() - name.size() - 1);
  MORTISE_TRY(registry.services().grant(kMediaRoot, root));
  PluginRows rows(
      1,
      [&](size_t) {
        return registry.open_format(kDicomFormat, {std::string(kMediaRoot) + "/" + name});
      },
      "");
  RowSource::Row row;
  MORTISE_ASSIGN(const bool is_there, rows.next(row));
  if (!is_there || row.media.empty() || row.media[0].items.empty()) {
    return Error(Code::kInvalidArgument, "The DICOM file has no picture.").at_file(name);
  }
  return folder.keep(std::string(row.media[0].items[0].bytes));
}

// A separated table through the format pack, whole.
Result<Json> read_table(plugin::Registry& registry, const std::string& name, const Json& config) {
  PluginRows rows(
      1,
      [&](size_t) {
        return registry.open_format("mortise.format_csv", {std::string(kRoot) + name}, config);
      },
      std::string(kRoot));
  Json table = Json::array();
  RowSource::Row row;
  while (true) {
    MORTISE_ASSIGN(const bool more, rows.next(row));
    if (!more) return table;
    MORTISE_ASSIGN(Json value, base::parse_json(row.text));
    table.push_back(std::move(value));
  }
}

}  // namespace

Result<ImportResult> import_set(base::FileOps& files, plugin::Registry& registry,
                                const ImportRequest& request, const IngestHooks& hooks) {
  const Entry& entry = *request.entry;
  MORTISE_ASSIGN(const Mapping mapping, entry.mapping(request.task));
  if (auto importer = registry.load(entry.plugin_id()); !importer.ok()) return importer.error();
  MORTISE_ASSIGN(const RowsFiles chosen, choose(files, registry, request));
  MORTISE_TRY(registry.services().grant("import", request.folder));
  std::vector<std::string> places;
  for (const std::string& name : chosen.names) {
    places.push_back(name.empty() ? std::string(kRoot.substr(0, kRoot.size() - 1))
                                  : std::string(kRoot) + name);
  }
  const Json config = config_of(entry.fields["rows"]);
  const bool is_one = config["join"].as_bool();  // the files have a part of each row
  PluginRows rows(
      is_one ? 1 : places.size(),
      [&](size_t file) {
        return registry.open_format(
            chosen.format_id, is_one ? places : std::vector<std::string>{places[file]}, config);
      },
      std::string(kRoot));
  IngestRequest ingest;
  ingest.task_type = mapping.task_type;
  ingest.rows_names = chosen.names;
  ingest.max_bad_rows = request.max_bad_rows;
  ingest.patch = request.patch;
  LocalFiles local(files, request.files);
  FolderOutput output(files, request.output_folder);
  ingest.upload = &local;
  ingest.rows = &output;
  ingest.media = &output;
  Folder folder(files, local, entry.fields["tables"],
                base::join_path(request.folder, chosen.names[0]), request.output_folder,
                [&](const std::string& name, const Json& config) {
                  return read_table(registry, name, config);
                });
  MappedRows mapped(
      rows, mapping, entry.fields["rows"], folder, chosen.names,
      [&](const std::string& name) { return develop(registry, request, folder, name); });
  ImportResult result;
  result.task_type = mapping.task_type;
  auto ingested = run_ingest(mapped, ingest, hooks);
  if (!ingested.ok()) {
    Error& error = ingested.error();
    if (error.file.starts_with(kRoot)) error.file.erase(0, kRoot.size());
    return error;
  }
  result.ingested = std::move(*ingested);
  MORTISE_TRY(output.finish());
  for (const std::string& name : result.ingested.used_media) {
    result.media[name] = local.paths().at(name);
  }
  return result;
}

}  // namespace mortise::ingest::catalog
