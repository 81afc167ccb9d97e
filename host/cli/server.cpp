// See server.h. A server holds a lock on $MORTISE_HOME/run/lock, which has its process id, and
// writes run/address once it takes requests.
#include "cli/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "base/clock.h"
#include "base/file_ops.h"
#include "cli/home.h"
#include "job/launch.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kStartWaitMs = 10'000;
constexpr int64_t kPollMs = 20;

Result<Server> parse_url(const std::string& url) {
  const auto refuse = [&] {
    return Error(Code::kInvalidArgument, "MORTISE_URL is \"" + url + "\".",
                 "Write it as http://127.0.0.1:8080.")
        .with("exit_code", "2");
  };
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return refuse();
  std::string rest = url.substr(kScheme.size());
  while (rest.ends_with('/')) rest.pop_back();
  const size_t colon = rest.rfind(':');
  if (colon == std::string::npos) return refuse();
  Server server;
  server.host = rest.substr(0, colon);
  if (server.host.empty() || server.host.find('/') != std::string::npos) return refuse();
  const std::string port = rest.substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), server.port);
  if (read.ec != std::errc() || read.ptr != port.data() + port.size()) return refuse();
  if (server.port == 0) return refuse();
  return server;
}

Result<std::string> read_token() {
  if (const char* token = std::getenv("MORTISE_TOKEN")) return std::string(token);
  MORTISE_ASSIGN(std::string token, base::read_file(base::posix_file_ops(),
                                                    base::join_path(home_folder(), "token"), 4096));
  while (!token.empty() && (token.back() == '\n' || token.back() == ' ')) token.pop_back();
  return token;
}

Status start_private_server() {
  const std::string home = home_folder();
  base::FileOps& files = base::posix_file_ops();
  MORTISE_TRY(base::make_folders(files, base::join_path(home, "run")));
  MORTISE_ASSIGN(const std::string program, job::sibling_program("mortised"));
  base::SpawnOptions options;
  options.arguments = {program, "--private", "--listen", "127.0.0.1:0"};
  options.environment = {"MORTISE_HOME=" + home, "PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
  for (const char* name : {"LOG_LEVEL", "DEPLOY_MODE", "DEVICE_TYPE", "MORTISE_PACK_PATH", "TZ",
                           "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) {
      options.environment.push_back(std::string(name) + "=" + value);
    }
  }
  options.working_folder = home;
  options.stdout_path = base::join_path(home, "run/server.log");
  options.stderr_path = options.stdout_path;
  MORTISE_TRY(base::system_process().spawn(options));
  return {};
}

Error not_up() {
  return Error(Code::kUnavailable, "The private server did not come up.",
               "Look into " + base::join_path(home_folder(), "run/server.log") + ".")
      .with("exit_code", "5");
}

}  // namespace

Result<PrivateServer> find_private_server() {
  const std::string folder = base::join_path(home_folder(), "run");
  const auto none = [] {
    return Error(Code::kNotFound, "No private server runs on " + home_folder() + ".",
                 "Start it with `mortise up`.")
        .with("exit_code", "5");
  };
  // A server that died left its files behind, but not its lock.
  const std::string lock = base::join_path(folder, "lock");
  const int descriptor = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return none();
  const bool is_free = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
  ::close(descriptor);
  if (is_free) return none();
  // The number first: one that starts writes it after it has removed the address of a dead one.
  MORTISE_ASSIGN(const std::string pid, base::read_file(base::posix_file_ops(), lock, 4096));
  PrivateServer found;
  std::from_chars(pid.data(), pid.data() + pid.size(), found.pid);
  const auto process = base::identify_process(found.pid);
  if (!process.ok() || !base::system_process().is_alive(*process)) return none();
  auto url = base::read_file(base::posix_file_ops(), base::join_path(folder, "address"), 4096);
  if (!url.ok()) return none();  // it is starting or ending
  while (url->ends_with('\n')) url->pop_back();
  MORTISE_ASSIGN(found.server, parse_url(*url));
  MORTISE_ASSIGN(found.server.token, read_token());
  return found;
}

Result<Http> connect(bool may_start) {
  if (const char* url = std::getenv("MORTISE_URL"); url != nullptr && *url != '\0') {
    MORTISE_ASSIGN(Server server, parse_url(url));
    // The owner's token of this data root is not for servers elsewhere.
    const bool is_here = server.host == "localhost" || server.host == "127.0.0.1";
    const char* token = std::getenv("MORTISE_TOKEN");
    if (is_here) {
      MORTISE_ASSIGN(server.token, read_token());
    } else if (token != nullptr) {
      server.token = token;
    }
    return Http(std::move(server));
  }
  auto found = find_private_server();
  if (found.ok()) return Http(std::move(found->server));
  if (!may_start) return std::move(found.error());
  MORTISE_TRY(start_private_server());
  for (int64_t waited = 0; waited < kStartWaitMs; waited += kPollMs) {
    base::system_clock().sleep_ms(kPollMs);
    found = find_private_server();
    if (found.ok()) return Http(std::move(found->server));
  }
  return not_up();
}

Status stop_private_server() {
  MORTISE_ASSIGN(const PrivateServer found, find_private_server());
  MORTISE_ASSIGN(const auto process, base::identify_process(found.pid));
  MORTISE_TRY(base::system_process().signal(process, SIGTERM));
  for (int64_t waited = 0; waited < kStartWaitMs; waited += kPollMs) {
    if (!base::system_process().is_alive(process)) return {};
    base::system_clock().sleep_ms(kPollMs);
  }
  return Error(Code::kDeadlineExceeded, "The server did not end in 10 seconds.",
               "End the process " + std::to_string(found.pid) + ".");
}

}  // namespace mortise::cli
