// All domains of a server: keys from the keyring, segments in ROOT/segments/DOMAIN ID/. Made once
// by app/mortised and used by hub and run. A worker opens a Domain instead. [parallel]
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "store/domain.h"
#include "store/keyring.h"

namespace mortise::store {

class Store {
 public:
  // The references outlive the store. Errors: of the disk; INVALID_ARGUMENT on a network file
  // system, whose locks and syncs cannot be trusted.
  static base::Result<std::unique_ptr<Store>> open(base::FileOps& files, base::Random& random,
                                                   base::Clock& clock, const std::string& root,
                                                   Keyring& keyring);

  // Errors: ALREADY_EXISTS; FAILED_PRECONDITION when the keyring is locked.
  base::Result<std::shared_ptr<Domain>> create_domain(const std::string& domain_id);
  // The same open domain for all who ask. Errors: NOT_FOUND, FAILED_PRECONDITION (locked).
  base::Result<std::shared_ptr<Domain>> domain(const std::string& domain_id);
  // For a worker: the key to send through a descriptor, and the folder to read segments from.
  base::Result<DomainKey> key_of(const std::string& domain_id);
  std::string folder_of(const std::string& domain_id) const;

  // Destroys the domain's key, then its segments. Handles that are still held read no more keys
  // from the disk; the caller sees that none is in use. Errors: NOT_FOUND.
  base::Result<ShredFacts> shred(const std::string& domain_id);
  // Closes the domains that nobody else holds, and with them their indexes.
  void close_idle();
  Keyring& keyring() { return *keyring_; }
  const std::string& root() const { return root_; }

 private:
  Store(base::FileOps& files, base::Random& random, base::Clock& clock, std::string root,
        Keyring& keyring);
  base::Result<std::shared_ptr<Domain>> open_domain(const DomainKey& key);

  base::FileOps* files_;
  base::Random* random_;
  base::Clock* clock_;
  std::string root_;
  Keyring* keyring_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Domain>> recent_;   // newest first; kept open though nobody asks
  std::list<std::weak_ptr<Domain>> elsewhere_;  // pushed out of `recent_` but still held
};

}  // namespace mortise::store
