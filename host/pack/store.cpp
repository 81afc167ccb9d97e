// Packs by the hash of their manifest. What is copied is hashed while it is copied, so a file that
// changes in between is caught. See store.h.
#include "pack/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/clock.h"
#include "base/crypto.h"
#include "pack/copy.h"

namespace mortise::pack {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr size_t kFilesMax = 10'000;

// Relative paths of all regular files below `folder`; anything but files and folders is refused.
Status collect(base::FileOps& files, const std::string& root, const std::string& inside,
               std::vector<std::string>& out) {
  MORTISE_ASSIGN(const auto entries, files.list(base::join_path(root, inside)));
  for (const base::FileInfo& entry : entries) {
    const std::string path = base::join_path(inside, entry.name);
    const std::string whole = base::join_path(root, path);
    std::error_code ignored;
    const auto type = std::filesystem::symlink_status(whole, ignored).type();
    if (type == std::filesystem::file_type::directory) {
      MORTISE_TRY(collect(files, root, path, out));
    } else if (type == std::filesystem::file_type::regular) {
      out.push_back(path);
    } else {
      return Error(Code::kInvalidArgument,
                   "A pack holds plain files and folders only; this is a link or a special file.",
                   "Replace it by the file itself.")
          .at_file(whole);
    }
    if (out.size() > kFilesMax) {
      return Error(Code::kResourceExhausted, "The pack has more than 10,000 files.").at_file(root);
    }
  }
  return {};
}

Status set_mode(const std::string& path, ::mode_t mode) {
  if (::chmod(path.c_str(), mode) == 0) return {};
  return Error(Code::kPermissionDenied, "Cannot change the mode of the installed file.")
      .at_file(path);
}

// Files to 0444, folders to 0555, the deepest first.
Status make_read_only(base::FileOps& files, const std::string& folder) {
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    const std::string path = base::join_path(folder, entry.name);
    if (entry.is_folder) {
      MORTISE_TRY(make_read_only(files, path));
    } else {
      MORTISE_TRY(set_mode(path, 0444));
    }
  }
  MORTISE_TRY(files.sync_folder(folder));
  return set_mode(folder, 0555);
}

Status make_removable(base::FileOps& files, const std::string& folder) {
  MORTISE_TRY(set_mode(folder, 0700));
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    if (entry.is_folder) MORTISE_TRY(make_removable(files, base::join_path(folder, entry.name)));
  }
  return {};
}

Result<std::string> check_signer(const PackText& text, const Manifest& manifest,
                                 SignaturePolicy signatures, const Keyring& keyring,
                                 int64_t now_ns) {
  if (signatures == SignaturePolicy::kOff) return std::string();
  const auto checked = [&]() -> Result<std::string> {
    if (text.signature.empty()) {
      return Error(Code::kUnauthenticated,
                   "The pack " + manifest.id + " is not signed: there is no pack.json.sig.",
                   "Sign it with `mortise plugin sign`, or ask its vendor for a signed one.");
    }
    MORTISE_ASSIGN(const Signature signature, parse_signature(text.signature, "pack.json.sig"));
    std::vector<std::string> ids = {manifest.id};
    for (const PluginEntry& plugin : manifest.plugins) ids.push_back(plugin.id);
    return verify(keyring, ids, text.manifest, signature, now_ns);
  }();
  if (!checked.ok() && signatures == SignaturePolicy::kWarn) return std::string();
  return checked;
}

bool is_hash(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::vector<FileEntry> listed_files(const Manifest& manifest) {
  std::map<std::string, std::string> hashes;
  for (const FileEntry& file : manifest.files) hashes[file.path] = file.sha256;
  for (const LibraryEntry& library : manifest.libraries) hashes[library.path] = library.sha256;
  std::vector<FileEntry> out;
  for (auto& [path, hash] : hashes) out.push_back({path, hash});
  return out;
}

Result<PackText> read_pack_text(base::FileOps& files, const std::string& root) {
  PackText text;
  MORTISE_ASSIGN(text.manifest,
                 base::read_file(files, base::join_path(root, "pack.json"), 4u << 20));
  const std::string path = base::join_path(root, "pack.json.sig");
  MORTISE_ASSIGN(const bool is_signed, files.exists(path));
  if (is_signed) {
    MORTISE_ASSIGN(text.signature, base::read_file(files, path, 4096));
  }
  return text;
}

Status copy_hashed(base::FileOps& files, const std::string& from, base::File& to,
                   const std::string& sha256) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(from, ignored))) {
    MORTISE_ASSIGN(const bool there, files.exists(from));
    return Error(there ? Code::kInvalidArgument : Code::kNotFound,
                 there ? "A file that the manifest lists is a link or a special file."
                       : "A file that the manifest lists is missing.",
                 "Build or fetch the pack again.")
        .at_file(from);
  }
  MORTISE_ASSIGN(auto source, files.open(from, base::OpenMode::kRead));
  base::Sha256 hash;
  std::vector<std::byte> buffer(1u << 20);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t size, source->read_at(offset, buffer));
    if (size == 0) break;
    const auto piece = std::span<const std::byte>(buffer).first(size);
    hash.update(piece);
    MORTISE_TRY(to.write(piece));
    offset += size;
  }
  const std::string found = base::to_hex(hash.finish());
  if (found == sha256) return {};
  return Error(Code::kDataLoss,
               "The file has the SHA-256 " + found + ", the manifest says " + sha256 + ".",
               "Build or fetch the pack again.")
      .at_file(from);
}

