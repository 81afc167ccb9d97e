// See raw_client.h.
#include "tests/unit/server/raw_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace mortise::server {

RawClient::RawClient(int port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

RawClient::~RawClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool RawClient::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void RawClient::end_sending() {
  ::shutdown(descriptor_, SHUT_WR);
}

bool RawClient::fill(int timeout_ms) {
  if (descriptor_ < 0) return false;
  pollfd waiting{descriptor_, POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) <= 0) return false;
  char piece[65536];
  const ssize_t got = ::recv(descriptor_, piece, sizeof piece, 0);
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<size_t>(got));
  return true;
}

std::string RawClient::line(int timeout_ms) {
  size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!fill(timeout_ms)) return {};
  }
  std::string found = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return found;
}

std::string RawClient::take(size_t size, int timeout_ms) {
  while (buffer_.size() < size && fill(timeout_ms)) {
  }
  std::string found = buffer_.substr(0, size);
  buffer_.erase(0, found.size());
  return found;
}

RawAnswer RawClient::receive(int timeout_ms, bool has_body) {
  RawAnswer answer;
  const std::string first = line(timeout_ms);
  if (first.size() < 12) return answer;
  answer.status = std::atoi(first.c_str() + 9);
  size_t length = 0;
  bool chunked = false;
  for (std::string header = line(timeout_ms); !header.empty(); header = line(timeout_ms)) {
    if (header.starts_with("Content-Length: ")) length = std::strtoul(&header[16], nullptr, 10);
    if (header == "Transfer-Encoding: chunked") chunked = true;
    answer.head += header + "\n";
  }
  if (answer.status == 100 || !has_body) return answer;
  if (!chunked) {
    answer.body = take(length, timeout_ms);
    return answer;
  }
  for (;;) {
    const size_t size = std::strtoul(line(timeout_ms).c_str(), nullptr, 16);
    answer.body += take(size, timeout_ms);
    line(timeout_ms);
    if (size == 0) return answer;
  }
}

bool RawClient::is_closed(int timeout_ms) {
  if (!buffer_.empty()) return false;
  pollfd waiting{descriptor_, POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) <= 0) return false;
  char byte = 0;
  return ::recv(descriptor_, &byte, 1, MSG_PEEK) <= 0;
}

}  // namespace mortise::server
