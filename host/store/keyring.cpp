// Wrapped keys in small files. See keyring.h.
//
//   KEK file         "mrtkek01" | version u32 | what RootKey::wrap gave, context
//                    "mortise/1|kek|VERSION"
//   data key file    "mrtdek01" | version of the KEK u32 | nonce 24 | XAES-256-GCM of the data key
//                    with the additional data "mortise/1|dek|DOMAIN ID|VERSION" (32 + 16)
#include "store/keyring.h"

#include <algorithm>
#include <cstdio>

#include "store/byte_order.h"

namespace mortise::store {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr size_t kKeyFileSize = 12 + 24 + 48;

std::string kek_context(uint32_t version) {
  return "mortise/1|kek|" + std::to_string(version);
}

std::string key_context(const std::string& domain_id, uint32_t version) {
  return "mortise/1|dek|" + domain_id + "|" + std::to_string(version);
}

Error damaged(const std::string& path) {
  return Error(Code::kDataLoss, "A wrapped key is damaged.",
               "Restore the file from a backup, unless its domain was to be shredded.")
      .at_file(path);
}

}  // namespace

Keyring::Keyring(base::FileOps& files, base::Random& random, base::Clock& clock, std::string folder)
    : files_(&files), random_(&random), clock_(&clock), folder_(std::move(folder)) {}

Result<std::unique_ptr<Keyring>> Keyring::open(base::FileOps& files, base::Random& random,
                                               base::Clock& clock, const std::string& keys_folder) {
  std::unique_ptr<Keyring> ring(new Keyring(files, random, clock, keys_folder));
  for (const char* part : {"kek", "domains"}) {
    const std::string folder = base::join_path(keys_folder, part);
    MORTISE_TRY(base::make_folders(files, folder));
    MORTISE_TRY(ring->destroy_leftovers(folder, ""));
  }
  MORTISE_ASSIGN(const bool is_network, files.is_network(keys_folder));
  if (!is_network) return ring;
  return Error(Code::kInvalidArgument,
               "The keys lie on a network file system, which does not keep the promises of fsync "
               "and rename.",
               "Put them on a local disk.")
      .at_file(keys_folder);
}

std::string Keyring::path_of(const std::string& domain_id) const {
  return folder_ + "/domains/" + domain_id + ".key";
}

std::string Keyring::kek_path(uint32_t version) const {
  char name[16];
  std::snprintf(name, sizeof name, "%08u.key", version);
  return folder_ + "/kek/" + name;
}

Result<std::vector<uint32_t>> Keyring::kek_versions() {
  MORTISE_ASSIGN(const auto found, files_->list(base::join_path(folder_, "kek")));
  std::vector<uint32_t> versions;
  for (const base::FileInfo& file : found) {
    const bool is_kek = file.name.size() == 12 && file.name.ends_with(".key") &&
                        file.name.find_first_not_of("0123456789") == 8;
    if (is_kek) versions.push_back(static_cast<uint32_t>(std::stoul(file.name.substr(0, 8))));
  }
  return versions;  // sorted, as the names are
}

// Renamed to a leftover first, so that a crash half-way leaves no damaged key under a right name
// and the next open goes on; overwritten where it lies, so that it is not found in free blocks.
Status Keyring::destroy(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/'));
  std::string leftover = path;
  if (path.ends_with(".key")) {
    leftover += ".new.gone";
    MORTISE_TRY(files_->rename(path, leftover));
    MORTISE_TRY(files_->sync_folder(folder));
  }
  MORTISE_ASSIGN(auto file, files_->open(leftover, base::OpenMode::kOverwrite));
  MORTISE_ASSIGN(const uint64_t size, file->size());
  Bytes noise(std::max<uint64_t>(size, kKeyFileSize));
  random_->fill(noise);
  MORTISE_TRY(file->write(noise));
  MORTISE_TRY(file->sync());
  MORTISE_TRY(file->close());
  MORTISE_TRY(files_->remove(leftover));
  return files_->sync_folder(folder);
}

// Temporary files of a write that was cut hold wrapped keys too.
Status Keyring::destroy_leftovers(const std::string& folder, std::string_view prefix) {
  MORTISE_ASSIGN(const auto found, files_->list(folder));
  for (const base::FileInfo& file : found) {
    if (file.name.starts_with(prefix) && file.name.find(".key.new.") != std::string::npos) {
      MORTISE_TRY(destroy(base::join_path(folder, file.name)));
    }
  }
  return {};
}

