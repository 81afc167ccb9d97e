// The records of one JSON document, cut out one by one: memory is one block and one record.
//
// Called by plugin.cpp. A document is an array of objects, an object of objects, or an object in
// which either lies. Knows nothing of probing.
#pragma once

#include <mortise/cpp/format_rows.hpp>
#include <mortise/cpp/json_walk.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mortise::format_json {

// Where the records of a document lie.
struct Place {
  std::vector<std::string> path;  // members to go down from the root
  bool is_keyed = false;          // an object of objects, not an array
};

struct Options {
  std::optional<std::string> records;  // as configured; absent: found
  std::string key = "key";             // member for the name of a keyed record
  sdk::JsonWalkLimits limits;
};

// Goes down to the records, or looks for them. Reads an object to its end, an array not at all.
// Throws INVALID_ARGUMENT when there are none, or several lists and none was chosen.
Place find_records(const std::string& name, const Options& options);

class RecordReader : public sdk::RowReader {
 public:
  // from: a position that such a reader had; NULL for the first record. options must outlive it.
  RecordReader(const std::string& name, Place place, const Options& options,
               const sdk::RowPosition* from);

  // Behind the last record the rest of the document is read too: a file that is cut is an error.
  bool next(sdk::JsonRow* out) override;
  sdk::RowPosition position() const override { return position_; }

 private:
  bool go_to_record();
  void take_record(sdk::JsonRow* out);
  void read_rest();

  sdk::JsonWalker walker_;
  Place place_;
  const Options& options_;
  sdk::RowPosition position_;  // at: the byte behind the last record
  bool is_done_ = false;
};

}  // namespace mortise::format_json
