// What a row says of its media against what the media are: boxes lie inside the image, the duration
// is right, two names are not one picture. Called by ingest for media that are good.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json_tape.h"
#include "ingest/media_check.h"

namespace mortise::ingest {

class MediaRules {  // [serial]
 public:
  explicit MediaRules(const MediaCheck& media) : media_(media) {}
  // named: as media_of gives them. Of a medium itself a thing is said once.
  void check(base::TapeValue row, const std::vector<std::pair<std::string, std::string>>& named,
             std::vector<Finding>& out);

 private:
  void boxes_inside(base::TapeValue row,
                    const std::vector<std::pair<std::string, std::string>>& named,
                    std::vector<Finding>& out) const;
  const MediaCheck& media_;
  std::vector<bool> told_;  // by number of the medium
};

}  // namespace mortise::ingest
