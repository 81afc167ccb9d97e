// `mortise dataset catalog` and `dataset import`: the sets that are known, and a folder of one of
// them as a data set. The worker reads and maps it here; what comes of it is uploaded like any
// rows.
#include <cstdio>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file_ops.h"
#include "cli/command.h"
#include "cli/local_task.h"
#include "cli/show.h"
#include "cli/upload.h"

namespace mortise::cli {

using base::Json;
using base::Result;

namespace {

Result<int> catalog(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t limit, arguments.integer("--limit", 50));
  LocalTask task{.kind = "dataset.catalog", .shows_output = false};
  task.arguments = Json::object({{"limit", limit}, {"summary", arguments.has("--summary")}});
  for (const char* name :
       {"task", "modality", "language", "license", "layout", "query", "cursor"}) {
    task.arguments[name] = arguments.text(std::string("--") + name);
  }
  MORTISE_ASSIGN(const job::TaskResult result, run_local(task));
  const Json& page = result.record["page"];
  if (arguments.has("--summary")) {
    show(arguments, page);
  } else {
    show_table(arguments, page, {"id", "status", "task_types", "native_layout", "license"});
    std::fprintf(stderr, "%s sets: %s import as they come, %s need preparation.\n",
                 page["sets"].dump().c_str(), page["importable"].dump().c_str(),
                 page["needs_preparation"].dump().c_str());
  }
  return 0;
}

// Removed with all that is in it, whatever happens.
struct Imported {
  std::string folder;
  Imported() {
    const char* base = std::getenv("TMPDIR");
    folder = base::join_path(base == nullptr || *base != '/' ? "/tmp" : base,
                             "mortise-import-" + base::random_hex(base::system_random(), 8));
  }
  ~Imported() { (void)base::remove_tree(base::posix_file_ops(), folder); }
};

Result<int> import_set(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t bad, arguments.integer("--max-bad-rows", 0));
  const Imported made;
  MORTISE_TRY(base::make_folders(base::posix_file_ops(), made.folder));
  Json rows = Json::array();
  for (const std::string& name : arguments.all("--rows")) rows.push_back(name);
  LocalTask task{.kind = "dataset.import", .shows_output = false};
  task.arguments = Json::object({{"name", arguments.text("name")},
                                 {"path", absolute_path(arguments.text("path"))},
                                 {"media", absolute_path(arguments.text("--media"))},
                                 {"task", arguments.text("--task")},
                                 {"rows", std::move(rows)},
                                 {"max_bad_rows", bad},
                                 {"patch", arguments.has("--patch")},
                                 {"out", made.folder}});
  MORTISE_ASSIGN(const job::TaskResult result, run_local(task));
  const Json& report = result.record["report"];
  if (!result.ok || arguments.has("--check")) {
    if (arguments.is_json || result.ok) {
      show(arguments, report);
    } else {
      show_findings(report);
      std::fprintf(stderr, "%s\n", result.summary.c_str());
    }
    return result.ok ? 0 : 1;
  }
  DatasetUpload wanted;
  MORTISE_ASSIGN(wanted.files.emplace_back(),
                 file_at(base::join_path(made.folder, "rows.jsonl"), "rows.jsonl"));
  for (const auto& [name, path] : result.record["media"].members()) {
    MORTISE_ASSIGN(wanted.files.emplace_back(), file_at(path.as_string(), name));
  }
  const std::string& set = arguments.text("name");
  wanted.options = Json::object({{"name", arguments.text("--as", set)},
                                 {"task_type", result.record["task_type"]},
                                 {"rows", Json::array({"rows.jsonl"})},
                                 {"labels", Json::object({{"catalog", set}})},
                                 {"max_bad_rows", 0},
                                 {"draft", arguments.has("--draft")}});
  return upload_files(arguments, wanted);
}

}  // namespace

void add_catalog_commands(std::vector<Command>& out) {
  out.push_back(
      {"dataset",
       "catalog",
       "Sets that are known: what they are, and whether they import as they come.",
       {{"--task", "T", "vqa, caption, asr, ..."},
        {"--modality", "M", "image, audio or video"},
        {"--language", "L", "en, zh, ..."},
        {"--license", "TEXT", "a part of the license's name"},
        {"--layout", "NAME", "how their files are laid out, coco-captions"},
        {"--query", "WORDS", "in name, title, notes and tags"},
        {"--summary", "", "how many there are, and how many import as they come", Take::kFlag},
        {"--limit", "N", "items a page (50)"},
        {"--cursor", "TEXT", "next page"}},
       catalog});
  out.push_back({"dataset",
                 "import",
                 "Import a folder of a known set; nothing is ever fetched.",
                 {{"name", "NAME", "of the set, as in the catalogue", Take::kOne, true},
                  {"path", "DIR", "the folder with the set's own files", Take::kOne, true},
                  {"--task", "T", "one of the set's tasks (the first)"},
                  {"--as", "DATASET", "the name of the data set (the set's)"},
                  {"--rows", "FILE", "where rows are; 'train-*.parquet' for several", Take::kMany},
                  {"--media", "DIR", "where the rows' files are"},
                  {"--max-bad-rows", "N", "leave out so many with --patch (0)"},
                  {"--patch", "", "apply mechanical patches", Take::kFlag},
                  {"--draft", "", "do not release it yet", Take::kFlag},
                  {"--check", "", "report only, store nothing", Take::kFlag}},
                 import_set});
}

}  // namespace mortise::cli
