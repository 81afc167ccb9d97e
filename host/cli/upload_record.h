// What is known of an upload on its way, so that the same command run again goes on from there:
// $MORTISE_HOME/uploads/KEY.json, mode 0600. It holds places on the server; never a name, content
// or token.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/upload_plan.h"

namespace mortise::cli {

// One transfer of the plan, by its place there.
struct TransferState {
  std::string path;  // on the server; "": not created yet
  bool is_done = false;
};

struct UploadRecord {
  std::string server = {};  // its URL, or "private" for the one of this home
  std::string upload;       // id
  std::string files = {};   // digest_of the files
  std::vector<TransferState> transfers = {};

  base::Json to_json() const;
  // Errors: INVALID_ARGUMENT for what is no record of this version.
  static base::Result<UploadRecord> from_json(const base::Json& value);
};

// Tells whether files are the same as in another run: SHA-256, in hex, of their names, places,
// sizes and times.
std::string digest_of(const std::vector<UploadFile>& files);

// The place of one command's record. Holds a lock as long as it lives: a second process with the
// same command is refused.
class RecordPlace {  // [serial]
 public:
  // folder: $MORTISE_HOME/uploads, made when absent; what: the command in canonical JSON. Drops
  // records that nobody touched for seven days, as the server drops what they speak of. Errors:
  // FAILED_PRECONDITION when another process is at it.
  static base::Result<RecordPlace> open(const std::string& folder, const base::Json& what);
  RecordPlace(RecordPlace&& other) noexcept;
  RecordPlace& operator=(RecordPlace&&) = delete;
  ~RecordPlace();

  // NOT_FOUND when there is none; one that cannot be read is dropped.
  base::Result<UploadRecord> load() const;
  base::Status save(const UploadRecord& record) const;
  void drop() const;
  // Where an archive's files are put aside, on the record's disk.
  std::string scratch_path() const { return stem_ + ".scratch"; }

 private:
  RecordPlace(std::string stem, int lock) : stem_(std::move(stem)), lock_(lock) {}
  std::string stem_;  // without ".json"
  int lock_;
};

}  // namespace mortise::cli
