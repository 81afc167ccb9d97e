// Which database the tables of a home are in: HOME/database/mortise.db, or PostgreSQL. A home that
// met the wrong database, an empty one above all, would take its own files for waste; so the home
// and its PostgreSQL database carry one id, the home in HOME/database/postgresql. Called by
// Hub::open only.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "hub/database.h"

namespace mortise::hub {

// Opens the database of `home`; `address` is postgresql://... or empty for the file. A home whose
// tables are in the file moves into an empty PostgreSQL database, in one transaction; the file is
// kept as mortise.db.moved. A move that was cut is finished at the next start.
// Errors: FAILED_PRECONDITION for a database that belongs to another home, or that is empty while
// the home's tables are elsewhere; else as Database::open.
base::Result<std::unique_ptr<Database>> open_database(base::FileOps& files, base::Random& random,
                                                      const std::string& home,
                                                      const std::string& address);

}  // namespace mortise::hub
