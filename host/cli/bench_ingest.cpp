// `mortise bench ingest`: how fast the sealed store takes and gives bytes here, in memory, on the
// disk and (--http) through the server, beside what disk and ciphers do. One JSON line.
#include "cli/bench_ingest.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "base/file_ops.h"
#include "cli/command.h"
#include "cli/home.h"
#include "cli/http.h"
#include "cli/local_task.h"
#include "cli/server.h"
#include "cli/upload.h"

namespace mortise::cli {

using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kMediaBytes = INT64_C(256) << 20, kFiles = 30'000;
constexpr int kSmallSent = 10'000;
constexpr size_t kSmallBytes = 3000;

double now_s() {
  return static_cast<double>(base::system_clock().monotonic_ns()) / 1e9;
}

// A folder of this run below `place`, removed with all that is in it.
struct Scratch {
  std::string path;
  explicit Scratch(const std::string& place)
      : path(base::join_path(place,
                             "mortise-bench-" + base::random_hex(base::system_random(), 8))) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() { (void)base::remove_tree(base::posix_file_ops(), path); }
};

Result<Json> in_folder(const std::string& place, int64_t media_bytes, int64_t files) {
  const Scratch scratch(place);
  Json given =
      Json::object({{"folder", scratch.path}, {"media_bytes", media_bytes}, {"files", files}});
  MORTISE_ASSIGN(const job::TaskResult result,
                 run_local({.kind = "bench.ingest", .arguments = given, .shows_output = false}));
  return result.scores.at(0);
}

Status write_random(const std::string& path, int64_t size_bytes) {
  MORTISE_ASSIGN(auto file, base::posix_file_ops().open(path, base::OpenMode::kCreateNew));
  std::vector<std::byte> piece(static_cast<size_t>(std::min<int64_t>(size_bytes, 1 << 20)));
  for (int64_t left = size_bytes; left > 0; left -= static_cast<int64_t>(piece.size())) {
    base::system_random().fill(piece);
    const auto size = static_cast<size_t>(std::min<int64_t>(left, std::ssize(piece)));
    MORTISE_TRY(file->write(std::span(piece).first(size)));
  }
  return file->close();
}

// The same through the server, as `dataset upload` sends it: files durable when it returns. The
// uploads are removed; their bytes go with the next compaction.
Result<double> send_s(Http& http, const std::vector<UploadFile>& files) {
  const double begin = now_s();
  MORTISE_ASSIGN(const std::string id,
                 bring_files(Json::object({{"name", "bench"}}), files, nullptr));
  const double seconds = now_s() - begin;
  MORTISE_TRY(http.remove("/api/v1/uploads/" + id));
  return seconds;
}

Result<Json> over_http(const std::string& place, int64_t media_bytes) {
  const Scratch scratch(place);
  const std::string media = base::join_path(scratch.path, "media"),
                    small = base::join_path(scratch.path, "small");
  MORTISE_TRY(base::make_folders(base::posix_file_ops(), small));
  MORTISE_TRY(write_random(media, media_bytes));
  for (int i = 0; i < kSmallSent; ++i) {
    MORTISE_TRY(write_random(base::join_path(small, std::to_string(i)), kSmallBytes));
  }
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const UploadFile whole, file_at(media, "media"));
  MORTISE_ASSIGN(const double media_s, send_s(http, {whole}));
  MORTISE_ASSIGN(const auto many, files_below(small));
  MORTISE_ASSIGN(const double small_s, send_s(http, many));
  return Json::object({{"ingest_mb_s", static_cast<double>(media_bytes) / 1e6 / media_s},
                       {"files_per_s", kSmallSent / small_s}});
}

}  // namespace

Result<int> bench_ingest(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t media_bytes, arguments.integer("--media-bytes", kMediaBytes));
  MORTISE_ASSIGN(const int64_t files, arguments.integer("--files", kFiles));
  const std::string disk =
      arguments.has("--folder") ? absolute_path(arguments.text("--folder")) : home_folder();
  Json found = Json::object({{"media_bytes", media_bytes}, {"files", files}, {"folder", disk}});
  MORTISE_ASSIGN(const bool has_memory, base::posix_file_ops().exists("/dev/shm"));
  if (has_memory) {
    MORTISE_ASSIGN(found["memory"], in_folder("/dev/shm", media_bytes, files));
  }
  MORTISE_ASSIGN(found["disk"], in_folder(disk, media_bytes, files));
  if (arguments.has("--http")) {
    MORTISE_ASSIGN(found["http"], over_http(disk, media_bytes));
  }
  std::printf("%s\n", found.dump().c_str());
  return 0;
}

}  // namespace mortise::cli
