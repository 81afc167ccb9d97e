// `mortise model ...` and `mortise endpoint ...` for what is stored: new, import, list, show,
// export, delete; start, stop, list.
#include <cstdio>

#include "base/clock.h"
#include "base/file_ops.h"
#include "cli/command.h"
#include "cli/http.h"
#include "cli/local_task.h"
#include "cli/server.h"
#include "cli/show.h"
#include "cli/upload.h"
#include "cli/wait.h"
#include "job/manifest.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

// Sends a model's folder and names it. place: as of bring_files.
Result<Json> import_folder(const std::string& name, const std::string& folder,
                           const Arguments& arguments, const RecordPlace* place) {
  MORTISE_ASSIGN(const auto entries, base::posix_file_ops().list(folder));
  std::vector<UploadFile> files;
  for (const base::FileInfo& entry : entries) {
    if (entry.is_folder) continue;
    MORTISE_ASSIGN(files.emplace_back(), file_at(base::join_path(folder, entry.name), entry.name));
  }
  const Json options = Json::object({{"name", name}});
  MORTISE_ASSIGN(const std::string id, bring_files(options, files, place));
  Json request = Json::object({{"name", name}, {"upload", id}});
  if (arguments.has("--description")) request["description"] = arguments.text("--description");
  if (arguments.has("--base")) request["base"] = arguments.text("--base");
  MORTISE_ASSIGN(Http http, connect());
  return http.post("/api/v1/models", request);
}

Result<int> model_import(const Arguments& arguments) {
  const std::string name = arguments.text("name"), folder = arguments.text("dir");
  MORTISE_TRY(run_local(
      {.kind = "model.check", .arguments = Json::object({{"folder", absolute_path(folder)}})}));
  MORTISE_ASSIGN(const RecordPlace place,
                 record_place("model import", Json::object({{"name", name}}), {folder}));
  MORTISE_ASSIGN(const Json model, import_folder(name, folder, arguments, &place));
  place.drop();
  show(arguments, model);
  return 0;
}

// A fresh model from a preset; made here by the worker, then imported like any other.
Result<int> model_new(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t seed, arguments.integer("--seed", 42));
  Json config = Json::object();
  if (arguments.has("--config")) {
    auto parsed = base::parse_json(arguments.text("--config"));
    if (!parsed.ok()) return std::move(parsed.error().at_field("--config").with("exit_code", "2"));
    config = std::move(*parsed);
  }
  const bool keeps = arguments.has("--out");
  const std::string folder =
      keeps ? absolute_path(arguments.text("--out"))
            : "/tmp/mortise-model-" + base::random_hex(base::system_random(), 8);
  Json given = Json::object(
      {{"preset", arguments.text("--preset")},
       {"seed", seed},
       {"dtype", arguments.text("--dtype")},
       {"config", std::move(config)},
       {"tokenizer",
        arguments.has("--tokenizer") ? Json(absolute_path(arguments.text("--tokenizer"))) : Json()},
       {"out", folder}});
  MORTISE_ASSIGN(const job::TaskResult made,
                 run_local({.kind = "model.new", .arguments = std::move(given)}));
  if (!made.ok) return 1;
  if (keeps) return 0;
  auto model = import_folder(arguments.text("name"), folder, arguments, nullptr);
  (void)base::remove_tree(base::posix_file_ops(), folder);
  MORTISE_TRY(model);
  show(arguments, *model);
  return 0;
}

std::string model_path(const Arguments& arguments) {
  return "/api/v1/models/" + escape_path(arguments.text("ref"));
}

Result<int> model_list(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page, http.get("/api/v1/models" + page_query(arguments)));
  show_table(arguments, page, {"name", "version", "kind", "base", "description"});
  return 0;
}

Result<int> model_show(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json model, http.get(model_path(arguments)));
  show(arguments, model);
  return 0;
}

Result<int> model_delete(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.remove(model_path(arguments)));
  show(arguments, Json::object({{"deleted", arguments.text("ref")}}));
  return 0;
}

Status download_model(Http& http, const std::string& reference, const std::string& folder) {
  MORTISE_ASSIGN(const Json model, http.get("/api/v1/models/" + escape_path(reference)));
  MORTISE_TRY(base::make_folders(base::posix_file_ops(), folder));
  for (const Json& file : model["files"].items()) {
    const std::string& name = file["name"].as_string();
    MORTISE_TRY(base::check_relative_path(name));
    MORTISE_TRY(
        http.download("/api/v1/models/" + escape_path(reference) + "/files/" + escape_path(name),
                      base::join_path(folder, name)));
  }
  return {};
}

