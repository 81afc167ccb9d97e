// Transfers: the bytes of one file on their way here, by whatever protocol (tus, OpenAI's uploads).
// An offset that was answered is on the disk: every stretch of bytes is a sealed object of its own,
// synced, then named in a row. The whole is their concatenation by recipe; nothing is written
// twice. A transfer that belongs to an upload becomes a file of it at its end; one that belongs to
// none is a stored file (OpenAI's Files). Called by server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/domains.h"
#include "hub/page.h"
#include "hub/uploads.h"
#include "store/object_ref.h"

namespace mortise::hub {

constexpr int64_t kTransfersOpenMax = 1000;  // of one owner

struct Transfer {
  std::string id, owner;
  std::string upload_id;  // the upload that it joins; "": none
  std::string domain;     // of the store
  std::string kind;       // file | bundle (a tar) | partial | assembly (bytes come as partials)
  std::string state;      // open | complete | removed | expired
  std::string name;       // of the file
  std::string purpose;    // OpenAI's
  std::string parent;     // of a partial: the assembly that it is for; else ""
  std::string sha256;     // what the whole must have, hex; "": not said
  std::string metadata, concat;  // the headers as the client sent them
  int64_t size_bytes = -1;       // of the whole; -1: not known yet
  int64_t offset_bytes = 0;      // what is on the disk
  std::string file_ref;          // once complete
  int64_t created_ns = 0, expires_ns = 0;

  bool is_whole() const { return offset_bytes == size_bytes; }
  bool may_expire() const { return state == "open" || kind == "partial"; }
  base::Json to_json() const;
};

struct FilesRequest {   // which stored files
  std::string purpose;  // "": any
  std::string after;    // the id of the last one seen
  bool is_oldest_first = false;
  int64_t limit = 10'000;
};

class Transfers {  // [any]; one caller at a time for each transfer
 public:
  Transfers(Database& database, base::Clock& clock, base::Random& random, Domains& domains,
            Uploads& uploads)
      : database_(&database),
        clock_(&clock),
        random_(&random),
        domains_(&domains),
        uploads_(&uploads) {}

  // wanted: owner, upload_id, kind, name, purpose, sha256, metadata, concat and size_bytes of the
  // new one. The rest of what open transfers will still bring is held free: room_bytes is what the
  // disk takes in all. Errors: INVALID_ARGUMENT for a name, NOT_FOUND and FAILED_PRECONDITION of
  // the upload, RESOURCE_EXHAUSTED (507 no room; 429 too many open).
  base::Result<Transfer> create(Transfer wanted, uint64_t room_bytes);
  // Errors: NOT_FOUND (404 never there or of another owner; 410 removed or expired).
  base::Result<Transfer> get(const std::string& id, const std::string& owner);
  // Once, for one whose size was not known.
  base::Status set_size(Transfer& transfer, int64_t size_bytes);
  // The next bytes as objects that are durable already. Errors: ABORTED when another was faster.
  base::Status append(Transfer& transfer, const std::vector<store::ObjectRef>& parts);
  // Makes a whole transfer complete; again is allowed. Errors: 460 (INVALID_ARGUMENT) when the
  // bytes have another SHA-256: the transfer is over then; those of a bundle's tar; of the upload.
  base::Status finish(Transfer& transfer);
  // A transfer that is complete at once, from complete partials of the same owner and domain, in
  // this order; the partials stay. Errors: NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION.
  base::Result<Transfer> concat(Transfer wanted, const std::vector<std::string>& partials);
  // The same for an assembly, whose size was said when it was made: INVALID_ARGUMENT for another.
  base::Status assemble(Transfer& assembly, const std::vector<std::string>& partials);
  // A transfer that is complete at once, of objects that are durable already, in its domain.
  base::Result<Transfer> keep(Transfer wanted, const std::vector<store::ObjectRef>& parts,
                              uint64_t room_bytes);
  // The domain of what belongs to no upload.
  base::Result<std::string> domain_of_files(const std::string& owner) {
    return domains_->id_of("/files/" + owner);
  }
  base::Result<std::vector<Transfer>> files(const std::string& owner, const FilesRequest& request);
  // A stored file into an upload, whose key is another: it is sealed again. Errors: of the upload.
  base::Status copy(const Transfer& file, const std::string& upload_id, const std::string& name);
  // Also the file that it became, while its upload is open. Errors: FAILED_PRECONDITION for a
  // bundle that is complete.
  base::Status remove(const Transfer& transfer);
  // Ends what nobody came back for, forgets what ended long ago. Called by upkeep and creation.
  base::Status expire();

 private:
  base::Result<std::vector<store::ObjectRef>> gather(const Transfer& whole,
                                                     const std::vector<std::string>& partials);
  base::Status place(Transfer& wanted);
  base::Status complete(Transfer& transfer, const store::ObjectRef& whole);
  Database* database_;
  base::Clock* clock_;
  base::Random* random_;
  Domains* domains_;
  Uploads* uploads_;
};

}  // namespace mortise::hub
