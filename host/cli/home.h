// Where the command line finds the data root and the server.
#pragma once

#include <string>

namespace mortise::cli {

// $MORTISE_HOME made absolute, else ~/.local/share/mortise.
std::string home_folder();

}  // namespace mortise::cli
