// Rows and pictures that the ingest tests make for themselves.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "ingest/ingest.h"

namespace mortise::ingest {

inline base::Json json(const std::string& text) {
  return base::parse_json(text).value();
}

// Gives the rows it was made with; the error, if any, comes after them.
class FakeRows final : public RowSource {
 public:
  explicit FakeRows(std::deque<std::string> rows) : rows_(rows), all_(std::move(rows)) {}
  void fail_at_end(base::Error error) { error_ = std::move(error); }
  // Media of row `index` (from 0).
  void add_media(size_t index, std::vector<plugin::MediaField> media) {
    media_[index] = std::move(media);
  }
  base::Result<bool> next(Row& row) override {
    if (rows_.empty()) {
      if (error_.code != base::Code::kUnknown) return error_;
      return false;
    }
    row.text = rows_.front();
    row.byte_offset = offset_;
    row.media = std::move(media_[index_++]);
    offset_ += static_cast<int64_t>(row.text.size()) + 1;
    rows_.pop_front();
    return true;
  }
  base::Result<bool> rewind() override {
    rows_ = all_;
    index_ = 0;
    offset_ = 0;
    return true;
  }

 private:
  std::deque<std::string> rows_, all_;
  std::map<size_t, std::vector<plugin::MediaField>> media_;
  size_t index_ = 0;
  base::Error error_;
  int64_t offset_ = 0;
};

// What ingest makes, in memory: rows as lines, media by name.
struct MemoryOutput final : public RowSink, public MediaSink {
  std::string rows;
  std::map<std::string, std::string> media;
  base::Status add(std::string_view row) override {
    rows += std::string(row) + "\n";
    return {};
  }
  base::Status put(const std::string& name, base::ByteView bytes) override {
    media[name] = std::string(base::as_text(bytes));
    return {};
  }
  base::Status drop(const std::string& name) override {
    media.erase(name);
    return {};
  }
};

// A PNG of `size` x `size` pixels, 8-bit grey, all of one value.
std::string grey_png(int size, int value);
// The same, brighter from right to left, with `value` added everywhere.
std::string sloping_png(int size, int value);

}  // namespace mortise::ingest
