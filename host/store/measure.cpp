// See measure.h.
#include "store/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "store/domain.h"
#include "store/sealing.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::ByteView;
using base::Json;
using base::Result;
using base::Status;

constexpr uint64_t kFilesBetweenSyncs = 1000;
constexpr int kFsyncs = 50;

double cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Measure {  // [serial]
 public:
  Measure(base::FileOps& files, base::Random& random, base::Clock& clock,
          const MeasureOptions& options)
      : files_(&files), random_(&random), clock_(&clock), options_(&options) {
    media_.resize(options.media_bytes);
    random.fill(media_);
  }

  Status run() {
    probe_ciphers();
    MORTISE_TRY(probe_disk());
    found_.read_p50_us = found_.read_p99_us = HUGE_VAL;
    for (int round = 0; round < options_->rounds; ++round) {
      MORTISE_TRY(take_media("media" + std::to_string(round)));
    }
    return take_files();
  }
  const Measured& found() const { return found_; }

 private:
  double wall_s() const { return static_cast<double>(clock_->monotonic_ns()) / 1e9; }
  double mb() const { return static_cast<double>(media_.size()) / 1e6; }

  template <class Act>
  Status each_chunk(const Act& act) {
    for (size_t at = 0; at < media_.size(); at += kChunkSizeMax) {
      MORTISE_TRY(
          act(ByteView(media_).subspan(at, std::min<size_t>(kChunkSizeMax, media_.size() - at))));
    }
    return {};
  }
  // MB a second of CPU.
  template <class Act>
  double cipher_rate(const Act& act) {
    const double begin = cpu_s();
    (void)each_chunk([&](ByteView piece) -> Status {
      act(piece);
      return {};
    });
    return mb() / std::max(cpu_s() - begin, 1e-9);
  }

  void probe_ciphers() {
    const base::HmacSha256 hmac(base::as_bytes("key"));
    found_.hmac_mb_per_cpu_s = cipher_rate([&](ByteView piece) { (void)hmac.of(piece); });
    found_.sha256_mb_per_cpu_s = cipher_rate([](ByteView piece) { (void)base::sha256(piece); });
    const base::Secret key;
    const std::array<std::byte, kSaltSize> salt{};
    Bytes sealed(sealed_size(kChunkSizeMax));
    found_.gcm_mb_per_cpu_s = cipher_rate([&](ByteView piece) {
      seal(key, "", salt, piece, std::span(sealed).first(sealed_size(piece.size())));
    });
  }

  Status probe_disk() {
    const std::string path = base::join_path(options_->folder, "probe");
    MORTISE_ASSIGN(auto file, files_->open(path, base::OpenMode::kCreateNew));
    double begin = wall_s();
    MORTISE_TRY(each_chunk([&](ByteView piece) { return file->write(piece); }));
    MORTISE_TRY(file->sync());
    found_.write_mb_s = mb() / (wall_s() - begin);
    begin = wall_s();
    for (int i = 0; i < kFsyncs; ++i) {
      MORTISE_TRY(file->write(ByteView(media_).first(std::min<size_t>(4096, media_.size()))));
      MORTISE_TRY(file->sync());
    }
    found_.fsyncs_per_s = kFsyncs / (wall_s() - begin);
    MORTISE_TRY(file->close());
    return files_->remove(path);
  }

  Result<std::shared_ptr<Domain>> open_domain(const std::string& name) {
    return Domain::open(*files_, *random_, *clock_, DomainKey::make("bench", *random_),
                        {base::join_path(options_->folder, name), {}});
  }

  Status take_media(const std::string& name) {
    MORTISE_ASSIGN(const auto domain, open_domain(name));
    const double begin = wall_s(), cpu_begin = cpu_s();
    MORTISE_ASSIGN(const ObjectRef ref, domain->put(media_));
    MORTISE_TRY(domain->sync());
    found_.ingest_mb_s = std::max(found_.ingest_mb_s, mb() / (wall_s() - begin));
    found_.ingest_mb_per_cpu_s =
        std::max(found_.ingest_mb_per_cpu_s, mb() / std::max(cpu_s() - cpu_begin, 1e-9));
    return read_at_random(*domain, ref);
  }

  Status read_at_random(Domain& domain, const ObjectRef& ref) {
    if (ref.size_bytes < options_->read_bytes || options_->reads_count == 0) return {};
    MORTISE_ASSIGN(const ObjectReader reader, domain.open_object(ref));
    std::vector<double> spent_us;
    Bytes buffer(options_->read_bytes);
    for (uint64_t i = 0; i < options_->reads_count; ++i) {
      uint64_t offset = 0;
      random_->fill(std::as_writable_bytes(std::span(&offset, 1)));
      offset %= ref.size_bytes - buffer.size() + 1;
      const double begin = wall_s();
      MORTISE_TRY(reader.read_at(offset, buffer));
      spent_us.push_back((wall_s() - begin) * 1e6);
    }
    std::ranges::sort(spent_us);
    found_.read_p50_us = std::min(found_.read_p50_us, spent_us[spent_us.size() / 2]);
    found_.read_p99_us = std::min(found_.read_p99_us, spent_us[spent_us.size() * 99 / 100]);
    return {};
  }

  // As small JPEGs, each with its number in it: none is a chunk that is there already.
  Status take_files() {
    if (options_->files_count == 0) return {};
    MORTISE_ASSIGN(const auto domain, open_domain("files"));
    Bytes file(std::max<uint64_t>(options_->file_bytes, 16));
    random_->fill(file);
    const auto magic = base::as_bytes("\xff\xd8\xff");
    std::ranges::copy(magic, file.begin());
    const double begin = wall_s();
    for (uint64_t i = 0; i < options_->files_count; ++i) {
      std::ranges::copy(std::as_bytes(std::span(&i, 1)), file.begin() + 8);
      MORTISE_TRY(domain->put(file));
      if (i % kFilesBetweenSyncs == kFilesBetweenSyncs - 1) MORTISE_TRY(domain->sync());
    }
    MORTISE_TRY(domain->sync());
    found_.files_s = wall_s() - begin;
    found_.files_per_s = static_cast<double>(options_->files_count) / found_.files_s;
    return {};
  }

  base::FileOps* files_;
  base::Random* random_;
  base::Clock* clock_;
  const MeasureOptions* options_;
  Bytes media_;
  Measured found_;
};

}  // namespace

