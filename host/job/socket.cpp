// See socket.h.
#include "job/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace mortise::job {
namespace {

base::Error socket_error(const char* action, const std::string& folder) {
  return base::Error(base::Code::kUnavailable,
                     std::string("Cannot ") + action + ": " + std::strerror(errno) + ".")
      .at_file(folder);
}

// "/proc/self/fd/N/name" reaches a folder of any depth within the 108 bytes of an address.
sockaddr_un address_in(int folder_descriptor, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(folder_descriptor) + "/" + name;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

}  // namespace

base::Result<int> listen_in_folder(const std::string& folder, const std::string& name) {
  const int place = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) return socket_error("open the folder of the socket", folder);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_in(place, name);
  ::unlinkat(place, name.c_str(), 0);
  const bool good =
      listener >= 0 &&
      ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::fchmodat(place, name.c_str(), 0600, 0) == 0 && ::listen(listener, 64) == 0;
  auto failed = socket_error("listen at the control socket", folder);
  ::close(place);
  if (good) return listener;
  if (listener >= 0) ::close(listener);
  return failed;
}

base::Result<int> connect_in_folder(const std::string& folder, const std::string& name) {
  const int place = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) return socket_error("open the folder of the socket", folder);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_in(place, name);
  const bool good =
      descriptor >= 0 &&
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  auto failed = socket_error("reach the worker at its control socket", folder);
  ::close(place);
  if (good) return descriptor;
  if (descriptor >= 0) ::close(descriptor);
  return failed;
}

bool is_same_user(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
         (credentials.uid == ::geteuid() || credentials.uid == 0);
}

bool wait_readable(int descriptor, int64_t timeout_ms) {
  pollfd waiting{descriptor, POLLIN, 0};
  const int timeout =
      timeout_ms < 0 ? -1 : static_cast<int>(std::min<int64_t>(timeout_ms, 1 << 30));
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, timeout);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool send_all(int descriptor, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t sent = ::send(descriptor, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    done += static_cast<size_t>(sent);
  }
  return true;
}

base::Result<std::string> receive_line(int descriptor, std::string& buffer, int64_t timeout_ms,
                                       size_t size_bytes_max) {
  std::array<char, 65536> piece;
  size_t searched = 0;
  for (;;) {
    const size_t end = buffer.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      return line;
    }
    searched = buffer.size();
    if (buffer.size() > size_bytes_max) {
      return base::Error(base::Code::kResourceExhausted,
                         "A message over the control socket is longer than " +
                             std::to_string(size_bytes_max) + " bytes.");
    }
    if (!wait_readable(descriptor, timeout_ms)) {
      return base::Error(
          base::Code::kDeadlineExceeded,
          "No answer came over the control socket in " + std::to_string(timeout_ms) + " ms.");
    }
    const ssize_t got = ::recv(descriptor, piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return base::Error(base::Code::kUnavailable, "The other end of the control socket has gone.");
    }
    buffer.append(piece.data(), static_cast<size_t>(got));
  }
}

bool peer_gone(int descriptor) {
  pollfd state{descriptor, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace mortise::job
