// Who is writing to which transfer: one request at a time. Whoever asks for the offset of an upload
// whose connection is dead, though the server does not know it yet, takes it over: the writer
// stops, makes durable what it has, and lets go. Used by the handlers of tus and of OpenAI's
// uploads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "server/http.h"

namespace mortise::server {

class TransferLocks {  // [any]
 public:
  // While it lives, nobody else writes to the transfer. [serial]
  class Lease {
   public:
    Lease(TransferLocks& locks, std::string id) : locks_(&locks), id_(std::move(id)) {}
    Lease(Lease&& other) noexcept : locks_(other.locks_), id_(std::move(other.id_)) {
      other.locks_ = nullptr;
    }
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    bool is_wanted() const;  // by another request: end soon

   private:
    TransferLocks* locks_;
    std::string id_;
  };

  // For a writer whose bytes come from `body`. Errors: 423 while another writes, 429 when this
  // owner has writers_max at work.
  base::Result<Lease> take(const std::string& id, const std::string& owner, BodyReader* body);
  // Interrupts the writer, if there is one, and waits for its durable end. Errors: 423 after
  // timeout_ms.
  base::Result<Lease> take_over(const std::string& id, const std::string& owner,
                                int64_t timeout_ms = 20'000);

  static constexpr int kWritersMax = 16;  // of one owner

 private:
  struct Holder {
    std::string owner;
    BodyReader* body;  // null: reads or ends the transfer, for a moment
    bool is_wanted = false;
  };
  void release(const std::string& id);
  bool is_wanted(const std::string& id);

  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, Holder> holders_;
};

}  // namespace mortise::server
