// What mortised was told: command line over environment over site.json over defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "hub/key_lock.h"

namespace mortise::daemon {

struct Settings {
  std::string address = "127.0.0.1";
  uint16_t port = 7474;
  std::vector<std::string> hosts;
  std::string home;      // absolute
  std::string database;  // postgresql://...; empty: a file in the home
  hub::RootKeySource root_key;
  std::string log_level = "info";
  bool has_auth = true;
  std::string deploy_mode = "private";
  std::string device = "cpu";  // of jobs whose manifest names none; DEVICE_TYPE
  std::vector<std::string> packs;
  std::string worker;
  int threads = 0;
  int64_t lease_ms = 300'000;
  int compute_slots = 1, ingest_slots = 1, search_slots = 1, serve_slots = 4;
  int64_t headroom_bytes = -1;  // of the disk, kept free of uploads; -1: 5 %, at most 10 GiB
  bool ends_when_idle = false;  // --private: what the command line starts for itself
  // --restore: copy a backup into the empty home, verify it, print what was found, end.
  std::string restore_from;
  std::string root_key_file;       // kept apart from the backup; "": the source of the key has it
  int passphrase_descriptor = -1;  // where the passphrase is read from; -1: none
};

// Errors: INVALID_ARGUMENT naming the argument, variable or field; those of reading the file.
base::Result<Settings> read_settings(base::FileOps& files,
                                     const std::vector<std::string>& arguments,
                                     const char* (*variable)(const char* name));

}  // namespace mortise::daemon
