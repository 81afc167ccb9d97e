// The media that a row names: which fields say so, and in which order they count. Called by
// row_messages, multimodal_dataset and whatever prepares pictures. Opens nothing.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "ingest/media_decode.h"

namespace mortise::engine {

// A medium that a row names.
struct MediaField {
  ingest::MediaKind kind = ingest::MediaKind::kImage;
  std::string field;               // JSON pointer, "/images/0"; empty outside of rows
  std::vector<std::string> names;  // one, or the pictures of a film

  bool operator==(const MediaField&) const = default;
};

// Those of a row, in order: images, then sound, then film. Whatever is no name is left out: a row
// was checked when it was taken in.
std::vector<MediaField> media_fields(const base::Json& row);

// How many of `media` are of a kind.
size_t count_of(const std::vector<MediaField>& media, ingest::MediaKind kind);

// "image", "sound" or "video", as errors call one of a kind.
const char* kind_word(ingest::MediaKind kind);

}  // namespace mortise::engine
