// Where the root key of a home comes from, and how the keyring gets it: a file and a program of the
// site at start, a passphrase later, from who knows it. Called by Hub, server and app/mortised.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/keyring.h"

namespace mortise::hub {

struct RootKeySource {
  enum class Kind { kFile, kPassphrase, kProgram };
  Kind kind = Kind::kFile;
  std::vector<std::string> program;  // of kProgram: an absolute path, then its arguments
  base::ScryptCost cost;             // of a new passphrase
};

class KeyLock {  // [any]
 public:
  static constexpr size_t kPassphraseSizeMin = 12;

  KeyLock(base::FileOps& files, base::Random& random, base::Clock& clock, store::Keyring& keyring,
          RootKeySource source)
      : files_(&files),
        random_(&random),
        clock_(&clock),
        keyring_(&keyring),
        source_(std::move(source)) {}

  // Unlocks where nobody has to be asked; with a passphrase the keyring stays locked. Errors: as
  // the root keys and Keyring::unlock.
  base::Status open();
  bool is_unlocked() const { return keyring_->is_unlocked(); }
  // is_new: the passphrase of a keyring that wraps nothing yet; said, so that a slip of the fingers
  // does not become one. After a wrong one the next is heard after 1 s, then 2, 4 ... 64.
  // Errors: PERMISSION_DENIED for a wrong one; RESOURCE_EXHAUSTED (429) when it is too early;
  // FAILED_PRECONDITION when it is unlocked, needs no passphrase, or is_new is not so;
  // INVALID_ARGUMENT for a new one under 12 bytes.
  base::Status unlock(std::string_view passphrase, bool is_new);

 private:
  base::FileOps* files_;
  base::Random* random_;
  base::Clock* clock_;
  store::Keyring* keyring_;
  RootKeySource source_;
  std::mutex mutex_;  // one try at a time
  int refused_count_ = 0;
  int64_t next_try_ns_ = 0;  // monotonic
};

}  // namespace mortise::hub
