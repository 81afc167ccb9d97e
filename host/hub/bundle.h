// A tar of many small files taken apart into objects of their own. Called by transfers.
#pragma once

#include <memory>

#include "store/name_table.h"

namespace mortise::hub {

// A table of the archive's files, all or none; not durable before Domain::sync.
// Errors: as store::TarReader.
base::Result<store::NamesWritten> unpack_bundle(const std::shared_ptr<store::Domain>& domain,
                                                const store::ObjectRef& archive);

}  // namespace mortise::hub
