// A fixed set of threads and one loop at a time. Pieces are numbered; which thread takes which
// piece is left to chance, what each piece covers is not. See pool.h.
#include "plugin/pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace mortise::plugin {
namespace {

constexpr uint64_t kPiecesPerThread = 4;
thread_local bool in_body = false;

}  // namespace

struct Pool::State {
  explicit State(uint32_t count) : threads_count(count) {}

  uint32_t threads_count;
  std::vector<std::thread> threads;

  std::mutex loops;  // one loop at a time
  std::mutex mutex;  // guards what follows
  std::condition_variable work, done;
  uint64_t generation = 0;
  uint32_t busy = 0;  // threads that are in the present loop
  bool is_ending = false;

  // The present loop.
  uint64_t count = 0, piece = 0, pieces = 0;
  void (*body)(void*, uint64_t, uint64_t) = nullptr;
  void* user = nullptr;
  std::atomic<uint64_t> next{0};

  void run_pieces() {
    in_body = true;
    for (uint64_t i = next.fetch_add(1); i < pieces; i = next.fetch_add(1)) {
      const uint64_t begin = i * piece;
      body(user, begin, begin + std::min(piece, count - begin));
    }
    in_body = false;
  }

  void serve() {
    uint64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [&] { return is_ending || generation != seen; });
      if (is_ending) return;
      seen = generation;
      lock.unlock();
      run_pieces();
      lock.lock();
      if (--busy == 0) done.notify_all();
    }
  }

  void start_threads() {
    for (uint32_t i = 1; i < threads_count && threads.size() + 1 < threads_count; ++i) {
      threads.emplace_back([this] { serve(); });
    }
  }
};

Pool::Pool(uint32_t threads_count)
    : state_(std::make_unique<State>(std::max<uint32_t>(1, threads_count))) {}

Pool::~Pool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
  }
  state_->work.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

bool Pool::is_inside_body() {
  return in_body;
}

uint32_t Pool::threads_count() const {
  return state_->threads_count;
}

void Pool::parallel_for(uint64_t count, uint64_t grain, void (*body)(void*, uint64_t, uint64_t),
                        void* user) {
  if (count == 0) return;
  State& state = *state_;
  const uint64_t pieces_wanted = uint64_t{state.threads_count} * kPiecesPerThread;
  uint64_t piece = std::max<uint64_t>(std::max<uint64_t>(grain, 1),
                                      count / pieces_wanted + (count % pieces_wanted != 0));
  piece = std::min(piece, count);
  const uint64_t pieces = count / piece + (count % piece != 0);
  if (in_body || state.threads_count == 1 || pieces == 1) {
    for (uint64_t i = 0; i < pieces; ++i) {
      const uint64_t begin = i * piece;
      body(user, begin, begin + std::min(piece, count - begin));
    }
    return;
  }
  const std::lock_guard one_loop(state.loops);
  {
    const std::lock_guard lock(state.mutex);
    state.start_threads();
    state.count = count;
    state.piece = piece;
    state.pieces = pieces;
    state.body = body;
    state.user = user;
    state.next = 0;
    state.busy = static_cast<uint32_t>(state.threads.size());
    ++state.generation;
  }
  state.work.notify_all();
  state.run_pieces();
  std::unique_lock lock(state.mutex);
  state.done.wait(lock, [&] { return state.busy == 0; });
}

}  // namespace mortise::plugin
