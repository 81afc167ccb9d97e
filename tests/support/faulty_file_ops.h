// FileOps over another one that writes down every call and fails, cuts or loses power at call n
// (the first call is 1). For tests of what is promised when a disk or the power fails:
//
//   for (int n = 1;; ++n) {
//     FaultyFileOps files(posix_file_ops());
//     files.lose_power_at(n);
//     const bool acknowledged = store(files).ok();
//     ... open what is on the disk with posix_file_ops() and judge it ...
//     if (!files.was_hit()) break;  // every call was cut once
//   }
#pragma once

#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_ops.h"

namespace mortise::tests {

class FaultyFileOps final : public base::FileOps {
 public:
  explicit FaultyFileOps(base::FileOps& inner) : inner_(inner) {}

  // Call n does nothing and fails so; the calls after it work. 0: never.
  void fail_at(int n, base::Error error = {base::Code::kResourceExhausted, "The disk is full."}) {
    fail_at_ = n;
    error_ = std::move(error);
  }
  // The same, but a write has written the first half of its bytes before it fails.
  void fail_short_at(int n, base::Error error) {
    fail_at(n, std::move(error));
    is_short_ = true;
  }
  // The process ends before call n has any effect, as by kill -9.
  void exit_at(int n) { exit_at_ = n; }
  // The process ends when call n has had its effect, before its caller knows.
  void exit_after(int n) { exit_after_ = n; }
  // Call n and every later one fails. A write that is cut has written the first half of its bytes.
  void lose_power_at(int n) { lose_power_at_ = n; }
  // Every path lies on a network file system.
  void be_network() { is_network_ = true; }
  bool was_hit() const { return was_hit_; }
  // Cuts every file back to what it held when it was last synced, as a power cut may. What was
  // renamed stays renamed. The files must be closed.
  void lose_unsynced() {
    for (const auto& [path, size] : synced_bytes_) {
      auto file = inner_.open(path, base::OpenMode::kAppend);
      if (file.ok() && (*file)->size().value() > size) (void)(*file)->truncate(size);
    }
  }
  // "open PATH", "write PATH", "sync PATH", "close PATH", "rename FROM TO", "sync_folder PATH", ...
  const std::vector<std::string>& calls() const { return calls_; }
  int count() const { return static_cast<int>(calls_.size()); }

  base::Result<std::unique_ptr<base::File>> open(const std::string& path,
                                                 base::OpenMode mode) override {
    const After after(*this);
    MORTISE_TRY(next("open " + path));
    MORTISE_ASSIGN(auto file, inner_.open(path, mode));
    if (mode != base::OpenMode::kRead) {
      MORTISE_ASSIGN(const uint64_t size, file->size());
      synced_bytes_.emplace(path, size);
      if (mode != base::OpenMode::kAppend && mode != base::OpenMode::kOverwrite)
        synced_bytes_[path] = 0;
    }
    return std::unique_ptr<base::File>(std::make_unique<Open>(*this, path, std::move(file)));
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    const After after(*this);
    MORTISE_TRY(next("rename " + from + " " + to));
    MORTISE_TRY(inner_.rename(from, to));
    const auto moved = synced_bytes_.find(from);
    if (moved != synced_bytes_.end()) {
      synced_bytes_[to] = moved->second;
      synced_bytes_.erase(from);
    }
    return {};
  }
  base::Status link(const std::string& from, const std::string& to) override {
    const After after(*this);
    MORTISE_TRY(next("link " + from + " " + to));
    return inner_.link(from, to);
  }
  base::Status remove(const std::string& path) override {
    const After after(*this);
    MORTISE_TRY(next("remove " + path));
    MORTISE_TRY(inner_.remove(path));
    synced_bytes_.erase(path);
    return {};
  }
  base::Status make_folder(const std::string& path) override {
    const After after(*this);
    MORTISE_TRY(next("make_folder " + path));
    return inner_.make_folder(path);
  }
  base::Status sync_folder(const std::string& path) override {
    const After after(*this);
    MORTISE_TRY(next("sync_folder " + path));
    return inner_.sync_folder(path);
  }
  base::Result<std::vector<base::FileInfo>> list(const std::string& path) override {
    const After after(*this);
    MORTISE_TRY(next("list " + path));
    return inner_.list(path);
  }
  base::Result<bool> exists(const std::string& path) override {
    const After after(*this);
    MORTISE_TRY(next("exists " + path));
    return inner_.exists(path);
  }
  base::Result<bool> is_network(const std::string& path) override {
    const After after(*this);
    MORTISE_TRY(next("is_network " + path));
    return is_network_ ? base::Result<bool>(true) : inner_.is_network(path);
  }

