// `mortise dataset upload|append|edit`: files go up over several connections, then the check runs
// as a job and a version is made.
#include <algorithm>

#include "base/file_ops.h"
#include "cli/archive.h"
#include "cli/command.h"
#include "cli/home.h"
#include "cli/http.h"
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

Given what_is(const Arguments& arguments, const std::string& path) {
  if (base::posix_file_ops().list(path).ok()) return Given::kFolder;
  return is_archive_name(path) && !arguments.has("--whole") ? Given::kArchive : Given::kFile;
}

// Leaves out the folder that holds all of them, if there is one.
void leave_out_top(std::vector<UploadFile>& files) {
  if (files.empty()) return;
  const std::string top = files[0].name.substr(0, files[0].name.find('/') + 1);
  const auto is_below = [&](const UploadFile& file) { return file.name.starts_with(top); };
  if (!std::all_of(files.begin(), files.end(), is_below)) return;
  for (UploadFile& file : files) file.name.erase(0, top.size());
}

// The files of an archive, as if they lay in a folder; one that holds all of them is left out of
// their names. Their time is the archive's, so that unpacking it again changes nothing.
Result<std::vector<UploadFile>> files_in_archive(const Arguments& arguments,
                                                 const std::string& path,
                                                 const RecordPlace& place) {
  MORTISE_ASSIGN(const UploadFile archive, file_at(path, path));
  MORTISE_ASSIGN(const auto scratch, SealedScratch::create(place.scratch_path()));
  ArchiveLimits limits;
  MORTISE_ASSIGN(const int64_t ratio, arguments.integer("--ratio-max", 200));
  limits.ratio_max = static_cast<uint64_t>(std::max<int64_t>(ratio, 1));
  MORTISE_ASSIGN(const base::DiskSpace disk, base::disk_space(home_folder()));
  limits.total_bytes_max = std::min(limits.total_bytes_max, disk.free_bytes / 10 * 9);
  MORTISE_ASSIGN(const auto unpacked, unpack_archive(path, *scratch, limits));
  const auto source = std::make_shared<UploadSource>(path, false, scratch);
  std::vector<UploadFile> files;
  for (const UnpackedFile& file : unpacked) {
    files.push_back({file.name, source, file.size_bytes, archive.modified_ns, file.begin_bytes});
  }
  leave_out_top(files);
  std::sort(files.begin(), files.end(),
            [](const UploadFile& a, const UploadFile& b) { return a.name < b.name; });
  return files;
}

// The name of the rows file when PATH is one; "" for a folder or an archive.
std::string rows_name_of(const Arguments& arguments, const std::string& path) {
  return what_is(arguments, path) == Given::kFile ? path.substr(path.rfind('/') + 1) : "";
}

