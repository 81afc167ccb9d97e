// See upload.h.
#include "cli/upload.h"

#include <cstdio>
#include <cstdlib>

#include "base/file_ops.h"
#include "cli/home.h"
#include "cli/http.h"
#include "cli/local_task.h"
#include "cli/server.h"
#include "cli/show.h"
#include "cli/wait.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

// How a record names the server: the private one has another port after each start.
std::string server_name() {
  const char* url = std::getenv("MORTISE_URL");
  return url == nullptr || *url == '\0' ? "private" : url;
}

Status send(UploadRecord& record, const std::vector<Transfer>& plan, const RecordPlace* place,
            const SendSettings& settings) {
  SendWork work{.upload = record.upload, .plan = &plan, .states = &record.transfers};
  work.reach = []() -> Result<Server> {
    MORTISE_ASSIGN(const Http http, connect());
    return http.server();
  };
  if (place != nullptr) work.save = [&record, place] { return place->save(record); };
  return send_transfers(work, settings);
}

// The record of an upload that still takes these files. NOT_FOUND when there is none.
Result<UploadRecord> record_to_go_on(Http& http, const std::string& files, size_t transfer_count,
                                     const RecordPlace& place) {
  MORTISE_ASSIGN(UploadRecord record, place.load());
  const bool is_same = record.files == files && record.transfers.size() == transfer_count;
  if (!is_same) {
    std::fprintf(stderr, "The files have changed since the upload was cut; it starts anew.\n");
  } else {
    const auto upload = http.get("/api/v1/uploads/" + record.upload);
    if (upload.ok() && (*upload)["state"].as_string() == "open") return record;
    if (!upload.ok() && upload.error().code != Code::kNotFound) return upload.error();
  }
  place.drop();
  return Error(Code::kNotFound, "There is nothing to go on with.");
}

// Runs the check to its end and answers the job.
Result<Json> check(Http& http, const std::string& upload) {
  MORTISE_ASSIGN(const Json job, http.post(upload + "/commit", Json::object()));
  return wait_for_job(http, job["id"].as_string());
}

// What the rows name, the upload lacks and lies beside the rows file. A name that would leave the
// folder is not looked for.
std::vector<UploadFile> beside(const std::string& rows_path, const Json& report) {
  const size_t slash = rows_path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : rows_path.substr(0, slash);
  std::vector<UploadFile> found;
  for (const Json& item : report["missing_media"].items()) {
    const std::string& name = item.as_string();
    if (!base::check_relative_path(name).ok()) continue;
    const std::string path = base::join_path(folder, name);
    auto file = file_at(path, name);
    if (file.ok()) found.push_back(std::move(*file));
  }
  return found;
}

}  // namespace

void show_findings(const Json& report) {
  for (const Json& finding : report["findings"].items()) {
    if (finding["severity"].as_string() != "error" && report["bad_rows_count"].as_int() > 0) {
      continue;  // the report has them; here they would hide what is wrong
    }
    Error shown(Code::kInvalidArgument, finding["message"].as_string(),
                finding["hint"].as_string());
    const Json& file = finding.contains("file") ? finding["file"] : report["rows_file"];
    shown.at_file(file.as_string()).at_row(finding["row"].as_int(-1));
    shown.at_byte(finding["byte_offset"].as_int(-1)).at_field(finding["field"].as_string());
    std::fprintf(stderr, "%s\n", shown.text().c_str());
  }
}

Result<RecordPlace> record_place(const std::string& verb, const Json& options,
                                 const std::vector<std::string>& paths) {
  Json places = Json::array();
  for (const std::string& path : paths) places.push_back(absolute_path(path));
  return RecordPlace::open(base::join_path(home_folder(), "uploads"),
                           Json::object({{"verb", verb},
                                         {"server", server_name()},
                                         {"options", options},
                                         {"paths", std::move(places)}}));
}

Result<std::string> bring_files(const Json& options, const std::vector<UploadFile>& files,
                                const RecordPlace* place, const SendSettings& settings) {
  MORTISE_ASSIGN(Http http, connect());
  const std::vector<Transfer> plan = plan_transfers(files);
  const std::string digest = digest_of(files);
  auto known = place == nullptr ? Result<UploadRecord>(Error(Code::kNotFound, ""))
                                : record_to_go_on(http, digest, plan.size(), *place);
  UploadRecord record;
  if (known.ok()) {
    record = std::move(*known);
  } else if (known.error().code != Code::kNotFound) {
    return std::move(known.error());
  } else {
    MORTISE_ASSIGN(const Json upload, http.post("/api/v1/uploads", options));
    record = {server_name(), upload["id"].as_string(), digest,
              std::vector<TransferState>(plan.size())};
    if (place != nullptr) MORTISE_TRY(place->save(record));
  }
  Status sent = send(record, plan, place, settings);
  if (sent.ok()) return record.upload;
  Error& error = sent.error();
  if (place != nullptr) {
    error.hint += (error.hint.empty() ? "" : " ") +
                  std::string("What arrived stays there: the same command run again goes on.");
  }
  return std::move(error);
}

Result<int> upload_files(const Arguments& arguments, const DatasetUpload& wanted) {
  MORTISE_ASSIGN(const std::string id,
                 bring_files(wanted.options, wanted.files, wanted.place, wanted.settings));
  const std::string path = "/api/v1/uploads/" + id;
  MORTISE_ASSIGN(Http http, connect());  // the server may be another process by now
  MORTISE_ASSIGN(Json ended, check(http, path));
  MORTISE_ASSIGN(Json after, http.get(path));
  // A rows file alone brings the files that its rows name, as `dataset check` finds them.
  const auto more = wanted.rows_path.empty() ? std::vector<UploadFile>()
                                             : beside(wanted.rows_path, after["result"]["report"]);
  if (ended["state"].as_string() == "failed" && !more.empty()) {
    const std::vector<Transfer> plan = plan_transfers(more);
    UploadRecord record{.upload = id, .transfers = std::vector<TransferState>(plan.size())};
    MORTISE_TRY(send(record, plan, nullptr, wanted.settings));
    MORTISE_ASSIGN(ended, check(http, path));
    MORTISE_ASSIGN(after, http.get(path));
  }
  if (wanted.place != nullptr) wanted.place->drop();
  const Json& result = after["result"];
  if (ended["state"].as_string() != "done") {
    if (arguments.is_json) {
      show(arguments, result);
    } else {
      show_findings(result["report"]);
    }
    return job_error(ended);
  }
  const Json& report = result["report"];
  if (report["bad_rows_count"].as_int() > 0 && !arguments.is_json) show_findings(report);
  MORTISE_ASSIGN(const Json version,
                 http.get("/api/v1/datasets/" + escape_path(result["reference"].as_string())));
  show(arguments, Json::object({{"reference", result["reference"]},
                                {"row_count", version["row_count"]},
                                {"rows_read", report["rows_count"]},
                                {"bad_rows_left_out", report["bad_rows_count"]},
                                {"findings", report["codes"]},
                                {"mapping", report["mapping"]}}));
  return 0;
}

}  // namespace mortise::cli
