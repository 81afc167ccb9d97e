// See upload_record.h.
#include "cli/upload_record.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file_ops.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kVersion = 2;  // another plan from the same files is another version
constexpr int64_t kLifeNs = INT64_C(7) * 86'400 * 1'000'000'000;
constexpr uint64_t kRecordBytesMax = 64u << 20;

// Records and locks that are older than what the server keeps.
void drop_stale(const std::string& folder) {
  base::FileOps& files = base::posix_file_ops();
  const auto entries = files.list(folder);
  if (!entries.ok()) return;
  const int64_t oldest_ns = base::system_clock().now_ns() - kLifeNs;
  for (const base::FileInfo& entry : *entries) {
    if (entry.changed_ns >= oldest_ns) continue;
    (void)files.remove(base::join_path(folder, entry.name));
  }
}

}  // namespace

Json UploadRecord::to_json() const {
  Json states = Json::array();
  for (const TransferState& state : transfers) {
    states.push_back(Json::array({state.path, state.is_done}));
  }
  return Json::object({{"version", kVersion},
                       {"server", server},
                       {"upload", upload},
                       {"files", files},
                       {"transfers", std::move(states)}});
}

Result<UploadRecord> UploadRecord::from_json(const Json& value) {
  if (value["version"].as_int() != kVersion || value["upload"].as_string().empty()) {
    return Error(Code::kInvalidArgument, "It is no record of an upload of this version.");
  }
  UploadRecord record{.server = value["server"].as_string(),
                      .upload = value["upload"].as_string(),
                      .files = value["files"].as_string()};
  for (const Json& state : value["transfers"].items()) {
    record.transfers.push_back({state.at(0).as_string(), state.at(1).as_bool()});
  }
  return record;
}

std::string digest_of(const std::vector<UploadFile>& files) {
  base::Sha256 hash;
  for (const UploadFile& file : files) {
    const Json line = Json::array({file.name, file.path(), file.size_bytes, file.modified_ns});
    hash.update(base::as_bytes(line.dump()));
  }
  return base::to_hex(hash.finish());
}

Result<RecordPlace> RecordPlace::open(const std::string& folder, const Json& what) {
  MORTISE_TRY(base::make_folders(base::posix_file_ops(), folder));
  drop_stale(folder);
  const std::string key = base::to_hex(base::sha256(base::as_bytes(what.canonical())));
  std::string stem = base::join_path(folder, key.substr(0, 32));
  const std::string path = stem + ".lock";
  while (true) {
    const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool is_ours = lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0;
    struct stat facts {};
    if (is_ours && ::fstat(lock, &facts) == 0 && facts.st_nlink > 0) {
      return RecordPlace(std::move(stem), lock);
    }
    if (lock >= 0) ::close(lock);
    if (!is_ours) break;  // else it was removed by its last holder meanwhile: once more
  }
  return Error(Code::kFailedPrecondition, "The same upload is being sent by another process.",
               "Wait for it, or end it and run the command again.")
      .at_file(path);
}

RecordPlace::RecordPlace(RecordPlace&& other) noexcept
    : stem_(std::move(other.stem_)), lock_(std::exchange(other.lock_, -1)) {}

RecordPlace::~RecordPlace() {
  if (lock_ < 0) return;
  (void)base::posix_file_ops().remove(stem_ + ".lock");
  ::close(lock_);
}

Result<UploadRecord> RecordPlace::load() const {
  auto text = base::read_file(base::posix_file_ops(), stem_ + ".json", kRecordBytesMax);
  if (!text.ok()) return std::move(text.error());
  const auto value = base::parse_json(*text, {.size_bytes_max = kRecordBytesMax});
  auto record = value.ok() ? UploadRecord::from_json(*value) : Result<UploadRecord>(value.error());
  if (!record.ok()) drop();
  return record;
}

Status RecordPlace::save(const UploadRecord& record) const {
  return base::write_file_durably(base::posix_file_ops(), stem_ + ".json",
                                  record.to_json().dump() + "\n");
}

void RecordPlace::drop() const {
  (void)base::posix_file_ops().remove(stem_ + ".json");
}

}  // namespace mortise::cli
