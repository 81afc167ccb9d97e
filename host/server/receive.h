// The body of a request into a transfer: sealed as it comes, durable each 4 MiB and where the
// connection breaks. Used by the handlers of tus and of OpenAI's files and uploads.
#pragma once

#include "server/api.h"
#include "server/transfer_locks.h"
#include "server/tus.h"

namespace mortise::server {

constexpr uint64_t kDurableBytes = 4u << 20;  // what is lost at most when everything dies at once
constexpr uint64_t kLateBytes = 8u << 20;     // about what a socket holds
constexpr uint64_t kTransferBytesMax = UINT64_C(1) << 40;

// Takes bytes to the end of a transfer. With a checksum all of them or none are kept. [serial]
class Receiver {
 public:
  // The references outlive it. Errors: of opening the domain.
  static base::Result<Receiver> begin(Api& api, hub::Transfer& transfer,
                                      const TransferLocks::Lease& lease, TusChecksum checksum);
  // Errors: RESOURCE_EXHAUSTED (413) past the transfer's size, ABORTED (423) when another request
  // wants the transfer and more than a socketful has come since, of the store.
  base::Status take(base::ByteView piece);
  // What has come so far is durable and counted, unless a checksum is to come.
  base::Status settle();
  // The end of a body that came whole. Errors: 460 (INVALID_ARGUMENT) when the checksum differs.
  base::Status finish();

 private:
  Receiver(Api& api, hub::Transfer& transfer, const TransferLocks::Lease& lease,
           TusChecksum checksum, std::shared_ptr<store::Domain> domain);
  base::Status seal();
  base::Status commit();

  Api* api_;
  hub::Transfer* transfer_;
  const TransferLocks::Lease* lease_;
  TusChecksum checksum_;
  std::shared_ptr<store::Domain> domain_;
  std::optional<store::ObjectWriter> writer_;
  std::vector<store::ObjectRef> sealed_;  // not counted yet
  uint64_t late_bytes_ = 0;               // since another request wanted the transfer
  base::Sha1 sha1_;
  base::Sha256 sha256_;
};

// The whole body of the request. What arrived before an error is kept, unless there is a checksum.
base::Status receive_body(Api& api, Request& request, hub::Transfer& transfer,
                          const TransferLocks::Lease& lease, TusChecksum checksum);
// What the disk takes beside the headroom.
base::Result<uint64_t> room_bytes(const Api& api);

}  // namespace mortise::server
