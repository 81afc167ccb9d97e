// A progress bar with rate and remaining time on standard error when that is a terminal. Of bytes
// on their way a plain line now and then when it is none; else nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace mortise::cli {

// Bytes a second over the last five seconds. [serial]
class Rate {
 public:
  void add(int64_t now_ns, uint64_t bytes);  // bytes: all so far; may go back
  double per_second() const;                 // 0 as long as it is not known

 private:
  std::deque<std::pair<int64_t, uint64_t>> seen_;
};

// "  43 %  12.3 MB/s  1:05 left" without the spaces before; the rest when the rate is known.
std::string bytes_text(uint64_t done, uint64_t total, double per_second);

class Progress {  // [serial]
 public:
  Progress();
  ~Progress();  // ends the line
  // total -1: unknown, only a count is shown. A new phase starts a new bar.
  void show(const std::string& phase, int64_t done, int64_t total);
  void show_bytes(const std::string& phase, uint64_t done, uint64_t total);

 private:
  // Whether it is time to draw; a new phase begins a new line.
  bool is_due(const std::string& phase, int64_t every_ns, bool is_last);
  void draw(const std::string& line);

  bool is_terminal_;
  bool has_line_ = false;
  std::string phase_;
  int64_t began_ns_ = 0, shown_ns_ = 0;
  Rate rate_;
};

}  // namespace mortise::cli
