// What only the whole set can say: rows and pictures that repeat, copies on both sides of the
// holdout, how labels are spread, token lengths, the licence. One pass, in bounded memory; a second
// reading only when a copy's earlier row must be looked at again. Called by ingest. [serial]
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_tape.h"
#include "base/result.h"
#include "ingest/duplicates.h"
#include "ingest/finding.h"
#include "ingest/lengths.h"
#include "ingest/upload_files.h"

namespace mortise::ingest {

struct RowPlace {
  uint32_t number = 0;  // from 0, over all files
  size_t file = 0;
  int64_t row = 0;  // from 1, in its file
  int64_t byte_offset = -1;
};

// A picture of a row. number: the same one for pictures that look alike; name: the first of them.
struct RowPicture {
  uint32_t number = 0;
  std::string_view name;
};

struct SetCheckOptions {
  TokenCounter* tokens = nullptr;  // null: lengths are not counted
  int64_t length_max = 0;
  double holdout_ratio = 0.1;  // as job.json has it by default
  uint64_t holdout_seed = 7;
};

class SetCheck {
 public:
  using Tell = std::function<void(Finding, const RowPlace&)>;
  // tell: gets each finding and its row; a place whose row is 0 means the whole set.
  SetCheck(const SetCheckOptions& options, Tell tell);

  // A good row in canonical form. canonical: its text where it was made anyway, else nothing.
  base::Status add(base::TapeValue row, const RowPlace& place,
                   const std::vector<RowPicture>& pictures, std::optional<std::string> canonical);

  // Rows, by number and sorted, whose canonical text learn() wants before finish().
  std::vector<uint32_t> wanted() const;
  void learn(uint32_t number, const std::string& canonical);

  // Tells what is left. Answers the report's "statistics".
  base::Result<base::Json> finish(const UploadFiles& files);

 private:
  static constexpr size_t kPairsMax = 10'000;
  static constexpr size_t kNamesMax = 10'000;  // labels, licences
  struct Pair {
    uint32_t earlier = 0;
    RowPlace later;
    bool is_later_held = false;
    double similarity = 0;
  };
  bool is_held(const std::string& canonical) const;
  void set_side(uint32_t number, bool is_held);
  void look_for_copies(base::TapeValue row, const RowPlace& place,
                       const std::optional<std::string>& canonical);
  void look_at_pictures(const RowPlace& place, const std::vector<RowPicture>& pictures, bool held);
  void count_labels(base::TapeValue row);
  void count_license(base::TapeValue row);
  void tell_long(const std::vector<Lengths::Long>& found);
  void tell_leaks();
  void tell_labels();
  base::Result<std::string> license_file(const UploadFiles& files) const;
  base::Json labels_json() const;
  std::string row_name(uint32_t number) const;

  SetCheckOptions options_;
  Tell tell_;
  Duplicates duplicates_;
  Lengths lengths_;
  std::vector<RowPlace> batch_;        // of rows whose lengths are being counted
  std::vector<uint32_t> file_starts_;  // number of the first row of each file
  std::vector<int8_t> sides_;          // 0 unknown, 1 train, 2 held out
  std::vector<Pair> pairs_;
  std::vector<int8_t> picture_sides_;  // by number: bits of the sides that a picture is on
  std::map<std::string, int64_t> labels_, licenses_;
  bool labels_are_numbers_ = true;
  int64_t rows_ = 0, exact_ = 0, near_ = 0, leak_rows_ = 0, leak_pictures_ = 0, labelled_ = 0;
};

}  // namespace mortise::ingest