// What PATH is or holds, and what --media adds.
Result<std::vector<UploadFile>> files_of(const Arguments& arguments, const std::string& path,
                                         const RecordPlace& place) {
  const Given given = what_is(arguments, path);
  const std::string rows_name = rows_name_of(arguments, path);
  std::vector<UploadFile> found;
  if (given == Given::kFolder) {
    MORTISE_ASSIGN(found, files_below(path));
  } else if (given == Given::kArchive) {
    MORTISE_ASSIGN(found, files_in_archive(arguments, path, place));
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

Json wanted_rows(const Arguments& arguments, const std::string& rows_name) {
  Json rows = Json::array();
  for (const std::string& name : arguments.all("--rows")) rows.push_back(name);
  if (!rows_name.empty() && rows.size() == 0) rows.push_back(rows_name);
  return rows;
}

// Tokens are counted only where the user names a model.
Status add_lengths(const Arguments& arguments, Json& options) {
  if (arguments.has("--tokenizer")) options["tokenizer"] = arguments.text("--tokenizer");
  if (!arguments.has("--max-length")) return {};
  if (!arguments.has("--tokenizer")) {
    return Error(Code::kInvalidArgument, "--max-length counts tokens and needs a tokenizer.",
                 "Give --tokenizer MODEL.")
        .with("exit_code", "2");
  }
  MORTISE_ASSIGN(options["max_length"], arguments.integer("--max-length", 0));
  return {};
}

// The format of the rows; without --format the surest is taken.
Status add_format(const Arguments& arguments, Json& options) {
  MORTISE_ASSIGN(Json config, arguments.json("--format-config", Json::object()));
  if (arguments.has("--format")) {
    options["format"] =
        Json::object({{"id", arguments.text("--format")}, {"config", std::move(config)}});
  } else if (arguments.has("--format-config")) {
    return Error(Code::kInvalidArgument, "--format-config is of a format that is named.",
                 "Give --format ID too.")
        .with("exit_code", "2");
  }
  return {};
}

Result<Json> upload_options(const Arguments& arguments, const std::string& rows_name) {
  Json rows = wanted_rows(arguments, rows_name);
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
  MORTISE_TRY(add_format(arguments, options));
  MORTISE_TRY(add_lengths(arguments, options));
  return options;
}

// Sends the files of PATH; a run that was cut goes on where its record says.
Result<int> send(const Arguments& arguments, const std::string& command, const std::string& path,
                 const Json& options) {
  DatasetUpload wanted;
  wanted.options = options;
  MORTISE_ASSIGN(const int64_t connections, arguments.integer("--connections", 4));
  wanted.settings.connections = static_cast<size_t>(std::clamp<int64_t>(connections, 1, 16));
  MORTISE_ASSIGN(const RecordPlace place,
                 record_place(command, options, {path, arguments.text("--media")}));
  MORTISE_ASSIGN(wanted.files, files_of(arguments, path, place));
  if (what_is(arguments, path) == Given::kFile) wanted.rows_path = path;
  wanted.place = &place;
  return upload_files(arguments, wanted);
}

Result<int> upload(const Arguments& arguments) {
  const std::string path = arguments.text("path");
  MORTISE_ASSIGN(const Json options, upload_options(arguments, rows_name_of(arguments, path)));
  return send(arguments, "dataset upload", path, options);
}

// Files that change a version; the data set's task type stays.
Result<int> upload_change(const Arguments& arguments, const char* kind, const std::string& path,
                          bool is_patched) {
  MORTISE_ASSIGN(Json map, arguments.pairs("--map"));
  MORTISE_ASSIGN(const int64_t bad, arguments.integer("--max-bad-rows", 0));
  const std::string ref = arguments.text("ref");
  Json options = Json::object({{"name", ref.substr(0, ref.find('@'))},
                               {"change", kind},
                               {"map", std::move(map)},
                               {"max_bad_rows", bad},
                               {"patch", is_patched},
                               {"draft", arguments.has("--draft")}});
  if (ref.find('@') != std::string::npos) options["parent"] = ref;
  Json rows = wanted_rows(arguments, rows_name_of(arguments, path));
  if (rows.size() > 0) options["rows"] = std::move(rows);
  MORTISE_TRY(add_format(arguments, options));
  MORTISE_TRY(add_lengths(arguments, options));
  return send(arguments, std::string("dataset ") + kind, path, options);
}

Result<int> append(const Arguments& arguments) {
  return upload_change(arguments, "append", arguments.text("path"), arguments.has("--patch"));
}
Result<int> edit(const Arguments& arguments) {
  return upload_change(arguments, "edit", arguments.text("--patch"), false);
}

const Option kCountAs = {"--tokenizer", "MODEL", "count tokens as this stored model does"};
const Option kLengthMax = {"--max-length", "N", "name rows of more tokens; with --tokenizer"};
const Option kRows = {"--rows", "FILE", "where rows are; 'train-*.jsonl' for several", Take::kMany};
const Option kMap = {"--map", "TARGET=SOURCE", "name a column", Take::kMany};
const Option kMaxBadRows = {"--max-bad-rows", "N", "leave out so many with --patch (0)"};
const Option kPatch = {"--patch", "", "apply mechanical patches", Take::kFlag};
const Option kFormat = {"--format", "ID", "the format of the rows, else the surest"};
const Option kFormatConfig = {"--format-config", "JSON",
                              "its configuration, such as {\"header\": false}"};
const Option kMedia = {"--media", "DIR", "where the rows' files are"};
const Option kDraft = {"--draft", "", "do not release it yet", Take::kFlag};

void add_upload(std::vector<Command>& out) {
  out.push_back(
      {"dataset",
       "upload",
       "Upload, check and version a data set.",
       {{"name", "NAME", "of the data set", Take::kOne, true},
        {"path", "PATH", "a file of rows, or a folder, zip or tar with one", Take::kOne, true},
        {"--task-type", "T", "vqa, caption, sft, chat, ...", Take::kOne, true},
        kRows,
        kFormat,
        kFormatConfig,
        {"--modality", "M", "text, image, audio or video", Take::kMany},
        {"--description", "TEXT", "for people"},
        {"--label", "KEY=VALUE", "for search", Take::kMany},
        kMedia,
        kMap,
        kMaxBadRows,
        kPatch,
        kCountAs,
        kLengthMax,
        kDraft,
        {"--whole", "", "send an archive as it is, such as a shard", Take::kFlag},
        {"--ratio-max", "N", "how far an archive may unfold (200)"},
        {"--connections", "N", "1 to 16 at a time (4)"}},
       upload});
}

const Option kParent = {"ref", "NAME[@N]", "the version to change", Take::kOne, true};

}  // namespace

void add_upload_commands(std::vector<Command>& out) {
  add_upload(out);
  out.push_back({"dataset",
                 "append",
                 "Add rows: a new version that shares what is there.",
                 {kParent,
                  {"path", "PATH", "a file of rows, or a folder with one", Take::kOne, true},
                  kRows,
                  kFormat,
                  kFormatConfig,
                  kMedia,
                  kMap,
                  kMaxBadRows,
                  kPatch,
                  kCountAs,
                  kLengthMax,
                  kDraft},
                 append});
  out.push_back({"dataset",
                 "edit",
                 "Change rows by their ids: a new version.",
                 {kParent,
                  {"--patch", "FILE",
                   "JSON lines of {\"id\", and \"row\", \"patch\" (RFC 6902) or \"delete\": true}",
                   Take::kOne, true},
                  kMedia,
                  kDraft},
                 edit});
}

}  // namespace mortise::cli
