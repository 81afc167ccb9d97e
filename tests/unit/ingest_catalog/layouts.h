// A small sample of each layout of the catalogue, made for these tests: the files as the set's
// authors lay them out, and the rows that they become.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "ingest/catalog/entry.h"

namespace mortise::ingest::catalog {

// The catalogue that is shipped.
inline const Catalog& catalog() {
  static const Catalog all =
      Catalog::parse(base::read_file(base::posix_file_ops(), MORTISE_CATALOG).value()).value();
  return all;
}

struct LayoutSample {
  std::string layout, set, task;             // set: its id, or an entry of the catalogue as JSON
  std::map<std::string, std::string> files;  // rows and tables; name -> content
  std::vector<std::string> media;            // names of pictures, sounds and films
  std::vector<std::string> rows;             // that come of it, canonical JSON
};

// In `rows` "@KEPT" stands for the name of the picture of @PNG, "media/*.png" for a name that the
// import made.
const std::vector<LayoutSample>& imported_layouts();

}  // namespace mortise::ingest::catalog
