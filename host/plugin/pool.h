// The worker's own threads: parallel_for over pieces that depend only on the arguments, so a result
// does not depend on timing. Behind mortise.pool/1; the engine may use it too.
#pragma once

#include <cstdint>
#include <memory>

namespace mortise::plugin {

class Pool {
 public:
  explicit Pool(uint32_t threads_count);  // >= 1; threads start at the first parallel_for
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  uint32_t threads_count() const;
  // body(user, begin, end) covers [0, count) once, in pieces of at least `grain` (0 counts as 1),
  // at most 4 pieces a thread. Returns when all are done. From inside a body it runs here. One
  // loop at a time; a second caller waits its turn. [any]
  void parallel_for(uint64_t count, uint64_t grain, void (*body)(void*, uint64_t, uint64_t),
                    void* user);
  // Whether the calling thread is in a body now.
  static bool is_inside_body();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mortise::plugin
