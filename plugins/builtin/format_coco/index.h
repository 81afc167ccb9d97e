// What a COCO file holds and where: images, annotations, categories.
//
// Called by plugin.cpp; rows.h reads the records again. One pass over the file; memory is 24 bytes
// a record and the categories.
#pragma once

#include <mortise/cpp/json_index.hpp>

#include <string>
#include <unordered_map>
#include <vector>

namespace mortise::format_coco {

enum class Layout { kUnknown, kCaptions, kDetection };

struct Index {
  Layout layout = Layout::kUnknown;
  bool has_annotations = false;        // the member is there, if only empty
  std::vector<sdk::JsonEntry> images;  // in the order of the file; key: id
  std::vector<sdk::JsonEntry> notes;   // annotations; key: place of the image in `images`
  std::vector<size_t> first_note;      // detection: of each image; one more at the end
  std::unordered_map<int64_t, std::string> categories;
};

// Detection: the annotations are sorted by image, each image's in the order of the file. Errors
// with file and byte: an image id twice, an annotation of an image that is not there.
Index read_index(const std::string& name, Layout layout);

}  // namespace mortise::format_coco
