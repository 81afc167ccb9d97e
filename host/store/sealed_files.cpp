// See sealed_files.h.
#include "store/sealed_files.h"

#include <algorithm>
#include <mutex>

#include "store/byte_order.h"
#include "store/sealing.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr uint64_t kNameSize = kSealedFileHeadSize - kSealHeadSize;  // magic and domain id
constexpr uint64_t kFramesAtOnce = 64;                               // 1 MiB
constexpr size_t kCopyBytes = 1u << 20;

Bytes name_of(const std::string& domain_id) {
  Bytes name;
  put_bytes(name, base::as_bytes("mrtfil01"));
  put_bytes(name, base::as_bytes(domain_id));
  name.resize(kNameSize);
  return name;
}

std::string context_of(const std::string& domain_id) {
  return "mortise/1|file|" + domain_id;
}

Error damaged(const std::string& path, std::string message) {
  return Error(Code::kDataLoss, std::move(message),
               "Run the job that made it again, or resume it from an older checkpoint.")
      .at_file(path);
}

// Frames leave as they fill; the end is sealed by sync() or close().
class FileToWrite final : public base::File {
 public:
  FileToWrite(std::unique_ptr<base::File> file, std::string path, ByteView name, Sealer sealer)
      : file_(std::move(file)), path_(std::move(path)), sealer_(std::move(sealer)) {
    out_.reserve(kSealedFileHeadSize + (kFramesAtOnce + 1) * kSealedFrameSize);
    put_bytes(out_, name);
    put_bytes(out_, sealer_.head());
    pending_.reserve(kFrameSize);
  }

  Status write(std::span<const std::byte> data) override {
    MORTISE_TRY(check_usable());
    if (is_ended_) {
      return Error(Code::kFailedPrecondition, "A sealed file ends with its first sync.",
                   "Write all of it before.")
          .at_file(path_);
    }
    size_bytes_ += data.size();
    while (pending_.size() + data.size() >= kFrameSize) {
      const size_t taken = kFrameSize - pending_.size();
      if (pending_.empty()) {
        add_frame(data.first(taken));
      } else {
        put_bytes(pending_, data.first(taken));
        add_frame(pending_);
        pending_.clear();
      }
      data = data.subspan(taken);
      if (out_.size() >= kFramesAtOnce * kSealedFrameSize) MORTISE_TRY(flush());
    }
    put_bytes(pending_, data);
    return {};
  }
  Result<size_t> read_at(uint64_t, std::span<std::byte>) override {
    return Error(Code::kFailedPrecondition, "A sealed file is not read while it is written.")
        .at_file(path_);
  }
  Status sync() override {
    MORTISE_TRY(end());
    return file_->sync();
  }
  Status truncate(uint64_t) override {
    return Error(Code::kUnimplemented, "A sealed file is not cut.").at_file(path_);
  }
  Result<uint64_t> size() override { return size_bytes_; }
  Status close() override {
    if (is_closed_) return {};
    is_closed_ = true;
    Status ended = end();
    Status closed = file_->close();
    return ended.ok() ? closed : ended;
  }
  int descriptor() const override { return -1; }

 private:
  Status check_usable() const {
    if (!is_broken_) return {};
    return damaged(path_, "An earlier write to this sealed file failed.");
  }
  void add_frame(ByteView plain) {
    const size_t at = out_.size();
    out_.resize(at + plain.size() + base::AesGcm::kTagSize);
    sealer_.seal_frame(plain, std::span(out_).subspan(at));
  }
  // A write that failed may have written a part: what would follow stands at the wrong place.
  Status flush() {
    const Status written = file_->write(out_);
    is_broken_ = !written.ok();
    out_.clear();
    return written;
  }
  Status end() {
    MORTISE_TRY(check_usable());
    if (is_ended_) return {};
    is_ended_ = true;
    add_frame(pending_);
    base::wipe(pending_);
    pending_.clear();
    return flush();
  }

  std::unique_ptr<base::File> file_;
  std::string path_;
  Sealer sealer_;
  Bytes pending_, out_;  // plain, less than a frame; sealed, on its way
  uint64_t size_bytes_ = 0;
  bool is_ended_ = false, is_closed_ = false, is_broken_ = false;
};

class FileToRead final : public base::File {
 public:
  FileToRead(std::unique_ptr<base::File> file, std::string path, Unsealer unsealer,
             uint64_t size_bytes)
      : file_(std::move(file)),
        path_(std::move(path)),
        unsealer_(std::move(unsealer)),
        size_bytes_(size_bytes) {}

