// See receive.h.
#include "server/receive.h"

#include <algorithm>

#include "base/file_ops.h"

namespace mortise::server {

using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

Receiver::Receiver(Api& api, hub::Transfer& transfer, const TransferLocks::Lease& lease,
                   TusChecksum checksum, std::shared_ptr<store::Domain> domain)
    : api_(&api),
      transfer_(&transfer),
      lease_(&lease),
      checksum_(std::move(checksum)),
      domain_(std::move(domain)) {}

Result<Receiver> Receiver::begin(Api& api, hub::Transfer& transfer,
                                 const TransferLocks::Lease& lease, TusChecksum checksum) {
  MORTISE_ASSIGN(auto domain, api.hub->domains().open_to_store(transfer.domain));
  return Receiver(api, transfer, lease, std::move(checksum), std::move(domain));
}

Status Receiver::take(ByteView piece) {
  const uint64_t size_bytes = piece.size();
  if (checksum_.algorithm == "sha1") sha1_.update(piece);
  if (checksum_.algorithm == "sha256") sha256_.update(piece);
  // A bundle is taken apart once it is here; until then it is not worth cutting and packing well.
  const store::Cut cut = transfer_->kind == "bundle" ? store::Cut::kFixed : store::Cut::kProbe;
  while (!piece.empty()) {
    if (!writer_) writer_.emplace(domain_->begin(cut));
    const uint64_t room = kDurableBytes - writer_->size_bytes();
    const ByteView now = piece.first(std::min<uint64_t>(room, piece.size()));
    MORTISE_TRY(writer_->write(now));
    piece = piece.subspan(now.size());
    if (now.size() == room) {
      MORTISE_TRY(seal());
      MORTISE_TRY(settle());
    }
  }
  if (!lease_->is_wanted()) return {};
  // What has arrived is taken along; a sender that is still at it does not hold the other up.
  late_bytes_ += size_bytes;
  if (late_bytes_ <= kLateBytes) return {};
  return Error(Code::kAborted, "Another request took the upload over.",
               "Ask for its offset and go on from there.")
      .with("status", "423");
}

Status Receiver::seal() {
  if (!writer_ || writer_->size_bytes() == 0) return {};
  MORTISE_ASSIGN(sealed_.emplace_back(), writer_->finish());
  writer_.reset();
  return {};
}

Status Receiver::commit() {
  MORTISE_TRY(seal());
  if (sealed_.empty()) return {};
  MORTISE_TRY(domain_->sync());
  MORTISE_TRY(api_->hub->transfers().append(*transfer_, sealed_));
  sealed_.clear();
  return {};
}

Status Receiver::settle() {
  return checksum_.algorithm.empty() ? commit() : Status();
}

Status Receiver::finish() {
  const ByteView wanted(checksum_.digest);
  bool is_same = true;
  if (checksum_.algorithm == "sha1") is_same = std::ranges::equal(sha1_.finish(), wanted);
  if (checksum_.algorithm == "sha256") is_same = std::ranges::equal(sha256_.finish(), wanted);
  if (is_same) return commit();
  return Error(Code::kInvalidArgument,
               "The bytes that arrived have another " + checksum_.algorithm +
                   " than Upload-Checksum says.",
               "Send them again from the same offset; nothing of them was kept.")
      .with("status", "460");
}

Status receive_body(Api& api, Request& request, hub::Transfer& transfer,
                    const TransferLocks::Lease& lease, TusChecksum checksum) {
  const uint64_t size_max =
      transfer.size_bytes < 0 ? kTransferBytesMax : static_cast<uint64_t>(transfer.size_bytes);
  const uint64_t rest = size_max - static_cast<uint64_t>(transfer.offset_bytes);
  MORTISE_ASSIGN(Receiver receiver, Receiver::begin(api, transfer, lease, std::move(checksum)));
  const Status read =
      request.body->read(rest, [&receiver](ByteView piece) { return receiver.take(piece); });
  if (read.ok()) return receiver.finish();
  (void)receiver.settle();  // what cannot be kept was not counted: the offset stays true
  return read;
}

Result<uint64_t> room_bytes(const Api& api) {
  MORTISE_ASSIGN(const base::DiskSpace disk, base::disk_space(api.hub->home()));
  const uint64_t usual = std::min<uint64_t>(disk.total_bytes / 20, UINT64_C(10) << 30);
  const uint64_t headroom =
      api.headroom_bytes < 0 ? usual : static_cast<uint64_t>(api.headroom_bytes);
  return disk.free_bytes - std::min(disk.free_bytes, headroom);
}

}  // namespace mortise::server
