// See sealed_output.h.
#include "ingest/sealed_output.h"

namespace mortise::ingest {

using base::Result;
using base::Status;

Status SealedOutput::put(const std::string& name, base::ByteView bytes) {
  MORTISE_ASSIGN(made_[name], domain_->put(bytes));
  return {};
}

// The object stays until a compaction; nothing names it.
Status SealedOutput::drop(const std::string& name) {
  made_.erase(name);
  return {};
}

Result<store::ObjectRef> SealedOutput::finish_media(const std::vector<std::string>& names,
                                                    const SealedUpload& upload) {
  store::NameTableWriter table(domain_);
  for (const std::string& name : names) {
    const auto made = made_.find(name);
    if (made != made_.end()) {
      MORTISE_TRY(table.add(name, made->second));
    } else {
      MORTISE_ASSIGN(const store::ObjectRef uploaded, upload.object(name));
      MORTISE_TRY(table.add(name, uploaded));
    }
  }
  return table.finish();
}

}  // namespace mortise::ingest
