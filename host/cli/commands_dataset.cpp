// `mortise dataset ...` of what is stored; upload.h and commands_upload.cpp bring it there.
#include <cstdio>

#include "base/file_ops.h"
#include "cli/command.h"
#include "cli/export.h"
#include "cli/http.h"
#include "cli/server.h"
#include "cli/show.h"
#include "cli/wait.h"

namespace mortise::cli {

using base::Json;
using base::Result;
using base::Status;

namespace {

std::string dataset_path(const Arguments& arguments) {
  return "/api/v1/datasets/" + escape_path(arguments.text("ref"));
}

Result<int> list(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  std::string query = page_query(arguments, arguments.text("query"));
  for (const std::string& filter : arguments.all("--label")) {
    query += (query.empty() ? "?label=" : "&label=") + escape_path(filter);
  }
  if (arguments.has("--facets")) query += query.empty() ? "?facets=true" : "&facets=true";
  MORTISE_ASSIGN(const Json page, http.get("/api/v1/datasets" + query));
  show_table(arguments, page, {"name", "task_type", "newest_version", "row_count", "description"});
  if (arguments.has("--facets") && !arguments.is_json) show_facets(page["facets"]);
  return 0;
}

Result<int> get(const Arguments& arguments, const std::string& below) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json value, http.get(dataset_path(arguments) + below));
  show(arguments, value);
  return 0;
}
Result<int> show_dataset(const Arguments& arguments) {
  if (!arguments.has("--report")) return get(arguments, "");
  const std::string file = arguments.text("--report");
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.download(
      dataset_path(arguments) + "/report?format=" + (file.ends_with(".html") ? "html" : "json"),
      file));
  return 0;
}

Result<int> versions(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page, http.get(dataset_path(arguments) + "/versions"));
  show_table(arguments, page, {"version", "state", "row_count", "media_count", "digest"});
  return 0;
}

// An answer of JSON lines, as it comes.
Status print_lines(Http& http, const std::string& path) {
  return http.read(path, [](std::string_view piece) -> Status {
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    return {};
  });
}

// The filter of rows as a query string that begins with "&", or is empty.
std::string row_filter(const Arguments& arguments) {
  std::string query;
  for (const char* name : {"split", "ratio", "seed", "grep", "where"}) {
    for (const std::string& value : arguments.all("--" + std::string(name))) {
      query += "&" + std::string(name) + "=" + escape_path(value);
    }
  }
  return query;
}

// The filter of rows as the body of a search; what is no number is for the server to refuse.
Result<Json> search_body(const Arguments& arguments) {
  Json body = Json::object({{"grep", arguments.text("--grep")}, {"where", Json::array()}});
  for (const std::string& one : arguments.all("--where")) body["where"].push_back(one);
  if (arguments.has("--split")) body["split"] = arguments.text("--split");
  for (const char* name : {"ratio", "seed"}) {
    const std::string text = arguments.text("--" + std::string(name));
    if (text.empty()) continue;
    const auto number = base::parse_json(text);
    body[name] = number.ok() ? *number : Json(text);
  }
  if (arguments.has("--limit")) {
    MORTISE_ASSIGN(body["limit"], arguments.integer("--limit", 0));
  }
  return body;
}

// {"row_number", "id", "row"} as rows.jsonl has it: the row, or {"id", "row"}.
void print_match(std::string_view line, bool with_id) {
  const size_t id = line.find("\"id\":"), row = line.find(",\"row\":");
  if (with_id) std::printf("{");
  const std::string_view shown =
      with_id ? line.substr(id) : line.substr(row + 7, line.size() - row - 8);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::printf("\n");
}

// A worker looks at every row; the matches come when it has.
Result<int> search_rows(Http& http, const Arguments& arguments) {
  MORTISE_ASSIGN(const Json body, search_body(arguments));
  MORTISE_ASSIGN(const Json started, http.post(dataset_path(arguments) + "/search", body));
  const std::string id = started["id"].as_string();
  MORTISE_ASSIGN(const Json ended, wait_for_job(http, id));
  if (ended["state"].as_string() != "done") return job_error(ended);
  std::string rest;
  MORTISE_TRY(http.read(
      "/api/v1/jobs/" + id + "/artifacts/matches.jsonl", [&](std::string_view piece) -> Status {
        rest += piece;
        size_t begin = 0;
        for (size_t end; (end = rest.find('\n', begin)) != rest.npos; begin = end + 1) {
          print_match(std::string_view(rest).substr(begin, end - begin), arguments.has("--ids"));
        }
        rest.erase(0, begin);
        return {};
      }));
  const Json& found = ended["record"]["search"];
  if (found["has_more"].as_bool()) {
    std::fprintf(stderr, "more than %s rows match; --limit N shows more\n",
                 found["matches"].dump().c_str());
  }
  return 0;
}

