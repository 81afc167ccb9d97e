// See blob_store.h. Layout: blobs/ab/<64 hex digits> and temporary/<32 hex digits>.
#include "store/blob_store.h"

#include <sys/stat.h>

#include <array>

namespace mortise::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::string_view kPrefix = "sha256:";

bool is_digest(std::string_view digest) {
  if (digest.size() != kPrefix.size() + 64 || !digest.starts_with(kPrefix)) return false;
  return digest.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

}  // namespace

BlobWriter::BlobWriter(BlobStore& store, std::string temporary, std::unique_ptr<base::File> file)
    : store_(&store), temporary_(std::move(temporary)), file_(std::move(file)) {}

BlobWriter::~BlobWriter() {
  if (file_ == nullptr) return;
  file_.reset();
  (void)store_->files_->remove(temporary_);  // what stays is removed at the next open
}

Status BlobWriter::write(base::ByteView data) {
  if (file_ == nullptr) {
    return Error(Code::kFailedPrecondition, "This blob was committed or has failed already.");
  }
  MORTISE_TRY(file_->write(data));
  hash_.update(data);
  size_bytes_ += data.size();
  return {};
}

Result<BlobRef> BlobWriter::publish() {
  MORTISE_TRY(file_->sync());
  MORTISE_TRY(file_->close());
  BlobRef blob{std::string(kPrefix) + base::to_hex(hash_.finish()), size_bytes_};
  MORTISE_TRY(store_->publish(temporary_, blob.digest));
  return blob;
}

Result<BlobRef> BlobWriter::commit() {
  if (file_ == nullptr) {
    return Error(Code::kFailedPrecondition, "This blob was committed or has failed already.");
  }
  Result<BlobRef> blob = publish();
  file_.reset();
  (void)store_->files_->remove(temporary_);
  return blob;
}

BlobStore::BlobStore(base::FileOps& files, base::Random& random, std::string root)
    : files_(&files), random_(&random), root_(std::move(root)) {}

Result<std::unique_ptr<BlobStore>> BlobStore::open(base::FileOps& files, base::Random& random,
                                                   const std::string& root) {
  const std::string temporary = base::join_path(root, "temporary");
  MORTISE_TRY(base::make_folders(files, temporary));
  MORTISE_ASSIGN(const auto leftovers, files.list(temporary));
  for (const base::FileInfo& file : leftovers) {
    MORTISE_TRY(base::remove_tree(files, base::join_path(temporary, file.name)));
  }
  MORTISE_TRY(base::make_folders(files, base::join_path(root, "blobs")));
  return std::unique_ptr<BlobStore>(new BlobStore(files, random, root));
}

Result<std::string> BlobStore::place_of(std::string_view digest) const {
  if (!is_digest(digest)) {
    return Error(Code::kInvalidArgument, "\"" + std::string(digest.substr(0, 100)) +
                                             "\" is not a digest; one is \"sha256:\" and 64 "
                                             "lower-case hex digits.");
  }
  const std::string_view hex = digest.substr(kPrefix.size());
  return root_ + "/blobs/" + std::string(hex.substr(0, 2)) + "/" + std::string(hex);
}

Result<BlobWriter> BlobStore::begin() {
  std::string path = root_ + "/temporary/" + base::random_hex(*random_, 16);
  MORTISE_ASSIGN(auto file, files_->open(path, base::OpenMode::kCreateNew));
  return BlobWriter(*this, std::move(path), std::move(file));
}

Result<BlobRef> BlobStore::put(base::ByteView data) {
  MORTISE_ASSIGN(BlobWriter writer, begin());
  MORTISE_TRY(writer.write(data));
  return writer.commit();
}

// Makes the folder and syncs its entry, once for each folder in the life of this store: another
// thread must not acknowledge a blob in a folder whose own name is not on the disk yet.
Status BlobStore::make_ready(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  if (ready_folders_.contains(folder)) return {};
  MORTISE_TRY(files_->make_folder(folder));
  MORTISE_TRY(files_->sync_folder(folder.substr(0, folder.rfind('/'))));
  ready_folders_.insert(folder);
  return {};
}

// The bytes of `from` are synced. The folder is synced even when the blob was there before: who
// put it may not have come so far.
Status BlobStore::publish(const std::string& from, const std::string& digest) {
  MORTISE_ASSIGN(const std::string place, place_of(digest));
  MORTISE_TRY(make_ready(place.substr(0, place.rfind('/'))));
  const Status linked = files_->link(from, place);
  if (!linked.ok() && linked.error().code != Code::kAlreadyExists) return linked;
  return files_->sync_folder(place.substr(0, place.rfind('/')));
}

Result<BlobRef> BlobStore::adopt(const std::string& path) {
  // The copy gives the store an inode of its own, which the other can no longer change.
  MORTISE_ASSIGN(auto file, files_->open(path, base::OpenMode::kRead));
  MORTISE_ASSIGN(BlobWriter writer, begin());
  std::vector<std::byte> piece(1u << 20);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, file->read_at(offset, piece));
    if (got == 0) break;
    MORTISE_TRY(writer.write({piece.data(), got}));
    offset += got;
  }
  return writer.commit();
}

Result<std::string> BlobStore::path_of(const BlobRef& blob) {
  MORTISE_ASSIGN(std::string place, place_of(blob.digest));
  struct stat facts {};
  if (::lstat(place.c_str(), &facts) != 0) {
    return Error(Code::kNotFound, "The blob " + blob.digest + " is not in the store.");
  }
  if (static_cast<uint64_t>(facts.st_size) != blob.size_bytes) {
    return Error(Code::kDataLoss,
                 "The blob " + blob.digest + " has " + std::to_string(facts.st_size) +
                     " bytes, its record says " + std::to_string(blob.size_bytes) + ".",
                 "Restore it from a backup.")
        .at_file(place);
  }
  return place;
}

Status BlobStore::link_to(const BlobRef& blob, const std::string& path) {
  MORTISE_ASSIGN(const std::string place, path_of(blob));
  return files_->link(place, path);
}

Status BlobStore::verify(const BlobRef& blob) {
  MORTISE_ASSIGN(const std::string place, path_of(blob));
  MORTISE_ASSIGN(const base::Digest digest, base::sha256_file(place));
  if (std::string(kPrefix) + base::to_hex(digest) == blob.digest) return {};
  return Error(Code::kDataLoss, "The bytes of the blob " + blob.digest + " have changed.",
               "Restore it from a backup.")
      .at_file(place);
}

Result<uint64_t> BlobStore::collect(const std::function<bool(std::string_view digest)>& is_used) {
  uint64_t freed = 0;
  const std::string blobs = base::join_path(root_, "blobs");
  MORTISE_ASSIGN(const auto folders, files_->list(blobs));
  for (const base::FileInfo& folder : folders) {
    MORTISE_ASSIGN(const auto found, files_->list(base::join_path(blobs, folder.name)));
    for (const base::FileInfo& file : found) {
      if (is_used(std::string(kPrefix) + file.name)) continue;
      MORTISE_TRY(files_->remove(base::join_path(base::join_path(blobs, folder.name), file.name)));
      freed += file.size_bytes;
    }
  }
  return freed;
}

}  // namespace mortise::store
