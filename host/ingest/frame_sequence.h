// A film that is a sequence of pictures: a list of files, a folder, or a plain tar. Frames are
// chosen and made smaller as those of video.h. For whatever feeds a model.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ingest/video.h"

namespace mortise::ingest {

// Frame i is what `read(i)` gives, a PNG or JPEG; only the chosen ones are read. fps: their time is
// index / fps; 0 when it is not known. Errors: INVALID_ARGUMENT for no frame or a budget below 1;
// those of read and decode_image, naming the frame.
base::Result<std::vector<VideoFrame>> sample_pictures(
    int64_t count, const std::function<base::Result<std::string>(int64_t)>& read, double fps,
    const FrameBudget& budget, const ImageLimits& limits = {});

bool is_picture(std::string_view name);  // png, jpg, jpeg
// Those of `names` that are pictures, by name: digits compare as numbers, so frame_9 comes before
// frame_10. Errors: INVALID_ARGUMENT when there is none.
base::Result<std::vector<std::string>> pictures_among(std::vector<std::string> names);
// The same of what lies in a folder. Errors also: those of listing.
base::Result<std::vector<std::string>> folder_pictures(base::FileOps& files,
                                                       const std::string& folder);

// A plain file in a tar.
struct TarEntry {
  std::string name;
  uint64_t offset = 0, size_bytes = 0;  // of its bytes in the archive
};
// The pictures in a plain tar, in the order of the archive. Headers only are read. Errors:
// INVALID_ARGUMENT for what is no tar, or has links or sizes in another form than octal; DATA_LOSS
// for an archive that is cut; RESOURCE_EXHAUSTED above 1,000,000 members.
base::Result<std::vector<TarEntry>> tar_pictures(ByteSource& source);

// Compares names as folder_pictures does. Equal numbers with more zeros come later.
bool before_by_number(std::string_view a, std::string_view b);

}  // namespace mortise::ingest