bool Keyring::is_unlocked() const {
  const std::lock_guard lock(mutex_);
  return root_ != nullptr;
}

Result<bool> Keyring::is_new() {
  MORTISE_ASSIGN(const auto versions, kek_versions());
  return versions.empty();
}

Status Keyring::check_unlocked() const {
  if (root_ != nullptr) return {};
  return Error(Code::kFailedPrecondition, "The keys are locked.",
               "Unlock them: mortise store unlock.")
      .with("status", "503");
}

Status Keyring::unlock(std::unique_ptr<RootKey> root) {
  const std::lock_guard lock(mutex_);
  MORTISE_ASSIGN(const auto versions, kek_versions());
  std::map<uint32_t, base::Secret> keks;
  for (const uint32_t version : versions) {
    const std::string path = kek_path(version);
    MORTISE_ASSIGN(const std::string text, base::read_file(*files_, path, 4096));
    const ByteView bytes = base::as_bytes(text);
    if (bytes.size() < 12 || !text.starts_with("mrtkek01") ||
        get_le<uint32_t>(bytes, 8) != version) {
      return damaged(path);
    }
    auto kek = root->unwrap(bytes.subspan(12), kek_context(version));
    if (!kek.ok()) return kek.error().at_file(path);
    keks.emplace(version, *kek);
  }
  if (keks.empty()) {
    MORTISE_ASSIGN(const auto domains, files_->list(base::join_path(folder_, "domains")));
    if (!domains.empty()) {
      return Error(Code::kDataLoss, "The key-encryption keys are missing.",
                   "Restore the folder keys/kek from a backup.")
          .at_file(base::join_path(folder_, "kek"));
    }
    MORTISE_TRY(add_kek(*root, keks, 1));
  }
  keks_ = std::move(keks);
  root_ = std::move(root);
  return {};
}

Status Keyring::add_kek(RootKey& root, std::map<uint32_t, base::Secret>& keks, uint32_t version) {
  base::Secret kek;
  random_->fill(kek.writable());
  MORTISE_ASSIGN(const Bytes wrapped, root.wrap(kek.bytes(), kek_context(version)));
  Bytes bytes;
  put_bytes(bytes, base::as_bytes("mrtkek01"));
  put_le(bytes, version);
  put_bytes(bytes, wrapped);
  MORTISE_TRY(base::write_file_durably(*files_, kek_path(version), base::as_text(bytes)));
  keks.emplace(version, kek);
  return {};
}

Result<DomainKey> Keyring::create(const std::string& domain_id) {
  MORTISE_TRY(check_domain_id(domain_id));
  const std::lock_guard lock(mutex_);
  MORTISE_TRY(check_unlocked());
  MORTISE_ASSIGN(const bool is_there, files_->exists(path_of(domain_id)));
  if (is_there) {
    return Error(Code::kAlreadyExists, "The domain \"" + domain_id + "\" has a key already.");
  }
  DomainKey key = DomainKey::make(domain_id, *random_);
  MORTISE_TRY(write_key(key));
  return key;
}

Status Keyring::write_key(const DomainKey& key) {
  const auto& [version, kek] = *keks_.rbegin();
  Bytes bytes;
  put_bytes(bytes, base::as_bytes("mrtdek01"));
  put_le(bytes, version);
  bytes.resize(36);
  random_->fill(std::span(bytes).subspan(12));
  MORTISE_ASSIGN(const Bytes sealed,
                 base::seal_xaes_gcm(kek.bytes(), ByteView(bytes).subspan(12),
                                     base::as_bytes(key_context(key.domain_id(), version)),
                                     key.data_key().bytes()));
  put_bytes(bytes, sealed);
  return base::write_file_durably(*files_, path_of(key.domain_id()), base::as_text(bytes));
}

