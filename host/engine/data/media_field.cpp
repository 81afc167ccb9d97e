// See media_field.h.
#include "engine/data/media_field.h"

#include <algorithm>

namespace mortise::engine {
namespace {

using base::Json;
using ingest::MediaKind;

void add(MediaKind kind, const std::string& field, const Json& value,
         std::vector<MediaField>& out) {
  MediaField found{kind, field, {}};
  if (value.is_string()) found.names.push_back(value.as_string());
  for (const Json& name : value.items()) {  // the pictures of a film
    if (name.is_string()) found.names.push_back(name.as_string());
  }
  if (!found.names.empty()) out.push_back(std::move(found));
}

}  // namespace

std::vector<MediaField> media_fields(const Json& row) {
  struct Fields {
    MediaKind kind;
    const char *one, *many;
  };
  static constexpr Fields kFields[] = {{MediaKind::kImage, "image_path", "images"},
                                       {MediaKind::kAudio, "audio_path", "audios"},
                                       {MediaKind::kVideo, "video", "videos"}};
  std::vector<MediaField> out;
  for (const Fields& fields : kFields) {
    add(fields.kind, std::string("/") + fields.one, row[fields.one], out);
    const Json& list = row[fields.many];
    for (size_t i = 0; i < list.items().size(); ++i) {
      add(fields.kind, std::string("/") + fields.many + "/" + std::to_string(i), list.at(i), out);
    }
  }
  return out;
}

size_t count_of(const std::vector<MediaField>& media, MediaKind kind) {
  return static_cast<size_t>(std::ranges::count(media, kind, &MediaField::kind));
}

const char* kind_word(MediaKind kind) {
  switch (kind) {
    case MediaKind::kImage:
      return "image";
    case MediaKind::kAudio:
      return "sound";
    case MediaKind::kVideo:
      return "video";
  }
  return "medium";
}

}  // namespace mortise::engine
