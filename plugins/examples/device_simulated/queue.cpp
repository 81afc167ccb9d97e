// A queue of work with its thread; see machine.h.
#include "machine.h"

namespace mortise::device_simulated {

void check_device(int32_t device_id) {
  if (device_id >= 0 && device_id < kDevices) return;
  throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "Device " + std::to_string(device_id) +
                                                   " does not exist; there are devices 0 and 1.");
}

void complain(const std::string& sentence) {
  sdk::log(MORTISE_LOG_HOST_MISBEHAVING, sentence);
}

Queue::~Queue() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Queue::push(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  changed_.notify_all();
}

void Queue::synchronize() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return work_.empty() && !is_busy_; });
  if (!first_) return;
  const sdk::Failure failure = *first_;
  first_.reset();
  throw failure;
}

// Runs until the queue ends, and then what is left of it.
void Queue::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return is_ending_ || !work_.empty(); });
    if (work_.empty()) return;
    const std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    is_busy_ = true;
    lock.unlock();
    std::optional<sdk::Failure> failure;
    try {
      work();
    } catch (const sdk::Failure& thrown) {
      failure = thrown;
    } catch (const std::exception& thrown) {
      failure = sdk::internal_fault(thrown.what());
    }
    lock.lock();
    if (failure && !first_) first_ = failure;
    is_busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace mortise::device_simulated