Status verify_files(base::FileOps& files, const Manifest& manifest) {
  std::vector<std::string> present;
  MORTISE_TRY(collect(files, manifest.root, "", present));
  std::map<std::string, std::string> listed;
  for (const FileEntry& file : listed_files(manifest)) listed[file.path] = file.sha256;
  for (const std::string& path : present) {
    if (path == "pack.json" || path == "pack.json.sig" || listed.contains(path)) continue;
    return Error(Code::kInvalidArgument, "The pack holds a file that pack.json does not list.",
                 "List it under \"files\" or remove it.")
        .at_file(base::join_path(manifest.root, path));
  }
  for (const auto& [path, expected] : listed) {
    const std::string whole = base::join_path(manifest.root, path);
    if (std::find(present.begin(), present.end(), path) == present.end()) {
      return Error(Code::kNotFound, "A file that the manifest lists is missing.",
                   "Build or fetch the pack again.")
          .at_file(whole);
    }
    MORTISE_ASSIGN(const base::Digest digest, base::sha256_file(whole));
    if (const std::string found = base::to_hex(digest); found != expected) {
      return Error(Code::kDataLoss,
                   "The file has the SHA-256 " + found + ", the manifest says " + expected + ".",
                   "Build or fetch the pack again.")
          .at_file(whole);
    }
  }
  return {};
}

namespace {

Status copy_pack(base::FileOps& files, const PackText& text, const Manifest& manifest,
                 const std::string& folder) {
  MORTISE_TRY(files.make_folder(folder));
  const auto put = [&](const std::string& name, const std::string& content) -> Status {
    MORTISE_ASSIGN(auto file,
                   files.open(base::join_path(folder, name), base::OpenMode::kCreateNew));
    MORTISE_TRY(file->write(base::as_bytes(content)));
    MORTISE_TRY(file->sync());
    return file->close();
  };
  MORTISE_TRY(put("pack.json", text.manifest));
  if (!text.signature.empty()) MORTISE_TRY(put("pack.json.sig", text.signature));
  for (const FileEntry& entry : listed_files(manifest)) {
    const std::string target = base::join_path(folder, entry.path);
    MORTISE_TRY(base::make_folders(files, target.substr(0, target.find_last_of('/'))));
    MORTISE_ASSIGN(auto file, files.open(target, base::OpenMode::kCreateNew));
    MORTISE_TRY(
        copy_hashed(files, base::join_path(manifest.root, entry.path), *file, entry.sha256));
    MORTISE_TRY(file->sync());
    MORTISE_TRY(file->close());
  }
  return make_read_only(files, folder);
}

}  // namespace

Result<Installed> install(base::FileOps& files, const std::string& source, const std::string& store,
                          SignaturePolicy signatures, const Keyring& keyring, int64_t now_ns) {
  MORTISE_ASSIGN(const PackText text, read_pack_text(files, source));
  Installed installed;
  MORTISE_ASSIGN(installed.manifest,
                 parse_manifest(text.manifest, base::join_path(source, "pack.json")));
  installed.manifest.root = source;
  MORTISE_ASSIGN(installed.signer,
                 check_signer(text, installed.manifest, signatures, keyring, now_ns));
  MORTISE_TRY(verify_files(files, installed.manifest));
  MORTISE_TRY(base::make_folders(files, store));
  const std::string final_folder = base::join_path(store, installed.manifest.sha256);
  MORTISE_ASSIGN(installed.was_there, files.exists(final_folder));
  if (!installed.was_there) {
    const std::string temporary =
        base::join_path(store, ".new-" + base::random_hex(base::system_random(), 8));
    Status copied = copy_pack(files, text, installed.manifest, temporary);
    if (copied.ok()) copied = files.rename(temporary, final_folder);
    if (!copied.ok()) {
      (void)make_removable(files, temporary);
      (void)base::remove_tree(files, temporary);
      return std::move(copied).error();
    }
    MORTISE_TRY(files.sync_folder(store));
  }
  installed.manifest.root = final_folder;
  MORTISE_TRY(verify_files(files, installed.manifest));
  return installed;
}

Status uninstall(base::FileOps& files, const std::string& store, const std::string& sha256) {
  if (!is_hash(sha256)) {
    return Error(Code::kInvalidArgument, "\"" + sha256 + "\" is not 64 hex digits.",
                 "Use the hash that `mortise plugin list` shows.");
  }
  const std::string folder = base::join_path(store, sha256);
  MORTISE_ASSIGN(const bool there, files.exists(folder));
  if (!there) {
    return Error(Code::kNotFound, "No installed pack has the hash " + sha256 + ".");
  }
  // Out of sight first, so that nobody finds half a pack.
  const std::string gone = base::join_path(store, ".old-" + sha256);
  MORTISE_TRY(files.rename(folder, gone));
  MORTISE_TRY(make_removable(files, gone));
  return base::remove_tree(files, gone);
}

}  // namespace mortise::pack
