// mortised --restore: a home from a backup, without a server. The one program that may hold keys
// does it; `mortise store restore` starts it.
#pragma once

#include "app/mortised/settings.h"

namespace mortise::daemon {

// Prints one JSON document to standard output. `code`: 1 when what was restored is damaged. Errors:
// as HomeLock::take and hub::restore.
base::Status restore_home(const Settings& settings, int& code);

}  // namespace mortise::daemon
