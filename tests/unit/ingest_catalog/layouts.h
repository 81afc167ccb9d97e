// A small sample of each layout of the catalogue, made for these tests: the files as the set's
// authors lay them out, and the rows that they become.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace mortise::ingest::catalog {

struct LayoutSample {
  std::string layout, set, task;
  std::map<std::string, std::string> files;  // rows and tables; name -> content
  std::vector<std::string> media;            // names of pictures, sounds and films
  std::vector<std::string> rows;             // that come of it, canonical JSON
};

// Layouts whose importer is built here.
const std::vector<LayoutSample>& imported_layouts();
// Layouts whose importer is not: files holds, under "rows", the rows that it gives, one a line.
const std::vector<LayoutSample>& given_layouts();

}  // namespace mortise::ingest::catalog
