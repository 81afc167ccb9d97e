// The catalogue of known sets (schemas/catalog.jsonl): what each is, which importer reads it and
// how its rows become ours. Called by the worker's catalogue tasks. Knows nothing of files: whether
// a set can be imported as it comes is computed from its mapping alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "ingest/catalog/mapping.h"

namespace mortise::ingest::catalog {

struct Entry {
  base::Json fields;  // as in the catalogue, an object

  const std::string& id() const { return fields["id"].as_string(); }
  std::string plugin_id() const { return "mortise." + fields["importer"].as_string(); }
  // Of the format that reads the rows: another than the importer where that one reads the media.
  std::string rows_plugin_id() const;

  // The mapping of a task; task "": the first one that can be used. Errors: NOT_FOUND naming the
  // tasks of the set; FAILED_PRECONDITION with the set's note when its media are addresses only, or
  // when the mapping asks for what the language has not.
  base::Result<Mapping> mapping(const std::string& task) const;
  // {status: "importable" | "needs preparation", reason?}
  base::Json status() const;
};

struct Query {
  std::string task, modality, language, license, layout;  // exact, but license: a part of it
  std::string words;                                      // each in id, title, notes or tags
};

class Catalog {
 public:
  // text: one entry a line. Errors: INVALID_ARGUMENT with row and byte.
  static base::Result<Catalog> parse(std::string_view text);

  const std::vector<Entry>& entries() const { return entries_; }  // sorted by id
  // Errors: NOT_FOUND, with the ids that hold the name.
  base::Result<const Entry*> find(const std::string& id) const;
  std::vector<const Entry*> search(const Query& query) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace mortise::ingest::catalog
