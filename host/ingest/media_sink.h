// Where media go that came inside a format's files. Called by media_intake. Knows names and bytes.
#pragma once

#include <memory>
#include <string>

#include "base/crypto.h"
#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::ingest {

class MediaSink {  // [serial]
 public:
  virtual ~MediaSink() = default;
  // name: a new relative path. Errors: those of the files.
  virtual base::Status put(const std::string& name, base::ByteView bytes) = 0;
  virtual base::Status drop(const std::string& name) = 0;  // of a row that is left out
  virtual base::Status finish() = 0;                       // what was put is durable after it
};

// The folder below a task's output that holds them; run/publish.cpp takes them from there.
inline constexpr const char* kMediaFolder = "media";

// Writes <output_folder>/media/<name>; forgets everything when output_folder is empty.
std::unique_ptr<MediaSink> make_media_sink(base::FileOps& files, const std::string& output_folder);

}  // namespace mortise::ingest
