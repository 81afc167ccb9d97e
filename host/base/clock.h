// Time, processes and randomness as seams: production code asks these, tests put their own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace mortise::base {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_ns() = 0;        // since 1970-01-01 UTC
  virtual int64_t monotonic_ns() = 0;  // never goes back
  virtual void sleep_ms(int64_t duration_ms) = 0;
};
Clock& system_clock();
std::string format_utc(int64_t now_ns);  // "2026-11-24T05:10:00Z"

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> buffer) = 0;  // from the system's generator
};
Random& system_random();
std::string random_hex(Random& random, size_t size_bytes);  // lower case, 2 digits a byte

// A process that this one may have started in an earlier life: number, start time and boot.
struct ProcessIdentity {
  int64_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  std::string boot_id;
};

struct SpawnOptions {
  std::vector<std::string> arguments;    // [0] is the program's absolute path
  std::vector<std::string> environment;  // "KEY=value", nothing is inherited
  std::string working_folder;
  std::string stdout_path, stderr_path;          // appended to; empty: /dev/null
  std::vector<std::pair<int, int>> descriptors;  // {ours, its number there}; all others are closed
  bool new_session = true;                       // setsid: outlives us, no controlling terminal
};

class Process {
 public:
  virtual ~Process() = default;
  virtual Result<ProcessIdentity> spawn(const SpawnOptions& options) = 0;  // no shell, ever
  virtual bool is_alive(const ProcessIdentity& identity) = 0;  // false for a zombie or a reused pid
  virtual Status signal(const ProcessIdentity& identity, int number) = 0;
  // Exit status of our own child: 0..255, 128+n for signal n; UNAVAILABLE while it runs,
  // NOT_FOUND when it is not our child.
  virtual Result<int> poll_exit(const ProcessIdentity& identity) = 0;
  // Bytes that only this process holds in memory; mapped files do not count. NOT_FOUND when gone.
  virtual Result<uint64_t> private_bytes(const ProcessIdentity& identity) = 0;
};
Process& system_process();
Result<ProcessIdentity> identify_process(int64_t pid);

}  // namespace mortise::base
