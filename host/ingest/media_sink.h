// Where what ingest makes goes: canonical rows, and media that came inside a format's files. The
// worker seals both; a check keeps neither. Called by ingest and media_intake. [serial]
#pragma once

#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"

namespace mortise::ingest {

class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual base::Status add(std::string_view canonical_row) = 0;
};

class MediaSink {
 public:
  virtual ~MediaSink() = default;
  // name: a new relative path. Errors: those of the store.
  virtual base::Status put(const std::string& name, base::ByteView bytes) = 0;
  virtual base::Status drop(const std::string& name) = 0;  // of a row that is left out
};

}  // namespace mortise::ingest