 private:
  // In the scope of one call. Loaders read from threads of their own: one call at a time.
  struct After {
    explicit After(FaultyFileOps& of) : lock(of.mutex_), files(of), n(of.count() + 1) {}
    After(const After&) = delete;
    ~After() {
      if (n == files.exit_after_) ::_exit(75);
    }
    std::lock_guard<std::mutex> lock;
    FaultyFileOps& files;
    int n;
  };
  class Open final : public base::File {
   public:
    Open(FaultyFileOps& files, std::string path, std::unique_ptr<base::File> inner)
        : files_(files), path_(std::move(path)), inner_(std::move(inner)) {}

    base::Status write(std::span<const std::byte> data) override {
      const After after(files_);
      const base::Status allowed = files_.next("write " + path_);
      if (allowed.ok()) return inner_->write(data);
      const int n = files_.count();
      if (n == files_.lose_power_at_ || (files_.is_short_ && n == files_.fail_at_)) {
        (void)inner_->write(data.first(data.size() / 2));
      }
      return allowed;
    }
    base::Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
      const After after(files_);
      MORTISE_TRY(files_.next("read " + path_));
      return inner_->read_at(offset, buffer);
    }
    base::Status sync() override {
      const After after(files_);
      MORTISE_TRY(files_.next("sync " + path_));
      MORTISE_TRY(inner_->sync());
      MORTISE_ASSIGN(const uint64_t size, inner_->size());
      files_.synced_bytes_[path_] = size;
      return {};
    }
    base::Status truncate(uint64_t size_bytes) override {
      const After after(files_);
      MORTISE_TRY(files_.next("truncate " + path_));
      return inner_->truncate(size_bytes);
    }
    base::Result<uint64_t> size() override {
      const After after(files_);
      MORTISE_TRY(files_.next("size " + path_));
      return inner_->size();
    }
    base::Status close() override {
      const After after(files_);
      const base::Status allowed = files_.next("close " + path_);
      const base::Status closed = inner_->close();  // never left open, whatever the test says
      return allowed.ok() ? closed : allowed;
    }
    int descriptor() const override { return inner_->descriptor(); }

   private:
    FaultyFileOps& files_;
    std::string path_;
    std::unique_ptr<base::File> inner_;
  };

  base::Status next(std::string call) {
    calls_.push_back(std::move(call));
    if (count() == exit_at_) ::_exit(75);
    const bool power_is_off = lose_power_at_ > 0 && count() >= lose_power_at_;
    if (power_is_off) {
      was_hit_ = true;
      return base::Error(base::Code::kUnavailable, "The power is off.");
    }
    if (count() != fail_at_) return {};
    was_hit_ = true;
    return error_;
  }

  base::FileOps& inner_;
  std::mutex mutex_;  // all below, while threads are at work
  std::vector<std::string> calls_;
  std::map<std::string, uint64_t> synced_bytes_;
  int fail_at_ = 0;
  int lose_power_at_ = 0;
  int exit_at_ = 0;
  int exit_after_ = 0;
  bool is_short_ = false;
  bool was_hit_ = false;
  bool is_network_ = false;
  base::Error error_;
};

}  // namespace mortise::tests
