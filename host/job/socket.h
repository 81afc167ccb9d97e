// AF_UNIX sockets inside a folder whose path may be longer than an address holds, and whole lines
// over them. Used by channel.cpp only.
#pragma once

#include <string>

#include "base/result.h"

namespace mortise::job {

base::Result<int> listen_in_folder(const std::string& folder, const std::string& name);
base::Result<int> connect_in_folder(const std::string& folder, const std::string& name);
bool is_same_user(int descriptor);  // of the other end

// True once a byte (or the end) can be read; false at the time-out.
bool wait_readable(int descriptor, int64_t timeout_ms);
// Sends all of it without SIGPIPE; false when the other end has gone.
bool send_all(int descriptor, const std::string& text);
// One line without its newline. buffer keeps what came after it. Errors: UNAVAILABLE at the end,
// DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED for a line over size_bytes_max. timeout_ms < 0: none.
base::Result<std::string> receive_line(int descriptor, std::string& buffer, int64_t timeout_ms,
                                       size_t size_bytes_max);
bool peer_gone(int descriptor);

}  // namespace mortise::job
