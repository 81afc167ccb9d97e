// See lengths.h.
#include "ingest/lengths.h"

#include <algorithm>

#include "ingest/row_rules.h"

namespace mortise::ingest {

using base::Json;
using base::Result;

namespace {

constexpr size_t kBatchRows = 256;
constexpr size_t kLengthsKept = 65536;  // longer rows are counted as this long
constexpr int64_t kBars = 24;

}  // namespace

Result<std::vector<Lengths::Long>> Lengths::add(base::TapeValue row, size_t tag) {
  if (counter_ == nullptr) return std::vector<Long>{};
  std::string& text = texts_.emplace_back();
  visit_texts(row, [&](std::string_view part) {
    if (part.empty()) return;
    if (!text.empty()) text += '\n';
    text += part;
  });
  tags_.push_back(tag);
  return texts_.size() < kBatchRows ? std::vector<Long>{} : flush();
}

Result<std::vector<Lengths::Long>> Lengths::flush() {
  std::vector<Long> found;
  if (texts_.empty()) return found;
  MORTISE_ASSIGN(const auto counted, counter_->count(texts_));
  if (counts_.empty()) counts_.resize(kLengthsKept);
  for (size_t i = 0; i < counted.size(); ++i) {
    ++rows_;
    tokens_ += counted[i];
    longest_ = std::max(longest_, counted[i]);
    ++counts_[std::min(static_cast<size_t>(counted[i]), kLengthsKept - 1)];
    if (length_max_ == 0 || counted[i] <= length_max_) continue;
    ++too_long_;
    found.push_back({tags_[i], counted[i]});
  }
  texts_.clear();
  tags_.clear();
  return found;
}

Json Lengths::to_json() const {
  if (rows_ == 0) return {};
  const auto at_share = [&](double share) {
    auto left = static_cast<int64_t>(share * static_cast<double>(rows_ - 1));
    size_t length = 0;
    while (left >= counts_[length]) left -= counts_[length++];
    return static_cast<int64_t>(length);
  };
  const int64_t least = at_share(0), most = at_share(1);
  const int64_t step = std::max<int64_t>(1, (most - least + kBars) / kBars);
  Json bars = Json::array();
  for (int64_t from = least; from <= most; from += step) {
    int64_t count = 0;
    for (int64_t length = from; length < from + step && length <= most; ++length) {
      count += counts_[static_cast<size_t>(length)];
    }
    bars.push_back(Json::object({{"from", from}, {"to", from + step - 1}, {"count", count}}));
  }
  return Json::object({{"rows_count", rows_},
                       {"tokens_count", tokens_},
                       {"min", least},
                       {"p50", at_share(0.5)},
                       {"p90", at_share(0.9)},
                       {"p99", at_share(0.99)},
                       {"max", longest_},
                       {"length_max", length_max_},
                       {"too_long_count", too_long_},
                       {"histogram", bars}});
}

}  // namespace mortise::ingest
