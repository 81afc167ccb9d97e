// A passphrase from a file, a descriptor or the terminal; never from an argument, which every user
// of the machine could read.
#pragma once

#include <string>

#include "cli/command.h"

namespace mortise::cli {

inline constexpr Option kPassphraseFile = {"--passphrase-file", "FILE", "its first line"};
inline constexpr Option kPassphraseDescriptor = {"--passphrase-descriptor", "N",
                                                 "an open descriptor; its first line"};

bool names_passphrase(const Arguments& arguments);  // by one of these two
// Without the line end. is_new: asked for twice at a terminal. Errors: INVALID_ARGUMENT when two
// differ, or when nothing names it and there is no terminal; FAILED_PRECONDITION for a file that
// others may read; of reading.
base::Result<std::string> read_passphrase(const Arguments& arguments, bool is_new);

}  // namespace mortise::cli
