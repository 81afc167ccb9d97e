// See task_reader.h.
#include "task_reader.h"

namespace mortise::format_labelstudio {

TaskReader::TaskReader(const std::string& name, const Options& options, sdk::JsonWalkLimits limits,
                       const sdk::RowPosition* from)
    : walker_(sdk::ByteReader(name, from == nullptr ? 0 : from->at), limits), options_(options) {
  if (from != nullptr) position_ = *from;
}

// Takes the next task; false behind the last.
bool TaskReader::open_task() {
  const bool is_first = position_.at == 0;
  if (is_first) walker_.expect('[');
  if (is_first ? walker_.accept(']') : !walker_.accept(',')) {
    is_done_ = true;
    if (!is_first) walker_.expect(']');
    walker_.expect_end();
    return false;
  }
  sdk::JsonSlice slice = walker_.take();
  task_begin_ = slice.begin;
  task_ = walker_.parse(std::move(slice));
  sdk::Json list = task_->root()["annotations"];
  if (!list.exists()) list = task_->root()["completions"];  // before version 1.0
  annotations_.clear();
  if (list.exists()) annotations_ = list.items();
  if (annotations_.empty()) annotations_.emplace_back();
  return true;
}

bool TaskReader::next(sdk::JsonRow* out) {
  if (is_done_) return false;
  bool is_inside = task_.has_value();
  try {
    if (!is_inside && !open_task()) return false;
    is_inside = true;
    if (position_.part >= annotations_.size()) {
      throw sdk::data_loss("The cursor does not fit the file.");
    }
    out->json = row_of(task_->root(), annotations_[position_.part], options_);
  } catch (const sdk::Failure& failure) {
    const int64_t byte =
        failure.byte >= 0 || !is_inside ? failure.byte : static_cast<int64_t>(task_begin_);
    throw failure.at(walker_.name(), static_cast<int64_t>(position_.row), byte, failure.field);
  }
  out->byte_offset = task_begin_;
  ++position_.row;
  if (++position_.part < annotations_.size()) return true;
  position_.part = 0;
  position_.at = walker_.offset();
  task_.reset();
  return true;
}

}  // namespace mortise::format_labelstudio
