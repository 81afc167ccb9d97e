// What ingest makes, sealed in a domain: the rows as a row table, the media as a name table of what
// was uploaded and what came inside the files. Called by the worker. [serial]
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ingest/media_sink.h"
#include "ingest/upload_files.h"
#include "store/row_table.h"

namespace mortise::ingest {

class SealedOutput final : public RowSink, public MediaSink {
 public:
  SealedOutput(std::shared_ptr<store::Domain> domain, const store::DomainKey& key)
      : domain_(domain), rows_(std::move(domain), key) {}

  base::Status add(std::string_view canonical_row) override { return rows_.add(canonical_row); }
  base::Status put(const std::string& name, base::ByteView bytes) override;
  base::Status drop(const std::string& name) override;

  // Rows [0, all) of a table of this domain come first: its groups are named as they are, but a
  // last one that is short is written again together with what follows.
  base::Status begin_with(const store::RowTable& parent);
  store::RowTableWriter& rows() { return rows_; }

  base::Result<store::ObjectRef> finish_rows() { return rows_.finish(); }
  // The table of the media that rows use; names sorted. Errors: NOT_FOUND for a name that was not
  // put, nor is in the upload or the version that it changes.
  base::Result<store::ObjectRef> finish_media(const std::vector<std::string>& names,
                                              const SealedUpload& upload);

 private:
  std::shared_ptr<store::Domain> domain_;
  store::RowTableWriter rows_;
  std::map<std::string, store::ObjectRef> made_;
};

}  // namespace mortise::ingest
