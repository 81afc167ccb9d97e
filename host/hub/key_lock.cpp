// See key_lock.h.
#include "hub/key_lock.h"

#include <algorithm>

namespace mortise::hub {

using base::Code;
using base::Error;
using base::Status;

namespace {

constexpr int kDoublingsMax = 6;

Error refused(const char* message, const char* hint) {
  return Error(Code::kFailedPrecondition, message, hint);
}

}  // namespace

Status KeyLock::open() {
  if (source_.kind == RootKeySource::Kind::kPassphrase) return {};
  if (source_.kind == RootKeySource::Kind::kFile) {
    MORTISE_ASSIGN(auto root, store::open_file_root_key(*files_, *random_, keyring_->folder()));
    return keyring_->unlock(std::move(root));
  }
  MORTISE_ASSIGN(auto root, store::open_program_root_key(base::system_process(), *clock_, *random_,
                                                         source_.program));
  return keyring_->unlock(std::move(root));
}

Status KeyLock::unlock(std::string_view passphrase, bool is_new) {
  const std::lock_guard lock(mutex_);
  if (is_unlocked()) return refused("The keys are unlocked already.", "Nothing is to be done.");
  if (source_.kind != RootKeySource::Kind::kPassphrase) {
    return refused("The root key of this home is no passphrase.",
                   "See root_key in site.json and docs/operations.md.");
  }
  MORTISE_ASSIGN(const bool begins, keyring_->is_new());
  if (begins && !is_new) {
    return refused("This home has no passphrase yet.",
                   "Set one: mortise store unlock --new. Without it the data are lost.");
  }
  if (!begins && is_new) {
    return refused("This home has a passphrase already.", "Give that one, without --new.");
  }
  if (is_new && passphrase.size() < kPassphraseSizeMin) {
    return Error(Code::kInvalidArgument, "A new passphrase has at least 12 bytes.",
                 "Take several words.")
        .at_field("/passphrase");
  }
  const int64_t now_ns = clock_->monotonic_ns();
  if (now_ns < next_try_ns_) {
    const int64_t wait_s = (next_try_ns_ - now_ns) / 1'000'000'000 + 1;
    return Error(Code::kResourceExhausted,
                 "The last passphrase was wrong; the next is heard later.",
                 "Try again in " + std::to_string(wait_s) + " s.")
        .with("status", "429");
  }
  MORTISE_ASSIGN(auto root, store::open_passphrase_root_key(*files_, *random_, keyring_->folder(),
                                                            passphrase, source_.cost));
  const Status unlocked = keyring_->unlock(std::move(root));
  if (unlocked.ok()) {
    refused_count_ = 0;
    return {};
  }
  if (unlocked.error().code != Code::kUnauthenticated) return unlocked;
  next_try_ns_ = clock_->monotonic_ns() +
                 (INT64_C(1'000'000'000) << std::min(refused_count_++, kDoublingsMax));
  return Error(Code::kPermissionDenied, "The passphrase is wrong, or the wrapped keys are damaged.",
               "Try again, or restore the keys folder from a backup.");
}

}  // namespace mortise::hub
