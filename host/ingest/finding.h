// What is wrong with a row, and the report of a whole data set. Values only; made by row_check,
// media_check and ingest, read by people through cli and server.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace mortise::ingest {

// One finding, as contract and schemas fix it. A finding of severity "error" makes its row bad.
struct Finding {
  std::string severity = "error";  // error | warning
  std::string code;                // stable, "media_missing"
  std::string file;                // where rows lie in several files; else empty
  int64_t row = -1;                // from 1, in its file
  int64_t byte_offset = -1;        // of the row in its file
  std::string field;               // JSON pointer in the row
  std::string message;             // whole sentence
  std::string hint;                // what to do
  bool is_mended = false;          // the patch was applied
  base::Json patch;                // RFC 6902 array when the fix is mechanical, else null

  base::Json to_json() const;
};

// Whether a row with these findings is bad: one is an error that no patch mended.
bool has_error(const std::vector<Finding>& findings);

struct Report {
  std::string task_type;
  std::string rows_file;  // several: their names with ", " between
  int64_t rows_count = 0;
  int64_t bad_rows_count = 0;
  bool accepted = false;
  int64_t media_count = 0;
  uint64_t media_size_bytes = 0;
  base::Json mapping = base::Json::object();  // target -> source
  base::Json layout;                          // {name, confidence} when the rows' layout is known
  std::map<std::string, int64_t> codes;       // how often each code was found
  base::Json statistics;                      // of the whole set; see set_check
  std::vector<Finding> findings;              // in row order, those of the set last
  std::vector<std::string> unused_media;      // files of the upload that no row names
  std::vector<std::string> missing_media;     // what rows name and the upload has not, sorted
  base::Json change;  // of a version that was changed: rows added, changed, removed; else null

  static constexpr size_t kFindingsMax = 1000;
  static constexpr int64_t kWarningsMax = 100;  // kept of one code
  void add(Finding finding);                    // counts it; keeps it while there is room
  base::Json to_json() const;
};

}  // namespace mortise::ingest
