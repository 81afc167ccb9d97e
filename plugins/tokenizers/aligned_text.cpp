// The origin of a byte is kept only in a tracked text that has changed; until then it is base +
// position.
#include "aligned_text.h"

#include <algorithm>

namespace mortise::tokenizers {

Range AlignedText::original(Range range) const {
  if (!moved_) return {base_ + range.begin, base_ + range.end};
  if (range.empty()) {
    const size_t at = range.begin < origin_.size() ? origin_[range.begin].begin : base_;
    return {at, at};
  }
  Range result = origin_[range.begin];
  for (size_t i = range.begin + 1; i < range.end; ++i) {
    result.begin = std::min(result.begin, origin_[i].begin);
    result.end = std::max(result.end, origin_[i].end);
  }
  return result;
}

bool AlignedText::is_at_start(size_t begin) const {
  if (base_ != 0) return false;
  if (!moved_ || begin >= origin_.size()) return begin == 0 && starts_at_base_;
  return origin_[begin].begin == 0;
}

Edit::Edit(const AlignedText& from) : from_(from) {
  next_.base_ = from.base_;
  next_.track_ = from.track_;
  next_.moved_ = from.track_;
  next_.bytes_.reserve(from.size() + from.size() / 8 + 4);
  if (next_.track_) next_.origin_.reserve(next_.bytes_.capacity());
}

void Edit::keep(Range range) {
  if (next_.bytes_.empty()) next_.starts_at_base_ = from_.is_at_start(range.begin);
  next_.bytes_ += from_.bytes(range);
  if (!next_.track_) return;
  for (size_t i = range.begin; i < range.end; ++i) {
    next_.origin_.push_back(from_.original({i, i + 1}));
  }
}

void Edit::put(std::string_view bytes, Range range) {
  if (next_.bytes_.empty()) next_.starts_at_base_ = from_.is_at_start(range.begin);
  next_.bytes_ += bytes;
  if (!next_.track_) return;
  next_.origin_.insert(next_.origin_.end(), bytes.size(), from_.original(range));
}

}  // namespace mortise::tokenizers
