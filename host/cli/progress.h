// A progress bar with rate and remaining time on standard error; nothing when that is no terminal.
#pragma once

#include <cstdint>
#include <string>

namespace mortise::cli {

class Progress {  // [serial]
 public:
  Progress();
  ~Progress();  // ends the line
  // total -1: unknown, only a count is shown. A new phase starts a new bar.
  void show(const std::string& phase, int64_t done, int64_t total);

 private:
  bool is_terminal_;
  bool has_line_ = false;
  std::string phase_;
  int64_t began_ns_ = 0, shown_ns_ = 0;
};

}  // namespace mortise::cli