Json Measured::to_json() const {
  const auto rounded = [](double value) { return std::round(value * 100) / 100; };
  return Json::object({{"hmac_mb_per_cpu_s", rounded(hmac_mb_per_cpu_s)},
                       {"sha256_mb_per_cpu_s", rounded(sha256_mb_per_cpu_s)},
                       {"gcm_mb_per_cpu_s", rounded(gcm_mb_per_cpu_s)},
                       {"write_mb_s", rounded(write_mb_s)},
                       {"fsyncs_per_s", rounded(fsyncs_per_s)},
                       {"ingest_mb_s", rounded(ingest_mb_s)},
                       {"ingest_mb_per_cpu_s", rounded(ingest_mb_per_cpu_s)},
                       {"read_p50_us", rounded(read_p50_us)},
                       {"read_p99_us", rounded(read_p99_us)},
                       {"files_per_s", rounded(files_per_s)},
                       {"files_s", rounded(files_s)}});
}

Result<Measured> measure_store(base::FileOps& files, base::Random& random, base::Clock& clock,
                               const MeasureOptions& options) {
  MORTISE_ASSIGN(const bool is_there, files.exists(options.folder));
  if (is_there) {
    return base::Error(base::Code::kAlreadyExists, "The folder to measure in is there already.",
                       "Name a new one: it is removed at the end.")
        .at_file(options.folder);
  }
  MORTISE_TRY(base::make_folders(files, options.folder));
  Measured found;
  Status done;
  {
    Measure measure(files, random, clock, options);
    done = measure.run();
    found = measure.found();
  }
  const Status removed = base::remove_tree(files, options.folder);
  MORTISE_TRY(done);
  MORTISE_TRY(removed);
  return found;
}

}  // namespace mortise::store
