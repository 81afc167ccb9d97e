// The picture of a DICOM file as it is looked at: 8 bits, PNG.
//
// Called by dicom_rows.cpp. Stored values go through the rescale, the window and the photometric
// interpretation (PS3.3 C.7.6.3, C.11.1, C.11.2). MONOCHROME1, MONOCHROME2 and RGB of 8 or 16 bits;
// anything else is refused by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dicom_file.h"

namespace mortise::format_dicom {

struct Window {
  double center = 0, width = 0;
};

struct PictureOptions {
  std::optional<Window> window;  // in place of the file's
  bool is_full_range = false;    // from the least to the greatest value
  int64_t frames_max = 1;
  int64_t pixels_max = 64'000'000;  // of one frame
};

// One PNG a frame. Throws INVALID_ARGUMENT, UNIMPLEMENTED or RESOURCE_EXHAUSTED naming what stands
// against it.
std::vector<std::string> pictures_of(const DicomFile& file, const PictureOptions& options);

}  // namespace mortise::format_dicom
