// `mortise dataset ...`: what is stored is the server's; files go up over several
// connections, then the check runs as a job.
#include <algorithm>
#include <cstdio>

#include "base/file_ops.h"
#include "cli/archive.h"
#include "cli/command.h"
#include "cli/http.h"
#include "cli/progress.h"
#include "cli/server.h"
#include "cli/show.h"
#include "cli/upload.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

// What PATH is.
enum class Given { kFile, kFolder, kArchive };

Given what_is(const Arguments& arguments) {
  const std::string path = arguments.text("path");
  if (base::posix_file_ops().list(path).ok()) return Given::kFolder;
  return is_archive_name(path) && !arguments.has("--whole") ? Given::kArchive : Given::kFile;
}

// The files of an archive, as if they lay in a folder; a folder that holds all of them is left out
// of their names. Their time is the archive's, so that unpacking it again changes nothing.
Result<std::vector<UploadFile>> files_in_archive(const Arguments& arguments,
                                                 const RecordPlace& place) {
  const std::string path = arguments.text("path");
  MORTISE_ASSIGN(const UploadFile archive, file_at(path, path));
  MORTISE_ASSIGN(std::string folder, place.fresh_folder());
  ArchiveLimits limits;
  MORTISE_ASSIGN(const int64_t ratio, arguments.integer("--ratio-max", 200));
  limits.ratio_max = static_cast<uint64_t>(std::max<int64_t>(ratio, 1));
  MORTISE_ASSIGN(const base::DiskSpace disk, base::disk_space(folder));
  limits.total_bytes_max = std::min(limits.total_bytes_max, disk.free_bytes / 10 * 9);
  MORTISE_TRY(unpack_archive(path, folder, limits));
  MORTISE_ASSIGN(const auto top, base::posix_file_ops().list(folder));
  if (top.size() == 1 && top[0].is_folder) folder = base::join_path(folder, top[0].name);
  MORTISE_ASSIGN(std::vector<UploadFile> files, files_below(folder));
  for (UploadFile& file : files) file.modified_ns = archive.modified_ns;
  return files;
}

// What PATH is or holds, and what --media adds.
Result<std::vector<UploadFile>> files_of(const Arguments& arguments, Given given,
                                         const std::string& rows_name, const RecordPlace& place) {
  const std::string path = arguments.text("path");
  std::vector<UploadFile> found;
  if (given == Given::kFolder) {
    MORTISE_ASSIGN(found, files_below(path));
  } else if (given == Given::kArchive) {
    MORTISE_ASSIGN(found, files_in_archive(arguments, place));
  } else {
    MORTISE_ASSIGN(found.emplace_back(), file_at(path, rows_name));
  }
  if (arguments.has("--media")) {
    MORTISE_ASSIGN(auto media, files_below(arguments.text("--media")));
    for (UploadFile& file : media) {
      if (file.name != rows_name) found.push_back(std::move(file));
    }
  }
  if (found.empty()) {
    return Error(Code::kInvalidArgument, "There is nothing to upload.").at_file(path);
  }
  return found;
}

Result<Json> upload_options(const Arguments& arguments, const std::string& rows_name) {
  Json rows = Json::array();
  for (const std::string& name : arguments.all("--rows")) rows.push_back(name);
  if (!rows_name.empty() && rows.size() == 0) rows.push_back(rows_name);
  MORTISE_ASSIGN(Json map, arguments.pairs("--map"));
  MORTISE_ASSIGN(Json labels, arguments.pairs("--label"));
  MORTISE_ASSIGN(const int64_t bad, arguments.integer("--max-bad-rows", 0));
  Json modalities = Json::array();
  for (const std::string& modality : arguments.all("--modality")) modalities.push_back(modality);
  Json options = Json::object({{"name", arguments.text("name")},
                               {"task_type", arguments.text("--task-type")},
                               {"modalities", std::move(modalities)},
                               {"description", arguments.text("--description")},
                               {"labels", std::move(labels)},
                               {"map", std::move(map)},
                               {"max_bad_rows", bad},
                               {"draft", arguments.has("--draft")},
                               {"patch", arguments.has("--patch")}});
  if (rows.size() > 0) options["rows"] = std::move(rows);
  return options;
}

