// A root key that a program of the site prints. See keyring.h.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "store/key_in_memory.h"
#include "store/keyring.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::Code;
using base::Error;
using base::Result;

constexpr int64_t kWaitMs = 30'000, kPollMs = 5;
constexpr size_t kKeySize = 32;

Error failed(const std::string& program, std::string what) {
  return Error(Code::kFailedPrecondition, "The program of the root key " + std::move(what) + ".",
               "Run it by hand: it prints 32 bytes on standard output and ends with 0.")
      .at_file(program);
}

// What comes through the pipe until its end, one byte more than a key at most.
Result<Bytes> read_all(int pipe, base::Clock& clock, const std::string& program) {
  Bytes bytes(kKeySize + 1);
  size_t got = 0;
  const int64_t end_ms = clock.monotonic_ns() / 1'000'000 + kWaitMs;
  while (got < bytes.size()) {
    const int64_t left_ms = end_ms - clock.monotonic_ns() / 1'000'000;
    pollfd waiting{pipe, POLLIN, 0};
    if (left_ms <= 0) return failed(program, "did not end in 30 seconds");
    if (::poll(&waiting, 1, static_cast<int>(left_ms)) <= 0) continue;
    const ssize_t size = ::read(pipe, bytes.data() + got, bytes.size() - got);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed(program, std::string("cannot be read: ") + std::strerror(errno));
    if (size == 0) break;
    got += static_cast<size_t>(size);
  }
  bytes.resize(got);
  return bytes;
}

Result<int> wait_for(base::Process& processes, base::Clock& clock,
                     const base::ProcessIdentity& child) {
  for (int64_t waited_ms = 0;; waited_ms += kPollMs) {
    const auto code = processes.poll_exit(child);
    if (code.ok() || code.error().code != Code::kUnavailable) return code;
    if (waited_ms >= kWaitMs) (void)processes.signal(child, SIGKILL);
    clock.sleep_ms(kPollMs);
  }
}

}  // namespace

Result<std::unique_ptr<RootKey>> open_program_root_key(base::Process& processes, base::Clock& clock,
                                                       base::Random& random,
                                                       const std::vector<std::string>& arguments) {
  const std::string program = arguments.empty() ? std::string() : arguments[0];
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error(Code::kResourceExhausted,
                 std::string("Cannot make a pipe: ") + std::strerror(errno) + ".");
  }
  const auto child = processes.spawn({.arguments = arguments,
                                      .environment = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"},
                                      .working_folder = "/",
                                      .stdout_path = {},
                                      .stderr_path = {},
                                      .descriptors = {{ends[1], 1}, {STDERR_FILENO, 2}}});
  ::close(ends[1]);
  if (!child.ok()) {
    ::close(ends[0]);
    return failed(program, "cannot be started: " + child.error().message);
  }
  auto printed = read_all(ends[0], clock, program);
  ::close(ends[0]);
  if (!printed.ok()) (void)processes.signal(*child, SIGKILL);
  const auto code = wait_for(processes, clock, *child);
  if (!printed.ok()) return std::move(printed.error());
  const size_t size = printed->size();
  printed->resize(kKeySize);
  base::Secret key(std::span<const std::byte, kKeySize>(printed->data(), kKeySize));
  base::wipe(*printed);
  if (size != kKeySize) {
    return failed(program, size > kKeySize ? "printed more than 32 bytes"
                                           : "printed " + std::to_string(size) + " bytes, not 32");
  }
  if (!code.ok() || *code != 0) {
    return failed(program, "ended with " + (code.ok() ? std::to_string(*code) : "an error"));
  }
  return key_in_memory(random, std::move(key));
}

}  // namespace mortise::store