Result<DomainKey> Keyring::read_key(const std::string& domain_id, uint32_t* kek_version) {
  const std::string path = path_of(domain_id);
  const auto text = base::read_file(*files_, path, 4096);
  if (!text.ok() && text.error().code == Code::kNotFound) {
    return Error(Code::kNotFound, "The domain \"" + domain_id +
                                      "\" has no key: it was shredded, "
                                      "or never was.")
        .at_file(path);
  }
  if (!text.ok()) return text.error();
  const ByteView bytes = base::as_bytes(*text);
  if (bytes.size() != kKeyFileSize || !text->starts_with("mrtdek01")) return damaged(path);
  const uint32_t version = get_le<uint32_t>(bytes, 8);
  const auto kek = keks_.find(version);
  if (kek == keks_.end()) return damaged(path);
  auto opened =
      base::open_xaes_gcm(kek->second.bytes(), bytes.subspan(12, 24),
                          base::as_bytes(key_context(domain_id, version)), bytes.subspan(36));
  if (!opened.ok()) return damaged(path);
  *kek_version = version;
  DomainKey key(domain_id, base::Secret(std::span<const std::byte, 32>(opened->data(), 32)));
  base::wipe(*opened);
  return key;
}

Result<DomainKey> Keyring::get(const std::string& domain_id) {
  MORTISE_TRY(check_domain_id(domain_id));
  const std::lock_guard lock(mutex_);
  MORTISE_TRY(check_unlocked());
  uint32_t version = 0;
  return read_key(domain_id, &version);
}

Result<bool> Keyring::contains(const std::string& domain_id) {
  MORTISE_TRY(check_domain_id(domain_id));
  return files_->exists(path_of(domain_id));
}

Result<std::vector<std::string>> Keyring::list() {
  MORTISE_ASSIGN(const auto found, files_->list(base::join_path(folder_, "domains")));
  std::vector<std::string> ids;
  for (const base::FileInfo& file : found) {
    if (!file.name.ends_with(".key")) continue;
    std::string id = file.name.substr(0, file.name.size() - 4);
    if (check_domain_id(id).ok()) ids.push_back(std::move(id));
  }
  return ids;
}

Status Keyring::rewrap(const std::string& domain_id, RotationFacts& facts) {
  const std::lock_guard lock(mutex_);
  uint32_t version = 0;
  const auto key = read_key(domain_id, &version);
  if (!key.ok()) {
    if (key.error().code == Code::kNotFound) return {};  // shredded meanwhile
    ++facts.unreadable;
    return {};
  }
  if (version == facts.kek_version) return {};
  MORTISE_TRY(write_key(*key));
  ++facts.rewrapped;
  return {};
}

Result<RotationFacts> Keyring::rotate() {
  const std::lock_guard rotating(rotating_);
  RotationFacts facts;
  {
    const std::lock_guard lock(mutex_);
    MORTISE_TRY(check_unlocked());
    // Two KEKs: an earlier rotation was interrupted, and is what there is to do.
    if (keks_.size() == 1) MORTISE_TRY(add_kek(*root_, keks_, keks_.rbegin()->first + 1));
    facts.kek_version = keks_.rbegin()->first;
  }
  MORTISE_ASSIGN(const auto ids, list());
  for (const std::string& id : ids) MORTISE_TRY(rewrap(id, facts));
  if (facts.unreadable > 0) return facts;  // they may be mended; their KEK stays
  const std::lock_guard lock(mutex_);
  while (keks_.size() > 1) {
    MORTISE_TRY(destroy(kek_path(keks_.begin()->first)));
    keks_.erase(keks_.begin());
    ++facts.keks_removed;
  }
  return facts;
}

Result<ShredFacts> Keyring::shred(const std::string& domain_id) {
  MORTISE_TRY(check_domain_id(domain_id));
  const std::lock_guard lock(mutex_);
  const std::string path = path_of(domain_id);
  MORTISE_TRY(destroy_leftovers(base::join_path(folder_, "domains"), domain_id + ".key.new."));
  MORTISE_ASSIGN(const bool is_there, files_->exists(path));
  if (!is_there) {
    return Error(Code::kNotFound, "The domain \"" + domain_id + "\" has no key.").at_file(path);
  }
  ShredFacts facts{.domain_id = domain_id, .key_id = {}};
  if (root_ != nullptr) {
    const auto key = read_key(domain_id, &facts.kek_version);
    if (key.ok()) facts.key_id = key->key_id();
  }
  MORTISE_TRY(destroy(path));
  facts.shredded_at_ns = clock_->now_ns();
  return facts;
}

}  // namespace mortise::store
