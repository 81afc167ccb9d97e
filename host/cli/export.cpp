// See export.h.
#include "cli/export.h"

#include <array>

#include "base/file_ops.h"
#include "cli/http.h"
#include "cli/local_task.h"
#include "cli/progress.h"
#include "cli/server.h"
#include "cli/show.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

struct Written {
  std::string_view format, file;
};
constexpr std::array<Written, 3> kWritten = {
    {{"parquet", "data.parquet"}, {"webdataset", "data.tar"}, {"hdf5", "data.h5"}}};

// Every file of a list (media, originals) under its name below `folder`; how many there were.
Result<int64_t> fetch_all(Http& http, const std::string& list, const std::string& folder) {
  Progress progress;
  int64_t done = 0;
  std::string cursor;
  do {
    MORTISE_ASSIGN(
        const Json page,
        http.get(list + "?limit=1000" + (cursor.empty() ? "" : "&cursor=") + escape_path(cursor)));
    for (const Json& item : page["items"].items()) {
      const std::string& name = item["name"].as_string();
      MORTISE_TRY(base::check_relative_path(name));
      const std::string path = base::join_path(folder, name);
      MORTISE_TRY(base::make_folders(base::posix_file_ops(), path.substr(0, path.rfind('/'))));
      MORTISE_TRY(http.download(list + "/" + escape_path(name), path));
      progress.show("export", ++done, -1);
    }
    cursor = page["next_cursor"].as_string();
  } while (!cursor.empty());
  return done;
}

Result<Json> export_originals(Http& http, const std::string& version, const Json& shown,
                              const std::string& out) {
  if (shown["manifest"]["parents"].size() > 0) {
    return Error(Code::kFailedPrecondition,
                 shown["reference"].as_string() + " is a change of " +
                     shown["manifest"]["parents"].at(0)["reference"].as_string() +
                     ": no upload holds all its rows.",
                 "Take --format jsonl, or export the version that it was made from.");
  }
  MORTISE_ASSIGN(const int64_t count, fetch_all(http, version + "/originals", out));
  return Json::object({{"folder", out}, {"files_count", count}});
}

Result<Json> export_rows(Http& http, const std::string& version, const std::string& out) {
  MORTISE_TRY(http.download(version + "/rows.jsonl", base::join_path(out, "rows.jsonl")));
  MORTISE_ASSIGN(const int64_t count, fetch_all(http, version + "/media", out));
  return Json::object({{"folder", out}, {"media_count", count}});
}

// Rows and media lie beside the result while it is written.
Result<Json> export_written(Http& http, const std::string& version, const Written& how,
                            const std::string& out) {
  base::FileOps& files = base::posix_file_ops();
  const std::string staging = base::join_path(out, ".staging");
  MORTISE_TRY(base::remove_tree(files, staging));
  MORTISE_TRY(base::make_folders(files, staging));
  LocalTask task;
  task.kind = "dataset.write";
  task.shows_output = false;
  task.arguments = Json::object({{"folder", absolute_path(staging)},
                                 {"format", "mortise.format_" + std::string(how.format)},
                                 {"out", absolute_path(out)},
                                 {"file", how.file}});
  const auto fetched = export_rows(http, version, staging);
  const auto written = fetched.ok() ? run_local(task) : Result<job::TaskResult>(fetched.error());
  MORTISE_TRY(base::remove_tree(files, staging));
  MORTISE_TRY(written);
  return Json::object(
      {{"file", base::join_path(out, how.file)}, {"rows_count", written->record["rows_count"]}});
}

}  // namespace

Result<int> export_dataset(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  const std::string out = arguments.text("--out");
  const std::string format = arguments.text("--format", "original");
  const std::string path = "/api/v1/datasets/" + escape_path(arguments.text("ref"));
  MORTISE_ASSIGN(const Json found, http.get(path));
  const Json& shown = found.contains("newest") ? found["newest"] : found;
  if (shown.is_null()) {
    return Error(Code::kNotFound, "The data set has no released version.",
                 "Name a version: mortise dataset versions shows them.");
  }
  // The version by its number, so that another release meanwhile mixes nothing.
  const std::string version = "/api/v1/datasets/" + escape_path(shown["reference"].as_string());
  MORTISE_TRY(base::make_folders(base::posix_file_ops(), out));
  Json done;
  if (format == "original") {
    MORTISE_ASSIGN(done, export_originals(http, version, shown, out));
  } else if (format == "jsonl") {
    MORTISE_ASSIGN(done, export_rows(http, version, out));
  } else {
    for (const Written& how : kWritten) {
      if (how.format != format) continue;
      MORTISE_ASSIGN(done, export_written(http, version, how, out));
    }
  }
  if (done.is_null()) {
    return Error(Code::kInvalidArgument, "\"" + format + "\" is no format of export.",
                 "It is original, jsonl, parquet, webdataset or hdf5.")
        .at_field("--format");
  }
  done["reference"] = shown["reference"];
  show(arguments, done);
  return 0;
}

}  // namespace mortise::cli
