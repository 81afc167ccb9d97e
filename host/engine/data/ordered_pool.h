// Work done ahead of its taker by a few threads, given out in the order of a sampler and bounded in
// bytes: the same sequence with any number of threads. Called by multimodal_dataset and
// train/batch. Knows nothing of what is made.
//
// An item is opened (cheap: its size becomes known), waits until its bytes are free, is made, and
// waits to be taken. Bytes are given to items in their order only, so the one that the taker waits
// for never waits for later ones; one that is larger than the bound by itself passes when nothing
// else is held.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/data/sampler.h"

namespace mortise::engine {

struct PoolOptions {
  int64_t threads = 0;                       // 0: items are made when they are asked for
  uint64_t bytes_max = UINT64_C(256) << 20;  // held by items that are made or being made
  int64_t items_max = 64;                    // taken from the sampler ahead of the taker
};

// What is left to do for an item, and the most bytes it will hold meanwhile.
template <class T>
struct PoolWork {
  uint64_t bytes_max = 0;
  std::function<base::Result<T>()> make;
};

struct PoolFacts {
  uint64_t bytes_held_max = 0;  // the most that was held at a time
};

template <class T>
class OrderedPool {  // [serial] for the taker
 public:
  // open: [parallel], gets what the sampler gives. size_bytes: what a made item holds.
  using Open = std::function<base::Result<PoolWork<T>>(uint64_t)>;
  using Size = std::function<uint64_t(const T&)>;

  OrderedPool(Sampler sampler, Open open, Size size_bytes, PoolOptions options)
      : open_(std::move(open)),
        size_bytes_(std::move(size_bytes)),
        options_(options),
        sampler_(std::move(sampler)),
        cursor_(sampler_.cursor()) {
    for (int64_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
  }
  OrderedPool(const OrderedPool&) = delete;
  OrderedPool& operator=(const OrderedPool&) = delete;
  ~OrderedPool() {
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // The next item; its bytes count until the next call. Errors: those of its item; the pool then
  // gives this error for ever and the cursor stays before the item.
  base::Result<T> next() {
    if (failure_) return *failure_;
    auto result = threads_.empty() ? make_here() : take();
    if (!result.ok()) failure_ = result.error();
    return result;
  }
  // Where the sampler stands after the item given last: a pool that begins there goes on.
  const SamplerCursor& cursor() const { return cursor_; }
  PoolFacts facts() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }

 private:
  struct Slot {
    uint64_t index = 0;
    SamplerCursor after;
    uint64_t bytes = 0;
    std::optional<base::Result<T>> result;
  };

  base::Result<T> make_here() {
    const uint64_t index = sampler_.next();
    auto work = opened(index);
    if (!work.ok()) return std::move(work).error();
    facts_.bytes_held_max = std::max(facts_.bytes_held_max, work->bytes_max);
    auto made = guarded(work->make);
    if (made.ok()) cursor_ = sampler_.cursor();
    return made;
  }

  base::Result<T> take() {
    std::unique_lock lock(mutex_);
    held_ -= std::exchange(given_, 0);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !slots_.empty() && slots_.front().result; });
    Slot slot = std::move(slots_.front());
    slots_.pop_front();
    ++first_;
    given_ = slot.bytes;
    if (slot.result->ok()) cursor_ = slot.after;
    changed_.notify_all();
    return std::move(*slot.result);
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] {
        return is_stopped_ || static_cast<int64_t>(slots_.size()) < options_.items_max;
      });
      if (is_stopped_) return;
      const uint64_t ticket = first_ + slots_.size();
      Slot& slot = slots_.emplace_back();
      slot.index = sampler_.next();
      slot.after = sampler_.cursor();
      const uint64_t index = slot.index;
      lock.unlock();
      auto work = opened(index);
      lock.lock();
      const uint64_t bytes = work.ok() ? work->bytes_max : 0;
      changed_.wait(lock, [&] {
        return is_stopped_ || (turn_ == ticket &&
                               (held_ == 0 || bytes == 0 || held_ + bytes <= options_.bytes_max));
      });
      if (is_stopped_) return;
      ++turn_;
      held_ += bytes;
      facts_.bytes_held_max = std::max(facts_.bytes_held_max, held_);
      changed_.notify_all();
      lock.unlock();
      base::Result<T> made =
          work.ok() ? guarded(work->make) : base::Result<T>(std::move(work).error());
      const uint64_t kept = made.ok() ? size_bytes_(*made) : 0;
      work = base::Error();  // lets go of what it read from
      lock.lock();
      Slot& own = slots_[ticket - first_];
      own.bytes = kept;
      held_ = held_ - bytes + kept;
      own.result.emplace(std::move(made));
      changed_.notify_all();
    }
  }

  base::Result<PoolWork<T>> opened(uint64_t index) {
    return guarded([&] { return open_(index); });
  }
  // A thread must not end by an exception: running out of memory is an error like others.
  template <class Act>
  static auto guarded(const Act& act) -> decltype(act()) {
    try {
      return act();
    } catch (const std::bad_alloc&) {
      return base::Error(base::Code::kResourceExhausted, "No memory to read a row.",
                         "Lower dataloader_num_workers, or the sizes of the media.");
    }
  }

  const Open open_;
  const Size size_bytes_;
  const PoolOptions options_;
  mutable std::mutex mutex_;  // all below, where there are threads
  std::condition_variable changed_;
  Sampler sampler_;
  SamplerCursor cursor_;
  std::deque<Slot> slots_;
  uint64_t first_ = 0, turn_ = 0;  // tickets: of the front slot, of the next that gets bytes
  uint64_t held_ = 0, given_ = 0;  // bytes: in slots and in what was given; the latter alone
  bool is_stopped_ = false;
  PoolFacts facts_;
  std::optional<base::Error> failure_;
  std::vector<std::thread> threads_;
};

}  // namespace mortise::engine
