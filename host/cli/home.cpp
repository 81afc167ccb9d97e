// See home.h.
#include "cli/home.h"

#include <cstdlib>

#include "cli/local_task.h"

namespace mortise::cli {

std::string home_folder() {
  if (const char* home = std::getenv("MORTISE_HOME"); home != nullptr && *home != '\0') {
    return absolute_path(home);
  }
  const char* user = std::getenv("HOME");
  return std::string(user == nullptr ? "" : user) + "/.local/share/mortise";
}

}  // namespace mortise::cli