Result<int> rows(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  const bool is_search = !arguments.text("--grep").empty() || !arguments.all("--where").empty();
  if (arguments.has("--all") && is_search) return search_rows(http, arguments);
  if (arguments.has("--all")) {
    MORTISE_TRY(print_lines(http, dataset_path(arguments) + "/rows.jsonl?ids=" +
                                      (arguments.has("--ids") ? "true" : "false") +
                                      row_filter(arguments)));
    return 0;
  }
  MORTISE_ASSIGN(
      const Json page,
      http.get(dataset_path(arguments) + "/rows?limit=" + arguments.text("--limit", "20") +
               "&offset=" + arguments.text("--offset", "0") + row_filter(arguments)));
  if (arguments.is_json) {
    show(arguments, page);
    return 0;
  }
  for (size_t i = 0; i < page["items"].size(); ++i) {
    const std::string row = page["items"].at(i).dump();
    const std::string id = arguments.has("--ids") ? page["ids"].at(i).as_string() + " " : "";
    std::printf("%s%s\n", id.c_str(), row.c_str());
  }
  if (!page["next_offset"].is_null()) {
    std::fprintf(stderr, "more: --offset %s\n", page["next_offset"].dump().c_str());
  }
  return 0;
}

Result<int> label(const Arguments& arguments) {
  MORTISE_ASSIGN(Json labels, arguments.pairs("--label"));
  for (const std::string& name : arguments.all("--remove")) labels[name] = Json();
  MORTISE_ASSIGN(Http http, connect());
  Json change = Json::object({{"labels", std::move(labels)}});
  Json tags = Json::object();
  for (const std::string& tag : arguments.all("--untag")) tags[tag] = Json();
  const std::string ref = arguments.text("ref");
  if (arguments.has("--tag")) {  // to the version that is named, or the newest
    MORTISE_ASSIGN(const Json found, http.get(dataset_path(arguments)));
    const Json& version = found.contains("newest") ? found["newest"] : found;
    for (const std::string& tag : arguments.all("--tag")) tags[tag] = version["version"];
  }
  if (tags.size() > 0) change["tags"] = std::move(tags);
  if (arguments.has("--description")) change["description"] = arguments.text("--description");
  MORTISE_ASSIGN(
      const Json value,
      http.patch("/api/v1/datasets/" + escape_path(ref.substr(0, ref.find('@'))), change));
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

Result<int> withdraw(const Arguments& arguments) {
  return post(arguments, "/withdraw");
}

// Rows by their ids: a new version without them, and what has seen them.
Result<int> remove_rows(const Arguments& arguments) {
  const std::string ref = arguments.text("ref");
  Json edits = Json::array();
  for (const std::string& id : arguments.all("--row")) {
    edits.push_back(Json::object({{"id", id}, {"delete", true}}));
  }
  Json body = Json::object({{"edits", std::move(edits)}});
  if (ref.find('@') != std::string::npos) body["parent"] = ref;
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(
      const Json started,
      http.post("/api/v1/datasets/" + escape_path(ref.substr(0, ref.find('@'))) + "/versions",
                body));
  MORTISE_ASSIGN(const Json ended, wait_for_job(http, started["job"]["id"].as_string()));
  if (ended["state"].as_string() != "done") return job_error(ended);
  show(arguments, Json::object({{"reference", ended["progress"]["reference"]},
                                {"seen_by", started["seen_by"]}}));
  return 0;
}

Result<int> remove(const Arguments& arguments) {
  if (arguments.has("--row")) return remove_rows(arguments);
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.remove(dataset_path(arguments)));
  show(arguments, Json::object({{"deleted", arguments.text("ref")}}));
  return 0;
}