  // The last frame says where the end is, so it is authenticated before a size is told.
  Status check_end() {
    std::byte last{};
    const uint64_t tail = size_bytes_ % kFrameSize;
    if (tail > 0) return read_frames(size_bytes_ - 1, std::span(&last, 1));
    return read_frames(size_bytes_, {});
  }
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= size_bytes_) return size_t{0};
    buffer = buffer.first(std::min<uint64_t>(buffer.size(), size_bytes_ - offset));
    for (size_t done = 0; done < buffer.size();) {
      const uint64_t inside = (offset + done) % kFrameSize;
      const auto some =
          std::min<uint64_t>(buffer.size() - done, kFramesAtOnce * kFrameSize - inside);
      MORTISE_TRY(read_frames(offset + done, buffer.subspan(done, some)));
      done += some;
    }
    return buffer.size();
  }
  Status write(std::span<const std::byte>) override { return read_only(); }
  Status truncate(uint64_t) override { return read_only(); }
  Status sync() override { return file_->sync(); }
  Result<uint64_t> size() override { return size_bytes_; }
  Status close() override { return file_->close(); }
  int descriptor() const override { return -1; }

 private:
  Status read_only() const {
    return Error(Code::kPermissionDenied, "The file was opened to be read.").at_file(path_);
  }
  // All of `out` from `offset` on, at most kFramesAtOnce frames; an empty `out`: the frame at
  // `offset` is authenticated.
  Status read_frames(uint64_t offset, std::span<std::byte> out) {
    const uint64_t first = offset / kFrameSize;
    const uint64_t end = out.empty() ? first + 1 : (offset + out.size() - 1) / kFrameSize + 1;
    const uint64_t begin_plain = first * kFrameSize;
    const uint64_t end_plain = std::min(size_bytes_, end * kFrameSize);
    Bytes sealed(end_plain - begin_plain + (end - first) * base::AesGcm::kTagSize);
    MORTISE_ASSIGN(const size_t got,
                   file_->read_at(kSealedFileHeadSize + first * kSealedFrameSize, sealed));
    if (got < sealed.size()) return damaged(path_, "The sealed file ends while it is read.");
    Bytes frame;
    for (uint64_t index = first; index < end; ++index) {
      const uint64_t frame_begin = index * kFrameSize;
      const auto size = std::min<uint64_t>(kFrameSize, size_bytes_ - frame_begin);
      const ByteView from = ByteView(sealed).subspan((index - first) * kSealedFrameSize,
                                                     size + base::AesGcm::kTagSize);
      const uint64_t wanted_begin = std::max(offset, frame_begin);
      const uint64_t wanted_end = std::min(offset + out.size(), frame_begin + size);
      const bool is_whole = wanted_begin == frame_begin && wanted_end == frame_begin + size;
      if (is_whole) {
        MORTISE_TRY(open_frame(index, from, out.subspan(frame_begin - offset, size)));
        continue;
      }
      frame.resize(size);
      MORTISE_TRY(open_frame(index, from, frame));
      std::copy(frame.begin() + static_cast<ptrdiff_t>(wanted_begin - frame_begin),
                frame.begin() + static_cast<ptrdiff_t>(wanted_end - frame_begin),
                out.begin() + static_cast<ptrdiff_t>(wanted_begin - offset));
    }
    return {};
  }
  Status open_frame(uint64_t index, ByteView sealed, std::span<std::byte> plain) {
    const std::lock_guard lock(mutex_);
    if (unsealer_.open_frame(index, sealed, plain)) return {};
    return damaged(path_, "Frame " + std::to_string(index) +
                              " of a sealed file does not match its authentication tag.");
  }

  std::unique_ptr<base::File> file_;
  std::string path_;
  std::mutex mutex_;
  Unsealer unsealer_;  // [serial]
  uint64_t size_bytes_;
};

