// See verify_files.h.
#include "hub/verify_files.h"

#include <charconv>

#include "base/file_digest.h"
#include "hub/made_files.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::join_path;
using base::Result;
using base::Status;

// A model or a job, and the file of it: "m:ID:INDEX", "j:ID:INDEX". Models come first.
struct FilePlace {
  bool is_job = false;
  std::string id;
  uint64_t index = 0;
  std::string text() const { return (is_job ? "j:" : "m:") + id + ":" + std::to_string(index); }
};

Result<FilePlace> parse_file_place(const std::string& text) {
  FilePlace place;
  if (text.empty()) return place;
  const size_t colon = text.rfind(':');
  const bool has_kind = text.starts_with("m:") || text.starts_with("j:");
  if (has_kind && colon > 1) {
    place.is_job = text[0] == 'j';
    place.id = text.substr(2, colon - 2);
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, place.index);
    if (read.ec == std::errc() && read.ptr == end) return place;
  }
  return Error(Code::kInvalidArgument, "The cursor is none of ours.",
               "Give the one that the last answer had, or none.")
      .at_field("/cursor");
}

// In `folder`, through the files that open what is sealed.
Status check_file(base::FileOps& files, const std::string& folder, const job::Artifact& file) {
  const std::string path = join_path(folder, file.path);
  MORTISE_ASSIGN(const base::Digest digest, base::sha256_file(files, path));
  const std::string found = base::to_hex(digest);
  if (found == file.sha256) return {};
  return Error(Code::kDataLoss,
               "It has the SHA-256 " + found + ", the database says " + file.sha256 + ".")
      .at_file(path);
}

class FileWalk {  // [serial]
 public:
  FileWalk(Hub& hub, uint64_t bytes_max, VerifyReport& report)
      : hub_(hub), bytes_max_(bytes_max), report_(report) {}

  bool is_spent() const { return report_.bytes_read >= bytes_max_; }

  // Whether all files were read; else `place` is where to go on.
  Result<bool> model(const ModelFiles& model, FilePlace& place) {
    Model known;
    known.folder = join_path(hub_.home(), model.folder());
    known.domain = model.domain;
    auto files = files_of_model(hub_, known);
    if (files.ok()) return read(*files, known.folder, model.reference, "model", model.files, place);
    MORTISE_TRY(note(model.reference, "key", "", files.error()));
    return true;
  }
  Result<bool> job(const JobFiles& job, FilePlace& place) {
    auto made = files_of_attempt(hub_, job.id, job.attempt);
    const std::string name = "job " + job.id;
    const std::string folder =
        join_path(hub_.task_folder(job.id, job.attempt), job::kArtifactsFolder);
    if (made.ok()) return read(made->files, folder, name, "artifact", job.artifacts, place);
    MORTISE_TRY(note(name, "key", "", made.error()));
    return true;
  }

 private:
  Status note(const std::string& whose, std::string part, std::string name, const Error& error) {
    if (!is_damage(error.code)) return error;
    report_.findings.push_back({whose, std::move(part), std::move(name), error.text()});
    return {};
  }

  Result<bool> read(base::FileOps& files, const std::string& folder, const std::string& whose,
                    const std::string& part, const std::vector<job::Artifact>& all,
                    FilePlace& place) {
    while (place.index < all.size()) {
      const job::Artifact& file = all[place.index];
      const Status checked = check_file(files, folder, file);
      ++report_.objects;
      report_.bytes_read += file.size_bytes;
      if (!checked.ok()) MORTISE_TRY(note(whose, part, file.path, checked.error()));
      if (++place.index < all.size() && is_spent()) return false;
    }
    return true;
  }

  Hub& hub_;
  const uint64_t bytes_max_;
  VerifyReport& report_;
};

}  // namespace

bool is_damage(Code code) {
  return code == Code::kDataLoss || code == Code::kNotFound || code == Code::kInvalidArgument;
}

Result<std::string> verify_files(Hub& hub, const HomeFiles& named, const std::string& place,
                                 uint64_t bytes_max, VerifyReport& report) {
  MORTISE_ASSIGN(const FilePlace from, parse_file_place(place));
  FileWalk walk(hub, bytes_max, report);
  bool is_first = true;
  const auto begin = [&](bool is_job, const std::string& id) {
    return FilePlace{is_job, id, is_job == from.is_job && id == from.id ? from.index : 0};
  };
  for (const ModelFiles& model : named.models) {
    if (from.is_job || model.id < from.id) continue;
    FilePlace at = begin(false, model.id);
    if (!is_first && walk.is_spent()) return at.text();
    is_first = false;
    MORTISE_ASSIGN(const bool is_done, walk.model(model, at));
    if (!is_done) return at.text();
    ++report.models;
  }
  for (const JobFiles& job : named.jobs) {
    if (job.artifacts.empty() || (from.is_job && job.id < from.id)) continue;
    FilePlace at = begin(true, job.id);
    if (!is_first && walk.is_spent()) return at.text();
    is_first = false;
    MORTISE_ASSIGN(const bool is_done, walk.job(job, at));
    if (!is_done) return at.text();
    ++report.jobs;
  }
  return std::string();
}

}  // namespace mortise::hub