Result<int> diff(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(print_lines(http, dataset_path(arguments) +
                                    "/diff?to=" + escape_path(arguments.text("to")) +
                                    "&key=" + escape_path(arguments.text("--key"))));
  return 0;
}

Result<int> lineage(const Arguments& arguments) {
  return get(arguments, "/lineage?row=" + escape_path(arguments.text("--row")));
}

const Option kRef = {"ref", "NAME[@N]", "a data set or one of its versions", Take::kOne, true};

void add_reading(std::vector<Command>& out) {
  const Option limit = {"--limit", "N", "items a page"}, cursor = {"--cursor", "TEXT", "next page"};
  out.push_back({"dataset", "list", "The data sets.", {limit, cursor}, list});
  out.push_back({"dataset",
                 "search",
                 "Data sets whose name, description or labels hold the words.",
                 {{"query", "WORDS", "what to look for; \"\" for all", Take::kOne, true},
                  {"--label", "FILTER", "k=v, k!=v, or k>=n with >, >=, <, <=", Take::kMany},
                  {"--facets", "", "count the task types and labels of all found", Take::kFlag},
                  limit,
                  cursor},
                 list});
  out.push_back({"dataset",
                 "show",
                 "One data set or version.",
                 {kRef, {"--report", "FILE", "what its check found: .html for a page, or .json"}},
                 show_dataset});
  out.push_back({"dataset", "versions", "The versions of a data set.", {kRef}, versions});
  out.push_back({"dataset",
                 "rows",
                 "Rows of a version, one JSON object a line.",
                 {kRef,
                  {"--limit", "N", "rows a page (20); with --all, matches at most (10000)"},
                  {"--offset", "N", "first row, from 0"},
                  {"--all", "", "all rows, not a page; a job finds those that match", Take::kFlag},
                  {"--ids", "", "with the ids that edits name", Take::kFlag},
                  {"--split", "SIDE", "train or held_out"},
                  {"--ratio", "R", "of the rows that are held out (0.1)"},
                  {"--seed", "N", "of the split (7)"},
                  {"--grep", "TEXT", "rows that hold this text"},
                  {"--where", "CONDITION", "FIELD=VALUE, or with !=, >, >=, <, <=", Take::kMany}},
                 rows});
  out.push_back({"dataset",
                 "diff",
                 "What differs between two versions, a JSON object a line, the summary last.",
                 {{"ref", "NAME[@N]", "from", Take::kOne, true},
                  {"to", "NAME[@N]", "to", Take::kOne, true},
                  {"--key", "FIELD", "rows pair by this field (without it: by place)"}},
                 diff});
  out.push_back({"dataset",
                 "lineage",
                 "What a version, or a row of it, came from and what came of it.",
                 {kRef, {"--row", "ID", "a row, as rows --ids shows it"}},
                 lineage});
  out.push_back({"dataset",
                 "export",
                 "A version as files.",
                 {kRef,
                  {"--out", "DIR", "the folder", Take::kOne, true},
                  {"--format", "F", "original (as uploaded), jsonl, parquet, webdataset or hdf5"}},
                 export_dataset});
}

}  // namespace

void add_dataset_commands(std::vector<Command>& out) {
  add_reading(out);
  out.push_back({"dataset",
                 "label",
                 "Change labels, tags and description.",
                 {kRef,
                  {"--label", "KEY=VALUE", "set a label", Take::kMany},
                  {"--remove", "KEY", "take a label away", Take::kMany},
                  {"--tag", "TAG", "let a tag point to this version", Take::kMany},
                  {"--untag", "TAG", "take a tag away", Take::kMany},
                  {"--description", "TEXT", "for people"}},
                 label});
  out.push_back({"dataset", "release", "Make a draft the newest version.", {kRef}, release});
  out.push_back({"dataset",
                 "withdraw",
                 "Keep a version from being the newest and from new jobs.",
                 {kRef},
                 withdraw});
  out.push_back({"dataset", "restore", "Take a deletion or a withdrawal back.", {kRef}, restore});
  out.push_back({"dataset",
                 "delete",
                 "Delete a version, all of them, or rows, which makes a version without them.",
                 {kRef, {"--row", "ID", "a row, as rows --ids shows it", Take::kMany}},
                 remove});
}

}  // namespace mortise::cli
