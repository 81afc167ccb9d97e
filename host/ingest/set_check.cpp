// See set_check.h.
#include "ingest/set_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ingest/check_table.h"
#include "job/split.h"

namespace mortise::ingest {

using base::Json;
using base::Result;
using base::Status;
using base::TapeValue;

namespace {

constexpr size_t kSidesMax = size_t{1} << 24;
constexpr int64_t kRareRows = 5;
constexpr int64_t kSpanMax = 10'000;  // between whole-number labels whose gaps are told

std::string percent(double share) {
  return std::to_string(static_cast<int>(std::lround(share * 100))) + " %";
}

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// The text of a file's first bytes.
Result<std::string> head_of(const UploadFiles& files, const std::string& name) {
  MORTISE_ASSIGN(const auto file, files.open(name));
  std::string head(4096, '\0');
  MORTISE_ASSIGN(const size_t got, file->read_at(0, std::as_writable_bytes(std::span(head))));
  head.resize(got);
  return head;
}

}  // namespace

SetCheck::SetCheck(const SetCheckOptions& options, Tell tell)
    : options_(options), tell_(std::move(tell)), lengths_(options.tokens, options.length_max) {}

bool SetCheck::is_held(const std::string& canonical) const {
  return job::is_held_out(canonical, options_.holdout_ratio, options_.holdout_seed);
}

Status SetCheck::add(TapeValue row, const RowPlace& place, const std::vector<RowPicture>& pictures,
                     std::optional<std::string> canonical) {
  ++rows_;
  while (file_starts_.size() <= place.file) {
    file_starts_.push_back(place.number - static_cast<uint32_t>(place.row - 1));
  }
  if (!pictures.empty() && !canonical) canonical = row.to_json().canonical();
  const bool held = canonical && is_held(*canonical);
  if (canonical) set_side(place.number, held);
  look_for_copies(row, place, canonical);
  if (!pictures.empty()) look_at_pictures(place, pictures, held);
  count_labels(row);
  count_license(row);
  if (options_.tokens == nullptr) return {};
  batch_.push_back(place);
  MORTISE_ASSIGN(const auto found, lengths_.add(row, batch_.size() - 1));
  tell_long(found);
  return {};
}

void SetCheck::look_for_copies(TapeValue row, const RowPlace& place,
                               const std::optional<std::string>& canonical) {
  const auto found = duplicates_.add(row, place.number);
  if (!found) return;
  if (found->is_exact) {
    ++exact_;
    tell_(make_finding("duplicate_row", "",
                       "The row is the same as " + row_name(found->earlier) + "."),
          place);
    return;
  }
  ++near_;
  tell_(make_finding("near_duplicate", "",
                     "The row is about " + percent(found->similarity) + " the same as " +
                         row_name(found->earlier) + "."),
        place);
  if (pairs_.size() == kPairsMax) return;
  const bool held = is_held(canonical ? *canonical : row.to_json().canonical());
  pairs_.push_back({found->earlier, place, held, found->similarity});
}

void SetCheck::look_at_pictures(const RowPlace& place, const std::vector<RowPicture>& pictures,
                                bool held) {
  for (const RowPicture& picture : pictures) {
    if (picture.number >= picture_sides_.size()) picture_sides_.resize(picture.number + 1);
    int8_t& sides = picture_sides_[picture.number];
    const auto side = static_cast<int8_t>(held ? 2 : 1);
    const bool is_leak = sides != 0 && (sides | side) == 3 && sides != 3;
    sides = static_cast<int8_t>(sides | side);
    if (!is_leak) continue;
    ++leak_pictures_;
    tell_(make_finding("leak_picture", "",
                       "Rows about " + std::string(picture.name) +
                           " lie on both sides of the holdout (ratio " +
                           Json(options_.holdout_ratio).dump() + ", seed " +
                           std::to_string(options_.holdout_seed) + ")."),
          place);
  }
}

std::string SetCheck::row_name(uint32_t number) const {
  size_t file = file_starts_.size() - 1;
  while (file > 0 && file_starts_[file] > number) --file;
  const std::string name = "row " + std::to_string(number - file_starts_[file] + 1);
  return file_starts_.size() == 1 ? name : name + " of file " + std::to_string(file + 1);
}

std::vector<uint32_t> SetCheck::wanted() const {
  std::vector<uint32_t> rows;
  for (const Pair& pair : pairs_) {
    if (pair.earlier >= sides_.size() || sides_[pair.earlier] == 0) rows.push_back(pair.earlier);
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

void SetCheck::learn(uint32_t number, const std::string& canonical) {
  set_side(number, is_held(canonical));
}

void SetCheck::set_side(uint32_t number, bool is_held) {
  if (number >= kSidesMax) return;
  if (number >= sides_.size()) sides_.resize(number + 1);
  sides_[number] = is_held ? 2 : 1;
}

void SetCheck::tell_leaks() {
  for (const Pair& pair : pairs_) {
    const int8_t side = pair.earlier < sides_.size() ? sides_[pair.earlier] : int8_t{0};
    if (side == 0 || (side == 2) == pair.is_later_held) continue;
    ++leak_rows_;
    tell_(make_finding("leak_row", "",
                       "The row would be " +
                           std::string(pair.is_later_held ? "held out" : "trained on") + ", " +
                           row_name(pair.earlier) + ", about " + percent(pair.similarity) +
                           " the same, " + (pair.is_later_held ? "trained on" : "held out") + "."),
          pair.later);
  }
}

void SetCheck::tell_long(const std::vector<Lengths::Long>& found) {
  for (const Lengths::Long& one : found) {
    tell_(make_finding("too_long", "",
                       "The row has " + std::to_string(one.tokens) + " tokens, " +
                           std::to_string(one.tokens - options_.length_max) + " more than " +
                           std::to_string(options_.length_max) + "."),
          batch_[one.tag]);
  }
  if (!batch_.empty() && lengths_.is_empty()) batch_.clear();
}

void SetCheck::count_labels(TapeValue row) {
  const TapeValue label = row.find("label");
  if (!label.exists() || label.is(Json::Kind::kDouble) || label.is(Json::Kind::kBool)) return;
  ++labelled_;
  const auto count = [&](TapeValue one) {
    labels_are_numbers_ = labels_are_numbers_ && one.is(Json::Kind::kInt);
    const std::string name = one.is_string() ? std::string(one.text()) : one.to_json().dump();
    if (labels_.size() < kNamesMax || labels_.contains(name)) ++labels_[name];
  };
  if (!label.is_array()) return count(label);
  for (const TapeValue one : label) count(one);
}

void SetCheck::count_license(TapeValue row) {
  for (const std::string_view name : {"license", "licence"}) {
    const std::string_view text = row.find(name).text();
    if (text.empty() || licenses_.size() == kNamesMax) continue;
    ++licenses_[std::string(text)];
  }
}

void SetCheck::tell_labels() {
  if (labels_.empty()) return;
  if (labels_.size() == 1 && labelled_ > 1) {
    tell_(make_finding("label_single", "/label",
                       "All rows have the label " + labels_.begin()->first + "."),
          {});
  }
  for (const auto& [name, count] : labels_) {
    if (labels_.size() == 1 || (count >= kRareRows && count * 1000 >= labelled_)) continue;
    tell_(make_finding("label_rare", "/label",
                       "The label " + name + " stands in " + std::to_string(count) + " of " +
                           std::to_string(labelled_) + " rows."),
          {});
  }
  if (!labels_are_numbers_) return;
  std::set<int64_t> numbers;
  for (const auto& [name, count] : labels_) numbers.insert(whole_number(name).value_or(0));
  if (*numbers.rbegin() - *numbers.begin() > kSpanMax) return;
  for (int64_t at = *numbers.begin(); at < *numbers.rbegin(); ++at) {
    if (numbers.contains(at)) continue;
    tell_(
        make_finding("label_absent", "/label", "No row has the label " + std::to_string(at) + "."),
        {});
  }
}

// {rows_count, labels {name: count}, entropy (bits), entropy_max}; null without labels.
Json SetCheck::labels_json() const {
  if (labels_.empty()) return {};
  int64_t total = 0;
  for (const auto& [name, count] : labels_) total += count;
  double entropy = 0;
  Json counts = Json::object();
  for (const auto& [name, count] : labels_) {
    const double share = static_cast<double>(count) / static_cast<double>(total);
    entropy -= share * std::log2(share);
    if (counts.size() < 200) counts[name] = count;
  }
  return Json::object({{"rows_count", labelled_},
                       {"labels_count", static_cast<int64_t>(labels_.size())},
                       {"labels", counts},
                       {"entropy", entropy},
                       {"entropy_max", std::log2(static_cast<double>(labels_.size()))}});
}

// The file that tells the licence: LICENSE, or a README.md whose head has "license:".
Result<std::string> SetCheck::license_file(const UploadFiles& files) const {
  std::string found;
  MORTISE_TRY(files.visit([&](const std::string& name) -> Status {
    if (!found.empty() || name.find('/') != name.npos) return {};
    if (name.starts_with("LICENSE") || name.starts_with("LICENCE") || name.starts_with("COPYING")) {
      found = name;
    } else if (name == "README.md") {
      MORTISE_ASSIGN(const std::string head, head_of(files, name));
      if (head.find("license:") != head.npos) found = name;
    }
    return {};
  }));
  return found;
}

Result<Json> SetCheck::finish(const UploadFiles& files) {
  MORTISE_ASSIGN(const auto found, lengths_.flush());
  tell_long(found);
  tell_leaks();
  tell_labels();
  MORTISE_ASSIGN(const std::string license, license_file(files));
  if (license.empty() && licenses_.empty() && rows_ > 0) {
    tell_(make_finding("license_absent", "", "Nothing in the upload tells its licence."), {});
  }
  Json licenses = Json::object();
  for (const auto& [name, count] : licenses_) licenses[name] = count;
  const Json holdout = Json::object(
      {{"ratio", options_.holdout_ratio}, {"seed", static_cast<int64_t>(options_.holdout_seed)}});
  return Json::object(
      {{"duplicates", Json::object({{"exact_count", exact_},
                                    {"near_count", near_},
                                    {"rows_compared_max", uint64_t{Duplicates::kRowsMax}}})},
       {"leakage", Json::object({{"rows_count", leak_rows_},
                                 {"pictures_count", leak_pictures_},
                                 {"holdout", holdout}})},
       {"labels", labels_json()},
       {"lengths", lengths_.to_json()},
       {"license", Json::object({{"file", license}, {"rows", licenses}})}});
}

}  // namespace mortise::ingest
