// A set of the catalogue, from a folder of its own files to checked canonical rows. Called by the
// worker's task "dataset.import". Knows nothing of servers and versions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "ingest/catalog/entry.h"
#include "ingest/ingest.h"
#include "plugin/registry.h"

namespace mortise::ingest::catalog {

struct ImportRequest {
  const Entry* entry = nullptr;
  std::string task;                          // "": the first that can be used
  std::map<std::string, std::string> files;  // name -> file on this machine; rows and media
  std::string folder;                        // where the files of rows are
  std::vector<std::string> rows;             // names or patterns; empty: the entry's, else found
  int64_t max_bad_rows = 0;
  bool patch = false;
  std::string output_folder;  // rows.jsonl, report.json and media/ of what stood in rows
};

struct ImportResult {
  IngestResult ingested;
  std::string task_type;
  std::map<std::string, std::string> media;  // what the rows name -> file on this machine
};

// Errors: of Entry::mapping and choose_rows; NOT_FOUND when the importer is not installed; those of
// the importer and of the mapping, with file, row and byte.
base::Result<ImportResult> import_set(base::FileOps& files, plugin::Registry& registry,
                                      const ImportRequest& request, const IngestHooks& hooks);

}  // namespace mortise::ingest::catalog
