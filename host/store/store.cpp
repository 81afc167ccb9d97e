// See store.h.
#include "store/store.h"

#include <algorithm>

namespace mortise::store {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr size_t kRecentMax = 16;

}  // namespace

Store::Store(base::FileOps& files, base::Random& random, base::Clock& clock, std::string root,
             Keyring& keyring)
    : files_(&files),
      random_(&random),
      clock_(&clock),
      root_(std::move(root)),
      keyring_(&keyring) {}

Result<std::unique_ptr<Store>> Store::open(base::FileOps& files, base::Random& random,
                                           base::Clock& clock, const std::string& root,
                                           Keyring& keyring) {
  MORTISE_TRY(base::make_folders(files, base::join_path(root, "segments")));
  MORTISE_ASSIGN(const bool is_network, files.is_network(root));
  if (is_network) {
    return Error(Code::kInvalidArgument,
                 "The store lies on a network file system, which does not keep the promises of "
                 "fsync and rename.",
                 "Put it on a local disk (ext4, xfs, btrfs, zfs).")
        .at_file(root);
  }
  return std::unique_ptr<Store>(new Store(files, random, clock, root, keyring));
}

std::string Store::folder_of(const std::string& domain_id) const {
  return root_ + "/segments/" + domain_id;
}

Result<std::shared_ptr<Domain>> Store::open_domain(const DomainKey& key) {
  MORTISE_ASSIGN(std::shared_ptr<Domain> domain,
                 Domain::open(*files_, *random_, *clock_, key,
                              {.write = folder_of(key.domain_id()), .read = {}}));
  recent_.push_front(domain);
  if (recent_.size() > kRecentMax) {
    if (recent_.back().use_count() > 1) elsewhere_.push_back(recent_.back());
    recent_.pop_back();
  }
  return domain;
}

Result<std::shared_ptr<Domain>> Store::create_domain(const std::string& domain_id) {
  MORTISE_ASSIGN(const DomainKey key, keyring_->create(domain_id));
  const std::lock_guard lock(mutex_);
  return open_domain(key);
}

Result<std::shared_ptr<Domain>> Store::domain(const std::string& domain_id) {
  const std::lock_guard lock(mutex_);
  const auto at = std::ranges::find(recent_, domain_id,
                                    [](const auto& d) -> const auto& { return d->domain_id(); });
  if (at != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, at);
    return recent_.front();
  }
  // A second handle on one folder would recover the open segment of the first.
  elsewhere_.remove_if([](const auto& weak) { return weak.expired(); });
  for (auto weak = elsewhere_.begin(); weak != elsewhere_.end(); ++weak) {
    std::shared_ptr<Domain> held = weak->lock();
    if (held == nullptr || held->domain_id() != domain_id) continue;
    elsewhere_.erase(weak);
    recent_.push_front(held);
    return held;
  }
  MORTISE_ASSIGN(const DomainKey key, keyring_->get(domain_id));
  return open_domain(key);
}

Result<DomainKey> Store::key_of(const std::string& domain_id) {
  return keyring_->get(domain_id);
}

Result<ShredFacts> Store::shred(const std::string& domain_id) {
  MORTISE_TRY(check_domain_id(domain_id));
  DomainCounts counts;
  if (const auto opened = domain(domain_id); opened.ok()) counts = (*opened)->counts();
  const std::lock_guard lock(mutex_);
  recent_.remove_if([&](const auto& d) { return d->domain_id() == domain_id; });
  MORTISE_ASSIGN(const bool has_segments, files_->exists(folder_of(domain_id)));
  auto facts = keyring_->shred(domain_id);
  // An earlier try may have come as far as the key.
  if (!facts.ok() && (facts.error().code != Code::kNotFound || !has_segments)) return facts;
  if (!facts.ok()) {
    facts = ShredFacts{.domain_id = domain_id, .key_id = {}, .shredded_at_ns = clock_->now_ns()};
  }
  facts->segments = counts.segments;
  facts->chunks = counts.chunks;
  facts->stored_bytes = counts.stored_bytes;
  MORTISE_TRY(base::remove_tree(*files_, folder_of(domain_id)));
  MORTISE_TRY(files_->sync_folder(base::join_path(root_, "segments")));
  return facts;
}

void Store::close_idle() {
  const std::lock_guard lock(mutex_);
  recent_.remove_if([](const auto& domain) { return domain.use_count() == 1; });
}

}  // namespace mortise::store
