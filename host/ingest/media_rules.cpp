// See media_rules.h.
#include "ingest/media_rules.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ingest/check_table.h"

namespace mortise::ingest {

using base::TapeValue;

namespace {

constexpr double kSecondsMin = 0.1;
constexpr double kPixelsOver = 1;  // a box may end one pixel past the edge: rounding

using Named = std::vector<std::pair<std::string, std::string>>;

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", seconds);
  return text;
}

bool is_inside(TapeValue box, const MediumFacts& image) {
  size_t i = 0;
  for (const TapeValue number : box) {
    const auto edge = static_cast<double>(i++ % 2 == 0 ? image.width : image.height);
    if (number.as_double() > edge + kPixelsOver) return false;
  }
  return true;
}

}  // namespace

void MediaRules::check(TapeValue row, const Named& named, std::vector<Finding>& out) {
  double seconds = 0;
  for (const auto& [field, name] : named) {
    const MediumFacts& facts = media_.facts(name);
    seconds += facts.seconds;
    if (!facts.is_good) continue;
    if (facts.number >= told_.size()) told_.resize(facts.number + 1);
    if (told_[facts.number]) continue;
    told_[facts.number] = true;
    if (facts.seconds > 0 && facts.seconds < kSecondsMin) {
      out.push_back(
          make_finding("media_short", field, name + " lasts " + seconds_text(facts.seconds) + "."));
    }
    if (facts.looks_like != NameIndex::kNone && facts.looks_like != facts.number) {
      const std::string first(media_.name(facts.looks_like));
      out.push_back(
          make_finding("same_picture", field, name + " looks the same as " + first + "."));
    }
  }
  const TapeValue told = row.find("duration");
  if (told.is_number() && seconds > 0 &&
      std::abs(told.as_double() - seconds) > std::max(0.5, 0.05 * seconds)) {
    out.push_back(make_finding("duration_wrong", "/duration",
                               "The row says " + seconds_text(told.as_double()) +
                                   ", the media last " + seconds_text(seconds) + "."));
  }
  boxes_inside(row, named, out);
}

// objects.image_id says which image a box is of; without it, the first.
void MediaRules::boxes_inside(TapeValue row, const Named& named, std::vector<Finding>& out) const {
  const TapeValue objects = row.find("objects");
  if (!objects.is_object() || objects.find("bbox_type").text() == "norm1" || named.empty()) return;
  const TapeValue ids = objects.find("image_id");
  size_t i = 0;
  for (const TapeValue box : objects.find("bbox")) {
    const auto id = static_cast<size_t>(std::max(0.0, ids.at(i).as_double(0)));
    const MediumFacts& image = media_.facts(named[std::min(id, named.size() - 1)].second);
    if (image.width > 0 && !is_inside(box, image)) {
      out.push_back(make_finding(
          "box_outside", "/objects/bbox/" + std::to_string(i),
          "The box " + box.to_json().dump() + " reaches outside the image of " +
              std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels."));
    }
    ++i;
  }
}

}  // namespace mortise::ingest
