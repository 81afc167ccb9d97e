// The keys of the store on the disk: a root key wraps key-encryption keys (KEK), the newest of
// which wraps each domain's data key in a small file of its own. Used by mortised only.
//
//   keys/root.key or root.scrypt   32 bytes (0400), or the parameters of the passphrase
//   keys/kek/00000001.key          a KEK, wrapped by the root key
//   keys/domains/ID.key            a data key, wrapped by a KEK
//
// Promise: a key that was acknowledged survives a power cut; a shredded one is gone from the disk
// and with it every byte of its domain, in copies made later too. [parallel]
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/file_ops.h"
#include "store/domain_key.h"

namespace mortise::store {

// What wraps the KEKs. The seam for keys that never leave a device (PKCS#11) or a service.
class RootKey {
 public:
  virtual ~RootKey() = default;
  virtual base::Result<base::Bytes> wrap(base::ByteView secret, std::string_view context) = 0;
  // Errors: UNAUTHENTICATED when the secret was wrapped by another root key or is damaged.
  virtual base::Result<base::Secret> unwrap(base::ByteView wrapped, std::string_view context) = 0;
};

// keys/root.key, made when the keyring is new. Errors: NOT_FOUND when it is missing although keys
// were wrapped with it; FAILED_PRECONDITION when others may read it.
base::Result<std::unique_ptr<RootKey>> open_file_root_key(base::FileOps& files,
                                                          base::Random& random,
                                                          const std::string& keys_folder);
// A root key that was kept apart becomes keys/root.key of a folder that has none. Errors:
// ALREADY_EXISTS; INVALID_ARGUMENT when it has not 32 bytes.
base::Status put_root_key(base::FileOps& files, const std::string& keys_folder, base::ByteView key);
// What a program of the site prints: the seam for devices (PKCS#11, a TPM, a service). arguments:
// [0] is its absolute path; no shell. It has 30 s to print 32 bytes and to end with 0; what it says
// on standard error is ours. Errors: FAILED_PRECONDITION naming the program and what it did.
base::Result<std::unique_ptr<RootKey>> open_program_root_key(
    base::Process& processes, base::Clock& clock, base::Random& random,
    const std::vector<std::string>& arguments);
// scrypt of the passphrase with the parameters of keys/root.scrypt, made when the keyring is new.
base::Result<std::unique_ptr<RootKey>> open_passphrase_root_key(
    base::FileOps& files, base::Random& random, const std::string& keys_folder,
    std::string_view passphrase, const base::ScryptCost& cost_of_a_new_one = {});

struct RotationFacts {
  uint32_t kek_version = 0;  // the one that wraps now
  uint64_t rewrapped = 0;    // domain keys
  uint64_t unreadable = 0;   // domain keys that could not be unwrapped; they keep their old KEK
  uint64_t keks_removed = 0;
};

struct ShredFacts {  // for the certificate of deletion
  std::string domain_id;
  std::string key_id;  // "" when the keyring was locked or the file unreadable
  uint32_t kek_version = 0;
  int64_t shredded_at_ns = 0;
  uint64_t segments = 0, chunks = 0, stored_bytes = 0;  // filled by Store::shred
};

class Keyring {
 public:
  // Locked. Errors: of the disk; INVALID_ARGUMENT on a network file system.
  static base::Result<std::unique_ptr<Keyring>> open(base::FileOps& files, base::Random& random,
                                                     base::Clock& clock,
                                                     const std::string& keys_folder);
  // Errors: UNAUTHENTICATED for the wrong root key or passphrase; the keyring stays locked.
  base::Status unlock(std::unique_ptr<RootKey> root);
  bool is_unlocked() const;
  base::Result<bool> is_new();  // nothing was wrapped yet

  // A new data key, durable when it returns. Errors: ALREADY_EXISTS.
  base::Result<DomainKey> create(const std::string& domain_id);
  // Errors: NOT_FOUND, FAILED_PRECONDITION (locked), DATA_LOSS (damaged).
  base::Result<DomainKey> get(const std::string& domain_id);
  base::Result<bool> contains(const std::string& domain_id);
  base::Result<std::vector<std::string>> list();

  // A new KEK, and every domain key wrapped with it, file by file. What an interrupted one left is
  // finished first by the same call. An old KEK goes when no domain key names it.
  base::Result<RotationFacts> rotate();
  // Overwrites the wrapped key, syncs, removes it. Works on a locked keyring and on the copy of one
  // in a backup. Errors: NOT_FOUND.
  base::Result<ShredFacts> shred(const std::string& domain_id);

  const std::string& folder() const { return folder_; }

 private:
  Keyring(base::FileOps& files, base::Random& random, base::Clock& clock, std::string folder);
  std::string path_of(const std::string& domain_id) const;
  std::string kek_path(uint32_t version) const;
  base::Result<std::vector<uint32_t>> kek_versions();
  base::Status destroy(const std::string& path);
  base::Status destroy_leftovers(const std::string& folder, std::string_view prefix);
  // With the mutex held:
  base::Status check_unlocked() const;
  base::Status add_kek(RootKey& root, std::map<uint32_t, base::Secret>& keks, uint32_t version);
  base::Result<DomainKey> read_key(const std::string& domain_id, uint32_t* kek_version);
  base::Status write_key(const DomainKey& key);  // under the newest KEK
  base::Status rewrap(const std::string& domain_id, RotationFacts& facts);

  base::FileOps* files_;
  base::Random* random_;
  base::Clock* clock_;
  std::string folder_;
  std::mutex rotating_;       // one rotation at a time; before mutex_
  mutable std::mutex mutex_;  // all below, and the order of changes on the disk
  std::unique_ptr<RootKey> root_;
  std::map<uint32_t, base::Secret> keks_;
};

}  // namespace mortise::store