// A stored model whose layout already is what was asked for is only fetched; a merge is a job.
Result<int> model_export(const Arguments& arguments) {
  const std::string reference = arguments.text("ref"), format = arguments.text("--format");
  if (auto built = job::check_export(format, arguments.text("--quantize")); !built.ok()) {
    const bool is_format = built.error().field == "/export";
    return std::move(built.error().at_field(is_format ? "--format" : "--quantize"));
  }
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json model, http.get(model_path(arguments)));
  std::string fetched = reference;
  const bool is_adapter = model["kind"].as_string() == "adapter";
  const bool is_as_stored = format == (is_adapter ? "peft" : "hf") && !arguments.has("--quantize");
  if (!is_as_stored) {
    Json formats = Json::array();
    formats.push_back(format);
    Json manifest = Json::object({{"kind", "export"}, {"export", std::move(formats)}});
    manifest["model"] = is_adapter ? model["base"] : Json(reference);
    if (is_adapter) manifest["adapter"] = reference;
    if (arguments.has("--quantize")) manifest["quantize"] = arguments.text("--quantize");
    MORTISE_ASSIGN(const Json job, http.post("/api/v1/jobs", manifest));
    MORTISE_ASSIGN(const Json ended, wait_for_job(http, job["id"].as_string()));
    if (ended["state"].as_string() != "done") return job_error(ended);
    MORTISE_ASSIGN(const Json whole, http.get("/api/v1/jobs/" + job["id"].as_string()));
    fetched = whole["record"]["models"].at(0).as_string();
  }
  MORTISE_TRY(download_model(http, fetched, arguments.text("--out")));
  show(arguments, Json::object({{"model", fetched}, {"folder", arguments.text("--out")}}));
  return 0;
}

Result<int> endpoint_start(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  Json request =
      Json::object({{"name", arguments.text("name")}, {"model", arguments.text("--model")}});
  if (arguments.has("--adapter")) request["adapter"] = arguments.text("--adapter");
  MORTISE_ASSIGN(Json endpoint, http.post("/api/v1/endpoints", request));
  const std::string path = "/api/v1/endpoints/" + escape_path(arguments.text("name"));
  while (endpoint["state"].as_string() == "starting") {
    base::system_clock().sleep_ms(50);
    MORTISE_ASSIGN(endpoint, http.get(path));
  }
  if (endpoint["state"].as_string() != "ready") return job_error(endpoint);
  endpoint["url"] = http.server().url() + "/v1";
  show(arguments, endpoint);
  return 0;
}

Result<int> endpoint_stop(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.remove("/api/v1/endpoints/" + escape_path(arguments.text("name"))));
  show(arguments, Json::object({{"stopped", arguments.text("name")}}));
  return 0;
}

Result<int> endpoint_list(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page, http.get("/api/v1/endpoints"));
  show_table(arguments, page, {"name", "state", "model", "job_id"});
  return 0;
}

const Option kRef = {"ref", "NAME[@N]", "a model or adapter", Take::kOne, true};
const Option kName = {"name", "NAME", "the name", Take::kOne, true};

}  // namespace

void add_model_commands(std::vector<Command>& out) {
  out.push_back({"model",
                 "new",
                 "A small model with random weights.",
                 {kName,
                  {"--preset", "NAME", "its shape; a wrong one lists all", Take::kOne, true},
                  {"--seed", "N", "of the weights (42)"},
                  {"--dtype", "TYPE", "float32 or bfloat16"},
                  {"--config", "JSON", "merged into config.json"},
                  {"--tokenizer", "DIR", "whose files go into the model's folder"},
                  {"--out", "DIR", "write it here and store nothing"},
                  {"--description", "TEXT", "for people"}},
                 model_new});
  out.push_back({"model",
                 "import",
                 "Store a folder in Hugging Face or PEFT layout.",
                 {kName,
                  {"dir", "DIR", "the folder", Take::kOne, true},
                  {"--base", "NAME[@N]", "the model that an adapter belongs to"},
                  {"--description", "TEXT", "for people"}},
                 model_import});
  out.push_back({"model",
                 "list",
                 "Models and adapters.",
                 {{"--limit", "N", "items a page"}, {"--cursor", "TEXT", "next page"}},
                 model_list});
  out.push_back({"model", "show", "One model and its files.", {kRef}, model_show});
  out.push_back({"model",
                 "export",
                 "Write a model for others to read.",
                 {kRef,
                  {"--format", "FORMAT", "peft or hf", Take::kOne, true},
                  {"--quantize", "TYPE", "not in this build"},
                  {"--out", "DIR", "the folder", Take::kOne, true}},
                 model_export});
  out.push_back({"model", "delete", "Delete a model.", {kRef}, model_delete});
  out.push_back({"endpoint",
                 "start",
                 "Serve a model under a name.",
                 {kName,
                  {"--model", "NAME[@N]", "a model", Take::kOne, true},
                  {"--adapter", "NAME[@N]", "an adapter of it"}},
                 endpoint_start});
  out.push_back({"endpoint", "stop", "Stop serving.", {kName}, endpoint_stop});
  out.push_back({"endpoint", "list", "What is served.", {}, endpoint_list});
}

}  // namespace mortise::cli