Result<std::unique_ptr<base::File>> open_sealed(std::unique_ptr<base::File> file,
                                                const std::string& path,
                                                const std::string& domain_id,
                                                const base::Secret& key) {
  MORTISE_ASSIGN(const uint64_t sealed_size, file->size());
  Bytes head(kSealedFileHeadSize);
  MORTISE_ASSIGN(const size_t got, file->read_at(0, head));
  const auto size = plain_file_size(sealed_size);
  const ByteView name = ByteView(head).first<kNameSize>();
  if (got == head.size() && !std::ranges::equal(name, name_of(domain_id))) {
    return damaged(path, "The file is not sealed for the domain " + domain_id + ".");
  }
  if (got < head.size() || !size) return damaged(path, "The sealed file is cut: it has no end.");
  auto unsealer = Unsealer::open(key, context_of(domain_id),
                                 ByteView(head).subspan<kNameSize, kSealHeadSize>());
  if (!unsealer.ok()) {
    return damaged(path, "The head of the sealed file does not match its key commitment.");
  }
  auto opened = std::make_unique<FileToRead>(std::move(file), path, std::move(*unsealer), *size);
  MORTISE_TRY(opened->check_end());
  return std::unique_ptr<base::File>(std::move(opened));
}

Status copy_bytes(base::File& from, base::File& to) {
  Bytes piece(kCopyBytes);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, from.read_at(offset, piece));
    MORTISE_TRY(to.write(ByteView(piece).first(got)));
    offset += got;
    if (got < piece.size()) break;
  }
  MORTISE_TRY(to.sync());
  return to.close();
}

}  // namespace

uint64_t sealed_file_size(uint64_t plain_size) {
  return kNameSize + sealed_size(plain_size);
}

std::optional<uint64_t> plain_file_size(uint64_t sealed_size) {
  if (sealed_size < kSealedFileHeadSize) return std::nullopt;
  const uint64_t frames = sealed_size - kSealedFileHeadSize;
  const uint64_t last = frames % kSealedFrameSize;  // shorter than a full frame, and never missing
  if (last < base::AesGcm::kTagSize) return std::nullopt;
  return frames / kSealedFrameSize * kFrameSize + last - base::AesGcm::kTagSize;
}

void SealedFiles::add(const std::string& folder, const DomainKey& key) {
  folders_.push_back({folder, key.domain_id(), key.derive("file")});
}

const SealedFiles::Folder* SealedFiles::folder_of(const std::string& path) const {
  for (const Folder& folder : folders_) {
    if (!path.starts_with(folder.path)) continue;
    if (path.size() == folder.path.size() || path[folder.path.size()] == '/') return &folder;
  }
  return nullptr;
}

bool SealedFiles::have_one_key(const std::string& a, const std::string& b) const {
  const Folder* const of_a = folder_of(a);
  const Folder* const of_b = folder_of(b);
  if (of_a == nullptr || of_b == nullptr) return of_a == of_b;
  return of_a->domain_id == of_b->domain_id;
}

Result<std::unique_ptr<base::File>> SealedFiles::open(const std::string& path,
                                                      base::OpenMode mode) {
  const Folder* const folder = folder_of(path);
  if (folder == nullptr) return inner_->open(path, mode);
  if (mode == base::OpenMode::kAppend || mode == base::OpenMode::kOverwrite) {
    return Error(Code::kUnimplemented, "A sealed file is written once and whole.").at_file(path);
  }
  MORTISE_ASSIGN(auto file, inner_->open(path, mode));
  if (mode == base::OpenMode::kRead) {
    return open_sealed(std::move(file), path, folder->domain_id, folder->key);
  }
  std::array<std::byte, kSaltSize> salt;
  random_->fill(salt);
  Sealer sealer(folder->key, context_of(folder->domain_id), salt);
  return std::unique_ptr<base::File>(std::make_unique<FileToWrite>(
      std::move(file), path, name_of(folder->domain_id), std::move(sealer)));
}

Status SealedFiles::rename(const std::string& from, const std::string& to) {
  if (have_one_key(from, to)) return inner_->rename(from, to);
  return Error(Code::kFailedPrecondition, "What is sealed cannot move to where another key seals.",
               "Copy it.")
      .at_file(from + " to " + to);
}

Status SealedFiles::link(const std::string& from, const std::string& to) {
  if (have_one_key(from, to)) return inner_->link(from, to);
  MORTISE_ASSIGN(const auto source, open(from, base::OpenMode::kRead));
  MORTISE_ASSIGN(const auto target, open(to, base::OpenMode::kCreateNew));
  Status copied = copy_bytes(*source, *target);
  if (!copied.ok()) (void)inner_->remove(to);
  return copied;
}

Result<std::vector<base::FileInfo>> SealedFiles::list(const std::string& path) {
  MORTISE_ASSIGN(auto found, inner_->list(path));
  if (folder_of(path) == nullptr) return found;
  for (base::FileInfo& entry : found) {
    if (!entry.is_folder) entry.size_bytes = plain_file_size(entry.size_bytes).value_or(0);
  }
  return found;
}

}  // namespace mortise::store
