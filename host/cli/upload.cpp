// See upload.h.
#include "cli/upload.h"

#include <cstdio>

#include "base/file_ops.h"
#include "cli/http.h"
#include "cli/progress.h"
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

Status send(Http& http, const std::string& upload, const std::vector<UploadFile>& files) {
  std::vector<std::pair<std::string, std::string>> named;
  for (const UploadFile& file : files) named.emplace_back(file.name, file.path);
  return send_files(http, upload, named);
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
    const auto exists = base::posix_file_ops().exists(path);
    if (exists.ok() && *exists) found.push_back({name, path});
  }
  return found;
}

}  // namespace

void show_findings(const Json& report) {
  for (const Json& finding : report["findings"].items()) {
    Error shown(Code::kInvalidArgument, finding["message"].as_string(),
                finding["hint"].as_string());
    const Json& file = finding.contains("file") ? finding["file"] : report["rows_file"];
    shown.at_file(file.as_string()).at_row(finding["row"].as_int(-1));
    shown.at_byte(finding["byte_offset"].as_int(-1)).at_field(finding["field"].as_string());
    std::fprintf(stderr, "%s\n", shown.text().c_str());
  }
}

Result<int> upload_files(const Arguments& arguments, const Json& options,
                         const std::vector<UploadFile>& files, const std::string& rows_path) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json upload, http.post("/api/v1/uploads", options));
  const std::string& id = upload["id"].as_string();
  const std::string path = "/api/v1/uploads/" + id;
  MORTISE_TRY(send(http, id, files));
  MORTISE_ASSIGN(Json ended, check(http, path));
  MORTISE_ASSIGN(Json after, http.get(path));
  // A rows file alone brings the files that its rows name, as `dataset check` finds them.
  const auto more =
      rows_path.empty() ? std::vector<UploadFile>() : beside(rows_path, after["result"]["report"]);
  if (ended["state"].as_string() == "failed" && !more.empty()) {
    MORTISE_TRY(send(http, id, more));
    MORTISE_ASSIGN(ended, check(http, path));
    MORTISE_ASSIGN(after, http.get(path));
  }
  const Json& result = after["result"];
  if (ended["state"].as_string() != "done") {
    if (arguments.is_json) {
      show(arguments, result);
    } else {
      show_findings(result["report"]);
    }
    return job_error(ended);
  }
  show(arguments, Json::object({{"reference", result["reference"]},
                                {"rows_count", result["report"]["rows_count"]},
                                {"mapping", result["report"]["mapping"]}}));
  return 0;
}

}  // namespace mortise::cli
