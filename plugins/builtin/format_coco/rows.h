// Rows of an indexed COCO file: one a caption, or one an image with its boxes.
//
// Called by plugin.cpp. Boxes become corners in pixels; the annotations stay as they stand, with
// the name of their category. Knows nothing of how the index was made.
#pragma once

#include <mortise/cpp/format_rows.hpp>

#include "index.h"

namespace mortise::format_coco {

class Rows : public sdk::RowReader {
 public:
  // index must outlive the reader; image_folder: stands before each file name, "" or "train2017".
  Rows(const std::string& name, const Index& index, std::string image_folder,
       const sdk::RowPosition* from);

  bool next(sdk::JsonRow* out) override;
  sdk::RowPosition position() const override { return position_; }

 private:
  std::string caption_row(size_t place) const;
  std::string image_row(size_t place) const;

  sdk::File file_;
  const Index& index_;
  std::string image_folder_;
  sdk::RowPosition position_;  // the row alone
};

}  // namespace mortise::format_coco
