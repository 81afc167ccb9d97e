// Rates of the sealed store in memory (/dev/shm when there is one), measured as `mortise bench
// ingest` does (store/measure.h), and of text, scrubbing and rotation. Prints one JSON line; fails
// under 600 MB of incompressible media per second of CPU, 10,000 objects of 3 KB per second, or
// over 1 ms (the best of five rounds: other programs may want the machine) for the 99th percentile
// of a random read of 16 KiB.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "store/keyring.h"
#include "store/measure.h"
#include "store/upkeep.h"
#include "tests/support/fixed_random.h"
#include "tests/support/temp_folder.h"

namespace mortise::bench {
namespace {

using store::Domain;

constexpr size_t kRotated = 10'000;

double cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
double wall_s() {
  return static_cast<double>(base::system_clock().monotonic_ns()) / 1e9;
}

// MB (10^6) per second of CPU that `act` spends on `size` bytes.
template <class Act>
double rate(size_t size, const Act& act) {
  const double begin = cpu_s();
  act();
  return static_cast<double>(size) / 1e6 / std::max(cpu_s() - begin, 1e-9);
}

[[noreturn]] void stop(const base::Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  std::exit(1);
}
template <class T>
T need(base::Result<T> result) {
  if (!result.ok()) stop(result.error());
  return std::move(result).value();
}
void need(base::Status status) {
  if (!status.ok()) stop(status.error());
}

std::shared_ptr<Domain> open_in(const std::string& folder) {
  const store::DomainKey key = store::DomainKey::make("bench", base::system_random());
  return need(Domain::open(base::posix_file_ops(), base::system_random(), base::system_clock(), key,
                           {folder, {}}));
}

double text_mb_per_s(const std::string& folder) {
  const auto domain = open_in(folder);
  tests::FixedRandom random(3);
  std::string text;
  while (text.size() < (64u << 20)) text += "token" + std::to_string(random.below(20'000)) + " ";
  return rate(text.size(), [&] {
    need(domain->put(base::as_bytes(text)));
    need(domain->sync());
  });
}

double rotation_s(const std::string& folder) {
  auto& files = base::posix_file_ops();
  auto ring =
      need(store::Keyring::open(files, base::system_random(), base::system_clock(), folder));
  need(ring->unlock(need(store::open_file_root_key(files, base::system_random(), folder))));
  for (size_t i = 0; i < kRotated; ++i) need(ring->create("domain-" + std::to_string(i)));
  const double begin = wall_s();
  const auto facts = need(ring->rotate());
  if (facts.rewrapped != kRotated || facts.keks_removed != 1) std::exit(1);
  return wall_s() - begin;
}

double scrub_mb_per_s(const std::string& folder) {
  const auto domain = open_in(folder);
  base::Bytes media(64u << 20);
  tests::FixedRandom(7).fill(media);
  need(domain->put(media));
  need(domain->finish_segment());
  return rate(media.size(), [&] { need(store::scrub(*domain, "", {.bytes_max = UINT64_MAX})); });
}

int run() {
  if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  const tests::TempFolder folder;
  store::MeasureOptions options;
  options.folder = folder / "measured";
  options.rounds = 5;
  const store::Measured measured = need(store::measure_store(
      base::posix_file_ops(), base::system_random(), base::system_clock(), options));
  base::Json found = measured.to_json();
  found["text_mb_per_cpu_s"] = text_mb_per_s(folder / "text");
  found["scrub_mb_per_cpu_s"] = scrub_mb_per_s(folder / "scrub");
  const double rotation = rotation_s(folder / "keys");
  found["rotate_10000_s"] = rotation;
  std::printf("%s\n", found.dump().c_str());
  return measured.ingest_mb_per_cpu_s >= 600 && measured.read_p99_us <= 1000 &&
                 measured.files_per_s >= 10'000 && rotation < 60
             ? 0
             : 1;
}

}  // namespace
}  // namespace mortise::bench

int main() {
  return mortise::bench::run();
}
