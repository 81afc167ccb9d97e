// The canonical form of rows whose shape is plain, made on the tape without building a value: what
// field_map and row_shape do for any row, done fast for text rows that need no thought. Called by
// ingest. Knows nothing of rules; tests hold it against apply_field_map.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_tape.h"
#include "ingest/field_map.h"

namespace mortise::ingest {

class TapeShape {  // [serial]
 public:
  explicit TapeShape(const FieldMap& map);

  // The canonical row, valid until the next call and as long as `row`; nothing for a row that
  // names media or whose shape needs apply_field_map.
  std::optional<base::TapeValue> shape(base::TapeValue row);

 private:
  std::string_view target_of(std::string_view column) const;
  bool add_messages(base::TapeValue messages);
  bool add_turn(base::TapeValue turn);
  bool add_member(base::TapeValue member);
  bool fold();

  FieldMap map_;
  bool is_plain_ = false, folds_ = false, is_preference_ = false;
  base::Tape tape_;
  base::TapeValue query_, input_, output_, system_;  // held back for fold()
  bool has_messages_ = false;
};

}  // namespace mortise::ingest