Result<int> upload(const Arguments& arguments) {
  const std::string path = arguments.text("path");
  const Given given = what_is(arguments);
  const std::string rows_name = given == Given::kFile ? path.substr(path.rfind('/') + 1) : "";
  DatasetUpload wanted;
  MORTISE_ASSIGN(wanted.options, upload_options(arguments, rows_name));
  MORTISE_ASSIGN(const int64_t connections, arguments.integer("--connections", 4));
  wanted.settings.connections = static_cast<size_t>(std::clamp<int64_t>(connections, 1, 16));
  MORTISE_ASSIGN(const RecordPlace place,
                 record_place("dataset upload", wanted.options, {path, arguments.text("--media")}));
  MORTISE_ASSIGN(wanted.files, files_of(arguments, given, rows_name, place));
  if (given == Given::kFile) wanted.rows_path = path;
  wanted.place = &place;
  return upload_files(arguments, wanted);
}

std::string dataset_path(const Arguments& arguments) {
  return "/api/v1/datasets/" + escape_path(arguments.text("ref"));
}

Result<int> list(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page,
                 http.get("/api/v1/datasets" + page_query(arguments, arguments.text("query"))));
  show_table(arguments, page, {"name", "task_type", "newest_version", "row_count", "description"});
  return 0;
}

Result<int> get(const Arguments& arguments, const std::string& below) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json value, http.get(dataset_path(arguments) + below));
  show(arguments, value);
  return 0;
}
Result<int> show_dataset(const Arguments& arguments) {
  return get(arguments, "");
}

Result<int> versions(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page, http.get(dataset_path(arguments) + "/versions"));
  show_table(arguments, page, {"number", "state", "row_count", "media_count", "digest"});
  return 0;
}

Result<int> rows(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page, http.get(dataset_path(arguments) +
                                           "/rows?limit=" + arguments.text("--limit", "20") +
                                           "&offset=" + arguments.text("--offset", "0")));
  if (arguments.is_json) {
    show(arguments, page);
    return 0;
  }
  for (const Json& row : page["items"].items()) std::printf("%s\n", row.dump().c_str());
  return 0;
}

Result<int> label(const Arguments& arguments) {
  MORTISE_ASSIGN(Json labels, arguments.pairs("--label"));
  for (const std::string& name : arguments.all("--remove")) labels[name] = Json();
  MORTISE_ASSIGN(Http http, connect());
  Json change = Json::object({{"labels", std::move(labels)}});
  if (arguments.has("--description")) change["description"] = arguments.text("--description");
  MORTISE_ASSIGN(const Json value, http.patch(dataset_path(arguments), change));
  show(arguments, value);
  return 0;
}

Result<int> post(const Arguments& arguments, const char* verb) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json value, http.post(dataset_path(arguments) + verb, Json::object()));
  show(arguments, value);
  return 0;
}
Result<int> release(const Arguments& arguments) {
  return post(arguments, "/release");
}
Result<int> restore(const Arguments& arguments) {
  return post(arguments, "/restore");
}

Result<int> remove(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.remove(dataset_path(arguments)));
  show(arguments, Json::object({{"deleted", arguments.text("ref")}}));
  return 0;
}

