// Root keys that are 32 bytes in memory: from a file, or from a passphrase. See keyring.h.
#include <algorithm>

#include "store/byte_order.h"
#include "store/key_in_memory.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

// wrapped = nonce (24) || XAES-256-GCM of the secret with the context as additional data
class KeyInMemory final : public RootKey {
 public:
  KeyInMemory(base::Random& random, base::Secret key) : random_(&random), key_(std::move(key)) {}

  Result<Bytes> wrap(ByteView secret, std::string_view context) override {
    Bytes wrapped(24);
    random_->fill(wrapped);
    MORTISE_ASSIGN(const Bytes sealed,
                   base::seal_xaes_gcm(key_.bytes(), wrapped, base::as_bytes(context), secret));
    put_bytes(wrapped, sealed);
    return wrapped;
  }

  Result<base::Secret> unwrap(ByteView wrapped, std::string_view context) override {
    const Error refused(Code::kUnauthenticated,
                        "The root key or passphrase is not the one that the keys were wrapped "
                        "with, or they are damaged.",
                        "Give the right one, or restore the keys folder from a backup.");
    if (wrapped.size() != 24 + 32 + 16) return refused;
    auto opened = base::open_xaes_gcm(key_.bytes(), wrapped.first(24), base::as_bytes(context),
                                      wrapped.subspan(24));
    if (!opened.ok()) return refused;
    base::Secret secret(std::span<const std::byte, 32>(opened->data(), 32));
    base::wipe(*opened);
    return secret;
  }

 private:
  base::Random* random_;
  base::Secret key_;
};

// Whether keys were wrapped already: then a missing root key is a loss, not a beginning.
Result<bool> has_keks(base::FileOps& files, const std::string& keys_folder) {
  const std::string folder = base::join_path(keys_folder, "kek");
  MORTISE_ASSIGN(const bool is_there, files.exists(folder));
  if (!is_there) return false;
  MORTISE_ASSIGN(const auto found, files.list(folder));
  return std::ranges::any_of(found, [](const auto& f) { return f.name.ends_with(".key"); });
}

// Written whole beside its place, then renamed: a torn file never has the name.
Status write_secret(base::FileOps& files, const std::string& folder, const std::string& name,
                    ByteView bytes) {
  const std::string path = base::join_path(folder, name), temporary = path + ".new";
  MORTISE_TRY(base::remove_tree(files, temporary));
  MORTISE_ASSIGN(auto file, files.open(temporary, base::OpenMode::kCreateSecret));
  MORTISE_TRY(file->write(bytes));
  MORTISE_TRY(file->sync());
  MORTISE_TRY(file->close());
  MORTISE_TRY(files.rename(temporary, path));
  return files.sync_folder(folder);
}

// The bytes of `name`, made by `make` when the keyring is new. Not readable by others.
Result<Bytes> read_or_make(base::FileOps& files, const std::string& keys_folder,
                           const std::string& name, size_t size,
                           const std::function<Bytes()>& make) {
  MORTISE_TRY(base::make_folders(files, keys_folder));
  const std::string path = base::join_path(keys_folder, name);
  MORTISE_ASSIGN(const auto found, files.list(keys_folder));
  const auto at = std::ranges::find(found, name, &base::FileInfo::name);
  if (at == found.end()) {
    MORTISE_ASSIGN(const bool is_loss, has_keks(files, keys_folder));
    if (is_loss) {
      return Error(Code::kNotFound, "The root key is missing although keys were wrapped with it.",
                   "Put the file back from where you keep it apart from the data.")
          .at_file(path);
    }
    Bytes made = make();
    MORTISE_TRY(write_secret(files, keys_folder, name, made));
    return made;
  }
  if ((at->permissions & 077) != 0) {
    return Error(Code::kFailedPrecondition, "Others than the owner may read the root key.",
                 "Run chmod 0400 on it, and make a new one if it was copied.")
        .at_file(path);
  }
  MORTISE_ASSIGN(std::string text, base::read_file(files, path, 4096));
  Bytes bytes(base::as_bytes(text).begin(), base::as_bytes(text).end());
  base::wipe(std::as_writable_bytes(std::span(text)));
  if (bytes.size() == size) return bytes;
  return Error(Code::kDataLoss,
               "The root key file has " + std::to_string(bytes.size()) + " bytes, not " +
                   std::to_string(size) + ".",
               "Put the file back from where you keep it apart from the data.")
      .at_file(path);
}

}  // namespace

std::unique_ptr<RootKey> key_in_memory(base::Random& random, base::Secret key) {
  return std::make_unique<KeyInMemory>(random, std::move(key));
}

Result<std::unique_ptr<RootKey>> open_file_root_key(base::FileOps& files, base::Random& random,
                                                    const std::string& keys_folder) {
  MORTISE_ASSIGN(Bytes bytes, read_or_make(files, keys_folder, "root.key", 32, [&] {
                   Bytes made(32);
                   random.fill(made);
                   return made;
                 }));
  base::Secret key(std::span<const std::byte, 32>(bytes.data(), 32));
  base::wipe(bytes);
  return key_in_memory(random, std::move(key));
}

Status put_root_key(base::FileOps& files, const std::string& keys_folder, ByteView key) {
  const std::string path = base::join_path(keys_folder, "root.key");
  MORTISE_TRY(base::make_folders(files, keys_folder));
  MORTISE_ASSIGN(const bool is_there, files.exists(path));
  if (is_there) {
    return Error(Code::kAlreadyExists, "There is a root key already.").at_file(path);
  }
  if (key.size() == 32) return write_secret(files, keys_folder, "root.key", key);
  return Error(Code::kInvalidArgument,
               "A root key has 32 bytes, not " + std::to_string(key.size()) + ".",
               "Give the file keys/root.key of the home that was backed up.");
}

// root.scrypt: "mrtscr01" | n u64 | r u32 | p u32 | salt 32 | first 16 bytes of the SHA-256 of that
Result<std::unique_ptr<RootKey>> open_passphrase_root_key(base::FileOps& files,
                                                          base::Random& random,
                                                          const std::string& keys_folder,
                                                          std::string_view passphrase,
                                                          const base::ScryptCost& new_cost) {
  MORTISE_ASSIGN(const Bytes bytes, read_or_make(files, keys_folder, "root.scrypt", 72, [&] {
                   Bytes made;
                   put_bytes(made, base::as_bytes("mrtscr01"));
                   put_le(made, new_cost.n);
                   put_le(made, new_cost.r);
                   put_le(made, new_cost.p);
                   made.resize(56);
                   random.fill(std::span(made).subspan(24));
                   put_bytes(made, ByteView(base::sha256(made)).first(16));
                   return made;
                 }));
  const ByteView view = bytes;
  if (base::as_text(view.first(8)) != "mrtscr01" ||
      !std::ranges::equal(ByteView(base::sha256(view.first(56))).first(16), view.subspan(56))) {
    return Error(Code::kDataLoss, "The parameters of the passphrase are damaged.",
                 "Restore keys/root.scrypt from a backup.")
        .at_file(base::join_path(keys_folder, "root.scrypt"));
  }
  const base::ScryptCost cost{.n = get_le<uint64_t>(view, 8),
                              .r = get_le<uint32_t>(view, 16),
                              .p = get_le<uint32_t>(view, 20)};
  MORTISE_ASSIGN(base::Secret key, base::scrypt(passphrase, view.subspan(24, 32), cost));
  return key_in_memory(random, std::move(key));
}

}  // namespace mortise::store
