// See restore_home.h.
#include "app/mortised/restore_home.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "app/mortised/home_lock.h"
#include "hub/restore.h"
#include "hub/verify.h"

namespace mortise::daemon {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr size_t kPassphraseSizeMax = 4096;

// To the end of the descriptor, without the line end.
Result<std::string> read_passphrase(int descriptor) {
  std::string text;
  char piece[512];
  for (;;) {
    const ssize_t got = ::read(descriptor, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || text.size() > kPassphraseSizeMax) {
      return Error(Code::kInvalidArgument, "The passphrase cannot be read from its descriptor.");
    }
    if (got == 0) break;
    text.append(piece, static_cast<size_t>(got));
  }
  base::wipe(std::as_writable_bytes(std::span(piece)));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

base::Status restore_home(const Settings& settings, int& code) {
  base::FileOps& files = base::posix_file_ops();
  MORTISE_ASSIGN(const HomeLock lock, HomeLock::take(files, settings.home));
  hub::RestoreOptions options;
  options.source = settings.restore_from;
  options.key_source = settings.root_key;
  if (!settings.root_key_file.empty()) {
    MORTISE_ASSIGN(options.root_key, base::read_file(files, settings.root_key_file, 4096));
  }
  if (settings.passphrase_descriptor >= 0) {
    MORTISE_ASSIGN(options.passphrase, read_passphrase(settings.passphrase_descriptor));
  }
  MORTISE_ASSIGN(
      const hub::BackupFacts facts,
      hub::restore(files, base::system_clock(), base::system_random(), settings.home, options));
  // Over the file that was restored: a home whose tables go to PostgreSQL moves at its first start.
  MORTISE_ASSIGN(const auto hub, hub::Hub::open(files, base::system_clock(), base::system_random(),
                                                settings.home, {}, settings.root_key));
  if (!hub->key_lock().is_unlocked()) {
    MORTISE_TRY(hub->key_lock().unlock(options.passphrase, false));
  }
  MORTISE_ASSIGN(const hub::VerifyReport report, hub::verify_all(*hub));
  Json found = report.to_json();
  found.erase("cursor");
  found["home"] = settings.home;
  found["domains"] = facts.domains;
  found["segments_copied"] = facts.segments_copied;
  found["files_copied"] = facts.files_copied;
  found["bytes_copied"] = facts.bytes_copied;
  std::printf("%s\n", found.dump().c_str());
  code = report.findings.empty() ? 0 : 1;
  return {};
}

}  // namespace mortise::daemon
