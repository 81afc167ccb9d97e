// See transfer_locks.h.
#include "server/transfer_locks.h"

#include <algorithm>
#include <chrono>

namespace mortise::server {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr auto kMoment = std::chrono::seconds(2);  // for what only reads

Error locked(const std::string& id) {
  Error error(Code::kAborted, "Another request writes to the upload " + id + ".",
              "Ask for its offset, which ends that request, and go on from there.");
  return error.with("status", "423");
}

}  // namespace

TransferLocks::Lease::~Lease() {
  if (locks_ != nullptr) locks_->release(id_);
}

bool TransferLocks::Lease::is_wanted() const {
  return locks_->is_wanted(id_);
}

Result<TransferLocks::Lease> TransferLocks::take(const std::string& id, const std::string& owner,
                                                 BodyReader* body) {
  std::unique_lock lock(mutex_);
  const auto is_free = [&] { return !holders_.contains(id); };
  if (!is_free() && holders_.at(id).body == nullptr) released_.wait_for(lock, kMoment, is_free);
  if (!is_free()) return locked(id);
  const auto writers = std::count_if(holders_.begin(), holders_.end(), [&](const auto& entry) {
    return entry.second.owner == owner && entry.second.body != nullptr;
  });
  if (writers >= kWritersMax) {
    return Error(Code::kResourceExhausted,
                 "You send to " + std::to_string(writers) + " uploads at once already.",
                 "Wait for one of them to end.")
        .with("status", "429");
  }
  holders_.emplace(id, Holder{owner, body});
  return Lease(*this, id);
}

Result<TransferLocks::Lease> TransferLocks::take_over(const std::string& id,
                                                      const std::string& owner,
                                                      int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  if (const auto found = holders_.find(id); found != holders_.end()) {
    found->second.is_wanted = true;
    if (found->second.body != nullptr) found->second.body->interrupt();
  }
  const auto is_free = [&] { return !holders_.contains(id); };
  if (!released_.wait_for(lock, std::chrono::milliseconds(timeout_ms), is_free)) return locked(id);
  holders_.emplace(id, Holder{owner, nullptr});
  return Lease(*this, id);
}

void TransferLocks::release(const std::string& id) {
  const std::lock_guard lock(mutex_);
  holders_.erase(id);
  released_.notify_all();
}

bool TransferLocks::is_wanted(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = holders_.find(id);
  return found != holders_.end() && found->second.is_wanted;
}

}  // namespace mortise::server
