// Runs functions in forked children with a time limit and brings their Outcomes back. Called by
// kit.cpp. Why fork and not a new program: a check then costs milliseconds, and the kit of eighty
// checks stays under a few seconds a pack.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "plugin/kit/check.h"

namespace mortise::plugin::kit {

// A forked child that runs body and is killed, with all that it started, when the object dies.
// [serial]
class Child {
 public:
  // folder: of the child's own; its death record and what it prints lie there. The time begins to
  // run. Errors: RESOURCE_EXHAUSTED when no child can be started.
  static base::Result<Child> start(const std::function<Outcome()>& body, const std::string& folder,
                                   int64_t time_limit_ms);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  // Blocks until the child is done or its time is over; once. Errors: CANCELLED.
  base::Result<Outcome> wait(const std::function<bool()>& is_cancelled);
  double seconds() const;  // from start to the end that wait saw

 private:
  Child(int pid, int answer, std::string folder, int64_t time_limit_ms);
  int end();  // kills, and gives what waitpid says

  int pid_, answer_;
  std::string folder_;
  int64_t time_limit_ms_, begin_ns_, end_ns_ = 0;
};

}  // namespace mortise::plugin::kit
