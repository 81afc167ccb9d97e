// What surrounds a row while it is imported: the files beside it and the tables that it is joined
// to. Asked by the words of the mapping language; folder.h answers from an upload, tests from
// memory. Names are relative to the upload.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::ingest::catalog {

class Lookup {  // [serial]
 public:
  virtual ~Lookup() = default;

  // The file that is meant by a name: the file of that name, else the only one whose path ends so.
  // A name of which there is no file comes back as it was given. Errors: INVALID_ARGUMENT when
  // several files are meant.
  virtual base::Result<std::string> find(std::string_view name) = 0;
  // Files below a folder in the order of the numbers in their names. Errors: NOT_FOUND when there
  // are none.
  virtual base::Result<std::vector<std::string>> list(std::string_view folder) = 0;
  // The text of a file, found as find does. Errors: NOT_FOUND; RESOURCE_EXHAUSTED above a limit.
  virtual base::Result<std::string> text(std::string_view name) = 0;
  // Line `number` (from 1) of a text file. Errors: of text; OUT_OF_RANGE.
  virtual base::Result<std::string> line(std::string_view name, int64_t number) = 0;
  // A table of the set, an array; nullptr when the set has none of that name. Errors: NOT_FOUND for
  // a table whose file is not there; of reading it.
  virtual base::Result<const base::Json*> table(std::string_view name) = 0;
  // The first row of a table whose member `key` is `value`. Errors: of table; NOT_FOUND.
  virtual base::Result<const base::Json*> row_of(std::string_view table, std::string_view key,
                                                 const std::string& value) = 0;
  // Keeps a medium that stands inside a row; its name in the data set.
  virtual base::Result<std::string> keep(std::string bytes) = 0;
};

}  // namespace mortise::ingest::catalog
