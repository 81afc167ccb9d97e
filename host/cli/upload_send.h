// Sends the transfers of a plan over several connections. Each PATCH has its checksum; when a
// connection breaks or the server ends, the server is asked what it holds and the rest follows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/http.h"
#include "cli/upload_plan.h"
#include "cli/upload_record.h"

namespace mortise::cli {

struct SendSettings {
  size_t connections = 4;
  size_t piece_bytes = 4u << 20;  // of one PATCH; each connection holds one in memory
  int64_t patience_ms = 120'000;  // how long a transfer may stand still before it is given up
  int64_t pause_ms = 100;         // before the second try; doubles up to 5 s
};

struct SendWork {
  std::string upload;  // id
  const std::vector<Transfer>* plan = nullptr;
  std::vector<TransferState>* states =
      nullptr;  // one for each transfer; what is done is passed over
  std::function<base::Result<Server>()> reach = {};  // asked at first and after each break
  std::function<base::Status()> save = {};           // keeps the states; may be empty
};

// Returns when the server holds all files durably. Shows progress on standard error. Errors: of
// reading; the server's, at once when trying again cannot help, else when patience ends. What was
// sent stays, and the states say what.
base::Status send_transfers(const SendWork& work, const SendSettings& settings = {});

}  // namespace mortise::cli
