// How long mortised takes from its start to an answered /readyz, and what it holds in memory, with
// 1,000 data sets stored and listed. Prints one JSON line; fails over 100 ms (median) or 40 MB.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "hub/hub.h"
#include "tests/support/temp_folder.h"

namespace mortise::bench {
namespace {

using base::Json;

constexpr int kDatasets = 1000;
constexpr int kStarts = 9;
constexpr double kReadyMsMax = 100, kResidentMbMax = 40;

base::Status fill(const std::string& home) {
  MORTISE_ASSIGN(auto hub, hub::Hub::open(base::posix_file_ops(), base::system_clock(),
                                          base::system_random(), home));
  return hub->database().write([&](hub::Connection& connection) -> base::Status {
    for (int i = 0; i < kDatasets; ++i) {
      hub::NewVersion version;
      version.name = "data-set-" + std::to_string(i);
      version.description = "A description of ordinary length, as somebody would write it.";
      version.labels = Json::object({{"language", "zh"}, {"domain", "medical"}});
      version.task_type = "vqa";
      version.domain = "0123456789abcdef0123456789abcdef";  // what is listed, not what is read
      version.row_count = 1;
      version.media_count = 10;
      MORTISE_TRY(hub->datasets().add_version(connection, version));
    }
    return {};
  });
}

// The whole answer to a GET; empty when nobody listens yet.
std::string get(int port, const std::string& path, const std::string& token) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string text = "GET " + path +
                             " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                             "Authorization: Bearer " + token + "\r\n\r\n";
    (void)!::write(descriptor, text.data(), text.size());
    char piece[65536];
    for (ssize_t got = 0; (got = ::read(descriptor, piece, sizeof piece)) > 0;) {
      answer.append(piece, static_cast<size_t>(got));
    }
  }
  ::close(descriptor);
  return answer;
}

double resident_mb(int64_t pid) {
  const auto text =
      base::read_file(base::posix_file_ops(), "/proc/" + std::to_string(pid) + "/status", 65536);
  const size_t at = text.ok() ? text->find("VmRSS:") : std::string::npos;
  return at == std::string::npos ? -1 : std::atof(text->c_str() + at + 6) * 1024 / 1e6;
}

struct Start {
  double ready_ms = -1, resident_mb = -1;
};

Start start_once(const std::string& home, const std::string& token) {
  base::Process& processes = base::system_process();
  constexpr int kPort = 47474;
  const int64_t begin = base::system_clock().monotonic_ns();
  const auto server =
      processes.spawn({.arguments = {MORTISED, "--listen", "127.0.0.1:" + std::to_string(kPort)},
                       .environment = {"MORTISE_HOME=" + home, "LOG_LEVEL=error"},
                       .working_folder = home,
                       .stdout_path = {},
                       .stderr_path = home + "/server.log",
                       .descriptors = {}});
  Start found;
  if (!server.ok()) return found;
  for (int i = 0; i < 5000; ++i) {
    if (get(kPort, "/readyz", "").starts_with("HTTP/1.1 200")) break;
    base::system_clock().sleep_ms(1);
  }
  found.ready_ms = static_cast<double>(base::system_clock().monotonic_ns() - begin) / 1e6;
  const std::string listed = get(kPort, "/api/v1/datasets?limit=1000", token);
  if (listed.find("data-set-999") != std::string::npos) {
    found.resident_mb = resident_mb(server->pid);
  }
  (void)processes.signal(*server, SIGTERM);
  while (!processes.poll_exit(*server).ok()) base::system_clock().sleep_ms(2);
  return found;
}

int run() {
  const tests::TempFolder folder;
  const std::string home = folder / "home";
  if (const auto filled = fill(home); !filled.ok()) {
    std::fprintf(stderr, "%s\n", filled.error().text().c_str());
    return 1;
  }
  const std::string token = "mrt_" + std::string(64, '0');
  if (!base::write_file_durably(base::posix_file_ops(), home + "/token", token + "\n").ok())
    return 1;
  std::vector<double> ready;
  double resident = 0;
  for (int i = 0; i < kStarts; ++i) {
    const Start start = start_once(home, token);
    if (start.resident_mb < 0) {
      std::fprintf(stderr, "mortised did not list the data sets.\n");
      return 1;
    }
    ready.push_back(start.ready_ms);
    resident = std::max(resident, start.resident_mb);
  }
  std::sort(ready.begin(), ready.end());
  const double median = ready[kStarts / 2];
  std::printf("%s\n", Json::object({{"bench", "server_start"},
                                    {"datasets", kDatasets},
                                    {"ready_ms_median", median},
                                    {"ready_ms_max", ready.back()},
                                    {"resident_mb_max", resident}})
                          .dump()
                          .c_str());
  return median <= kReadyMsMax && resident <= kResidentMbMax ? 0 : 1;
}

}  // namespace
}  // namespace mortise::bench

int main() {
  return mortise::bench::run();
}