// The canonical rows and every medium under its name.
Result<int> export_dataset(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  const std::string out = arguments.text("--out");
  base::FileOps& files = base::posix_file_ops();
  MORTISE_TRY(base::make_folders(files, out));
  MORTISE_TRY(
      http.download(dataset_path(arguments) + "/rows.jsonl", base::join_path(out, "rows.jsonl")));
  Progress progress;
  int64_t done = 0;
  std::string cursor;
  do {
    MORTISE_ASSIGN(const Json media,
                   http.get(dataset_path(arguments) + "/media?limit=1000" +
                            (cursor.empty() ? "" : "&cursor=") + escape_path(cursor)));
    for (const Json& item : media["items"].items()) {
      const std::string& name = item["name"].as_string();
      MORTISE_TRY(base::check_relative_path(name));
      const std::string path = base::join_path(out, name);
      MORTISE_TRY(base::make_folders(files, path.substr(0, path.rfind('/'))));
      MORTISE_TRY(http.download(dataset_path(arguments) + "/media/" + escape_path(name), path));
      progress.show("media", ++done, -1);
    }
    cursor = media["next_cursor"].as_string();
  } while (!cursor.empty());
  show(arguments, Json::object({{"folder", out}, {"media_count", done}}));
  return 0;
}

const Option kRef = {"ref", "NAME[@N]", "a data set or one of its versions", Take::kOne, true};

void add_reading(std::vector<Command>& out) {
  const Option limit = {"--limit", "N", "items a page"}, cursor = {"--cursor", "TEXT", "next page"};
  out.push_back({"dataset", "list", "The data sets.", {limit, cursor}, list});
  out.push_back({"dataset",
                 "search",
                 "Data sets whose name, description or labels hold the words.",
                 {{"query", "WORDS", "what to look for", Take::kOne, true}, limit, cursor},
                 list});
  out.push_back({"dataset", "show", "One data set or version.", {kRef}, show_dataset});
  out.push_back({"dataset", "versions", "The versions of a data set.", {kRef}, versions});
  out.push_back({"dataset",
                 "rows",
                 "Rows of a version, one JSON object a line.",
                 {kRef, limit, {"--offset", "N", "first row, from 0"}},
                 rows});
  out.push_back({"dataset",
                 "export",
                 "The rows and media into a folder.",
                 {kRef, {"--out", "DIR", "the folder", Take::kOne, true}},
                 export_dataset});
}

}  // namespace

void add_dataset_commands(std::vector<Command>& out) {
  out.push_back(
      {"dataset",
       "upload",
       "Upload, check and version a data set.",
       {{"name", "NAME", "of the data set", Take::kOne, true},
        {"path", "PATH", "a file of rows, or a folder, zip or tar with one", Take::kOne, true},
        {"--task-type", "T", "vqa, caption, sft, chat, ...", Take::kOne, true},
        {"--rows", "FILE", "where rows are; 'train-*.jsonl' for several", Take::kMany},
        {"--modality", "M", "text, image, audio or video", Take::kMany},
        {"--description", "TEXT", "for people"},
        {"--label", "KEY=VALUE", "for search", Take::kMany},
        {"--media", "DIR", "where the rows' files are"},
        {"--map", "TARGET=SOURCE", "name a column", Take::kMany},
        {"--max-bad-rows", "N", "leave out so many with --patch (0)"},
        {"--patch", "", "apply mechanical patches", Take::kFlag},
        {"--draft", "", "do not release it yet", Take::kFlag},
        {"--whole", "", "send an archive as it is, such as a shard", Take::kFlag},
        {"--ratio-max", "N", "how far an archive may unfold (200)"},
        {"--connections", "N", "1 to 16 at a time (4)"}},
       upload});
  add_reading(out);
  out.push_back({"dataset",
                 "label",
                 "Change labels and description.",
                 {kRef,
                  {"--label", "KEY=VALUE", "set a label", Take::kMany},
                  {"--remove", "KEY", "take a label away", Take::kMany},
                  {"--description", "TEXT", "for people"}},
                 label});
  out.push_back({"dataset", "release", "Make a draft the newest version.", {kRef}, release});
  out.push_back({"dataset", "restore", "Take a deletion back.", {kRef}, restore});
  out.push_back({"dataset", "delete", "Delete a version, or all of them.", {kRef}, remove});
}

}  // namespace mortise::cli
