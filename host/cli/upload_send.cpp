// See upload_send.h.
#include "cli/upload_send.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/crypto.h"
#include "cli/http_tus.h"
#include "cli/progress.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kPauseMsMax = 5'000;
constexpr int64_t kSaveCostRatio = 20;  // saving takes at most so small a part of the time
constexpr auto kRedraw = std::chrono::milliseconds(100);

int64_t now_ns() {
  return base::system_clock().monotonic_ns();
}

// Whether the same request may go well later.
bool may_help_to_try_again(const Error& error) {
  const int status = http_status_of(error);
  return error.code == Code::kUnavailable || error.code == Code::kAborted ||
         error.code == Code::kDeadlineExceeded || status == 429 || status == 460 ||
         (status >= 500 && status != 501 && status != 507);
}

bool is_gone(const Error& error) {
  return http_status_of(error) == 404 || http_status_of(error) == 410;
}

class Sending {
 public:
  Sending(const SendWork& work, const SendSettings& settings)
      : work_(work),
        settings_(settings),
        plan_(*work.plan),
        shown_(plan_.size()),
        held_(plan_.size()),
        is_claimed_(plan_.size()) {
    for (const Transfer& transfer : plan_) total_bytes_ += transfer.size_bytes;
  }

  Status run() {
    std::thread(&Sending::measure, this).join();
    if (shown_bytes_ > 0 && total_bytes_ > 0) {
      std::fprintf(stderr, "The upload is going on at %d %%.\n",
                   static_cast<int>(shown_bytes_ * 100 / total_bytes_));
    }
    working_ = std::clamp<size_t>(plan_.size(), 1, settings_.connections);
    std::vector<std::thread> workers;
    for (size_t i = working_; i > 0; --i) workers.emplace_back(&Sending::take_turns, this);
    show_progress();
    for (std::thread& worker : workers) worker.join();
    const std::lock_guard lock(mutex_);
    save();
    return failure_ ? Status(*failure_) : Status();
  }

 private:
  using Client = std::optional<TusClient>;

