// status.jsonl: what a worker says of itself, one line an event, appended and never rewritten, so
// that a server that was away reads what it missed. The worker writes, run and cli follow.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

enum class State { kStarting, kRunning, kDone, kFailed, kCancelled };
const char* state_name(State state);  // "starting"
bool is_final(State state);

struct StatusLine {
  int64_t at_ns = 0;  // filled by the writer when 0
  State state = State::kRunning;
  std::string phase;  // "load", "train", "save"; may be empty
  int64_t step = -1;  // -1: says nothing
  int64_t steps_total = -1;
  std::string message;
  std::optional<base::Error> error;  // with kFailed
  std::string endpoint;              // serve: "ready" once requests are taken

  base::Json to_json() const;
  static base::Result<StatusLine> from_json(const base::Json& value);
};

class StatusWriter {  // [any]
 public:
  static base::Result<std::unique_ptr<StatusWriter>> open(base::FileOps& files, base::Clock& clock,
                                                          const std::string& task_folder);
  // Appends the line; a final state is synced to the disk before it returns.
  base::Status write(StatusLine line);

 private:
  StatusWriter(base::Clock& clock, std::unique_ptr<base::File> file)
      : clock_(&clock), file_(std::move(file)) {}
  base::Clock* clock_;
  std::mutex mutex_;
  std::unique_ptr<base::File> file_;
};

// Follows any append-only JSON-lines file (status.jsonl, metrics.jsonl) from a byte offset. A last
// line without its newline is left for the next read. [serial]
class LineFollower {
 public:
  LineFollower(base::FileOps& files, std::string path, uint64_t offset = 0)
      : files_(&files), path_(std::move(path)), offset_(offset) {}
  // The whole lines since the last call; none when the file is not there yet. At most 1 MiB a call.
  // Errors: DATA_LOSS when a line is longer than that; as FileOps.
  base::Result<std::vector<std::string>> read();
  uint64_t offset() const { return offset_; }

 private:
  base::FileOps* files_;
  std::string path_;
  uint64_t offset_;
};

class StatusReader {  // [serial]
 public:
  StatusReader(base::FileOps& files, const std::string& task_folder);
  // New lines since the last call. A line that is not a status line is skipped: it is the worker's
  // fault, and what follows still counts.
  base::Result<std::vector<StatusLine>> read();

 private:
  LineFollower lines_;
};

}  // namespace mortise::job
