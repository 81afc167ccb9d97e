// What ingest makes, as plain files of a folder: rows.jsonl and media/. For imports on the user's
// own machine, which upload them afterwards; stored data go through sealed_output. [serial]
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/file_ops.h"
#include "ingest/media_sink.h"

namespace mortise::ingest {

class FolderOutput final : public RowSink, public MediaSink {
 public:
  FolderOutput(base::FileOps& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}
  base::Status add(std::string_view canonical_row) override;
  base::Status put(const std::string& name, base::ByteView bytes) override;
  base::Status drop(const std::string& name) override;
  base::Status finish();  // durable when it returns

 private:
  base::Status flush();
  base::FileOps& files_;
  std::string folder_, buffer_;
  std::unique_ptr<base::File> rows_;
  std::set<std::string> made_;  // folders
};

}  // namespace mortise::ingest