  // A write into a broken connection is an error here, not the end of the program.
  static void block_broken_pipes() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }

  Status reach(Client& client) {
    if (client) return {};
    const std::lock_guard lock(reach_mutex_);  // one at a time starts a server that is not there
    MORTISE_ASSIGN(Server server, work_.reach());
    client.emplace(std::move(server));
    return {};
  }

  // What the server holds of an upload that goes on; unknown counts as nothing.
  void measure() {
    block_broken_pipes();
    Client client;
    for (size_t i = 0; i < plan_.size(); ++i) {
      const TransferState& state = (*work_.states)[i];
      if (state.is_done) {
        show(i, plan_[i].size_bytes);
      } else if (!state.path.empty() && reach(client).ok()) {
        const auto offset = client->offset(state.path);
        if (offset.ok()) show(i, *offset);
      }
    }
  }

  void show_progress() {
    Progress progress;
    std::unique_lock lock(mutex_);
    do {
      changed_.wait_for(lock, kRedraw, [this] { return working_ == 0; });
      progress.show_bytes("upload", shown_bytes_, total_bytes_);
      if (is_unsaved_ && now_ns() >= next_save_ns_) save();
    } while (working_ > 0);
  }

  void take_turns() {
    block_broken_pipes();
    Client client;
    while (const auto index = next()) {
      Status status = bring(*index, client);
      if (status.ok()) status = join_after(*index, client);
      if (!status.ok()) stop(std::move(status.error()));
    }
    const std::lock_guard lock(mutex_);
    --working_;
    changed_.notify_all();
  }

  std::optional<size_t> next() {
    const std::lock_guard lock(mutex_);
    while (!failure_ && next_ < plan_.size()) {
      const size_t index = next_++;
      if ((*work_.states)[index].is_done) continue;
      if (plan_[index].kind != Transfer::Kind::kWhole || claim(index)) return index;
    }
    return std::nullopt;
  }

  // A whole is joined by whoever brings its last part, or in its turn when all were there before.
  // Under the lock.
  bool claim(size_t whole) {
    for (size_t i = whole - plan_[whole].part_count; i < whole; ++i) {
      if (!(*work_.states)[i].is_done) return false;
    }
    if (is_claimed_[whole]) return false;
    is_claimed_[whole] = true;
    return true;
  }

  Status join_after(size_t part, Client& client) {
    if (plan_[part].kind != Transfer::Kind::kPart) return {};
    size_t whole = part;
    while (plan_[whole].kind != Transfer::Kind::kWhole) ++whole;
    {
      const std::lock_guard lock(mutex_);
      if (!claim(whole)) return {};
    }
    return bring(whole, client);
  }

  // Tries until it goes well, cannot go well, or nothing has moved for too long.
  Status bring(size_t index, Client& client) {
    int64_t pause_ms = 0, moved_ns = now_ns();
    while (true) {
      const uint64_t held = held_[index];
      Status status = reach(client);
      if (status.ok()) status = once(index, *client);
      if (status.ok()) {
        change(index, [](TransferState& state) { state.is_done = true; });
        return {};
      }
      if (has_failed() || !may_help_to_try_again(status.error())) return status;
      client.reset();
      if (held_[index] > held) {
        pause_ms = 0;
        moved_ns = now_ns();
      }
      if (now_ns() - moved_ns > settings_.patience_ms * 1'000'000) return status;
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(pause_ms),
                        [this] { return failure_.has_value(); });
      pause_ms = std::clamp(pause_ms * 2, settings_.pause_ms, kPauseMsMax);
    }
  }

  Status once(size_t index, TusClient& client) {
    return plan_[index].kind == Transfer::Kind::kWhole ? join(index, client) : send(index, client);
  }

  Status send(size_t index, TusClient& client) {
    const Transfer& transfer = plan_[index];
    MORTISE_ASSIGN(uint64_t offset, begin(index, client));
    const std::string path = path_of(index);
    base::Bytes piece;
    while (true) {
      held_[index] = offset;
      show(index, offset);
      if (offset >= transfer.size_bytes) return {};
      if (has_failed()) return Error(Code::kCancelled, "Another transfer has failed.");
      piece.resize(std::min<uint64_t>(settings_.piece_bytes, transfer.size_bytes - offset));
      MORTISE_TRY(transfer.read_at(offset, piece));
      MORTISE_ASSIGN(offset, client.append(path, offset, piece, [&](size_t stretch) {
        show(index, shown_[index] + stretch);
      }));
    }
  }

  // Where the transfer goes on; made when the server does not have it.
  Result<uint64_t> begin(size_t index, TusClient& client) {
    if (const std::string path = path_of(index); !path.empty()) {
      auto offset = client.offset(path);
      if (offset.ok() || !is_gone(offset.error())) return offset;
    }
    const Transfer& transfer = plan_[index];
    TusCreation wanted = creation(transfer);
    wanted.size_bytes = static_cast<int64_t>(transfer.size_bytes);
    wanted.is_partial = transfer.kind == Transfer::Kind::kPart;
    if (transfer.kind == Transfer::Kind::kBundle) wanted.metadata.emplace_back("bundle", "tar");
    MORTISE_ASSIGN(const std::string path, client.create(wanted));
    change(index, [&path](TransferState& state) { state.path = path; });
    return uint64_t{0};
  }

  Status join(size_t whole, TusClient& client) {
    TusCreation wanted = creation(plan_[whole]);
    const size_t first = whole - plan_[whole].part_count;
    for (size_t i = first; i < whole; ++i) wanted.parts.push_back(path_of(i));
    const auto made = client.create(wanted);
    if (made.ok()) return {};
    // Parts that the server has no more are sent again by the next run.
    if (!may_help_to_try_again(made.error())) {
      for (size_t i = first; i < whole; ++i) {
        change(i, [](TransferState& state) { state = {}; });
      }
    }
    return made.error();
  }

  TusCreation creation(const Transfer& transfer) const {
    TusCreation wanted;
    wanted.metadata = {{"upload", work_.upload}};
    if (!transfer.name.empty()) wanted.metadata.emplace_back("filename", transfer.name);
    return wanted;
  }

  std::string path_of(size_t index) {
    const std::lock_guard lock(mutex_);
    return (*work_.states)[index].path;
  }

  template <class Change>
  void change(size_t index, const Change& how) {
    const std::lock_guard lock(mutex_);
    how((*work_.states)[index]);
    is_unsaved_ = true;  // the thread that shows the progress saves it soon
  }

  // Under the lock. What is not saved costs sending it again, so a failure is no error.
  void save() {
    const int64_t began_ns = now_ns();
    if (work_.save) (void)work_.save();
    is_unsaved_ = false;
    next_save_ns_ = now_ns() + (now_ns() - began_ns) * kSaveCostRatio;
  }

  // The bytes of a transfer that count as sent; each is shown by one thread at a time.
  void show(size_t index, uint64_t bytes) {
    shown_bytes_ += bytes - shown_[index];  // modulo 2^64, so less is right, too
    shown_[index] = bytes;
  }

  bool has_failed() {
    const std::lock_guard lock(mutex_);
    return failure_.has_value();
  }

  void stop(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
    changed_.notify_all();
  }

  const SendWork& work_;
  const SendSettings& settings_;
  const std::vector<Transfer>& plan_;
  uint64_t total_bytes_ = 0;
  std::atomic<uint64_t> shown_bytes_ = 0;
  std::vector<uint64_t> shown_, held_;  // of each transfer: sent; durable there
  std::mutex reach_mutex_;
  std::mutex mutex_;  // of all that follows, and of the states
  std::condition_variable changed_;
  std::vector<bool> is_claimed_;
  size_t next_ = 0, working_ = 0;
  bool is_unsaved_ = false;
  int64_t next_save_ns_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Status send_transfers(const SendWork& work, const SendSettings& settings) {
  return Sending(work, settings).run();
}

}  // namespace mortise::cli
