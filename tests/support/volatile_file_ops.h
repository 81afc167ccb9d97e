// A disk in memory whose writes and names are volatile until they are synced, as pages and folder
// entries are. A power cut keeps of what was not synced a random part, in any order: each sector of
// 512 bytes of each write, each rename, creation and removal, by itself. Copies are cheap
// snapshots.
//
// The model is harsher than ext4 or xfs: there a rename that follows a synced write is not lost
// while a later one is kept. What holds here holds there.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "tests/support/fixed_random.h"

namespace mortise::tests {

class VolatileFileOps final : public base::FileOps {
 public:
  VolatileFileOps() { durable_names_["/"] = names_["/"] = nullptr; }
  VolatileFileOps(const VolatileFileOps& other) { *this = other; }
  VolatileFileOps& operator=(const VolatileFileOps& other) {
    std::map<std::shared_ptr<Node>, std::shared_ptr<Node>> copies;
    const auto copy_of = [&](const std::shared_ptr<Node>& node) {
      if (node == nullptr) return node;
      auto& copy = copies[node];
      if (copy == nullptr) copy = std::make_shared<Node>(*node);
      return copy;
    };
    for (auto [names, from] :
         {std::pair{&names_, &other.names_}, std::pair{&durable_names_, &other.durable_names_}}) {
      names->clear();
      for (const auto& [path, node] : *from) names->emplace(path, copy_of(node));
    }
    pending_ = other.pending_;
    for (NameChange& change : pending_) change.node = copy_of(change.node);
    return *this;
  }

  // Everything written so far is on the disk.
  void sync_all() {
    for (auto& [path, node] : names_) {
      if (node != nullptr) node->sync();
    }
    durable_names_ = names_;
    pending_.clear();
  }
  // The power fails and comes back. Open files are not to be used any more.
  void cut_power(FixedRandom& random) {
    for (const NameChange& change : pending_) {
      if (random.below(2) == 0) change.apply(durable_names_);
    }
    pending_.clear();
    names_ = durable_names_;
    for (auto& [path, node] : names_) {
      if (node != nullptr) node->cut_power(random);
    }
  }
  // The bytes of a file, to change one and put it back.
  std::string& bytes(const std::string& path) { return names_.at(path)->content; }
  std::vector<std::string> paths() const {
    std::vector<std::string> found;
    for (const auto& [path, node] : names_) {
      if (node != nullptr) found.push_back(path);
    }
    return found;
  }

  base::Result<std::unique_ptr<base::File>> open(const std::string& path,
                                                 base::OpenMode mode) override {
    using base::OpenMode;
    const auto at = names_.find(path);
    const bool is_new = mode == OpenMode::kCreateNew || mode == OpenMode::kCreateSecret;
    if (at != names_.end() && at->second == nullptr) {
      return base::Error(base::Code::kInvalidArgument, "This is a folder.").at_file(path);
    }
    if (at != names_.end() && is_new) {
      return base::Error(base::Code::kAlreadyExists, "The file exists.").at_file(path);
    }
    if (at != names_.end()) {
      if (mode == OpenMode::kTruncate) at->second->truncate(0);
      return std::unique_ptr<base::File>(
          std::make_unique<Open>(at->second, mode == OpenMode::kOverwrite));
    }
    if (mode == OpenMode::kRead || mode == OpenMode::kOverwrite || !is_folder(parent_of(path))) {
      return base::Error(base::Code::kNotFound, "There is no such file.").at_file(path);
    }
    auto node = std::make_shared<Node>();
    if (mode == OpenMode::kCreateSecret) node->permissions = 0400;
    change({.from = {}, .to = path, .node = node});
    return std::unique_ptr<base::File>(std::make_unique<Open>(node, false));
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    const auto at = names_.find(from);
    if (at == names_.end() || !is_folder(parent_of(to))) return missing(from);
    change({.from = from, .to = to, .node = at->second});
    return {};
  }
  base::Status link(const std::string& from, const std::string& to) override {
    const auto at = names_.find(from);
    if (at == names_.end()) return missing(from);
    if (names_.contains(to)) return base::Error(base::Code::kAlreadyExists, "The file exists.");
    change({.from = {}, .to = to, .node = at->second});
    return {};
  }
  base::Status remove(const std::string& path) override {
    const auto at = names_.find(path);
    if (at == names_.end()) return missing(path);
    const auto below = names_.lower_bound(path + "/");
    if (below != names_.end() && below->first.starts_with(path + "/")) {
      return base::Error(base::Code::kAlreadyExists, "The folder is not empty.").at_file(path);
    }
    change({.from = path, .to = {}, .node = nullptr});
    return {};
  }
  base::Status make_folder(const std::string& path) override {
    const auto at = names_.find(path);
    if (at != names_.end() && at->second == nullptr) return {};
    if (at != names_.end()) return base::Error(base::Code::kAlreadyExists, "It is a file.");
    if (!is_folder(parent_of(path))) return missing(path);
    change({.from = {}, .to = path, .node = nullptr});
    return {};
  }
  base::Status sync_folder(const std::string& path) override {
    if (!is_folder(path)) return missing(path);
    std::vector<NameChange> later;
    for (const NameChange& change : pending_) {
      const bool is_here = (!change.from.empty() && parent_of(change.from) == path) ||
                           (!change.to.empty() && parent_of(change.to) == path);
      if (is_here) {
        change.apply(durable_names_);
      } else {
        later.push_back(change);
      }
    }
    pending_ = std::move(later);
    return {};
  }
  base::Result<std::vector<base::FileInfo>> list(const std::string& path) override {
    if (!is_folder(path)) return missing(path).error();
    const std::string prefix = path == "/" ? path : path + "/";
    std::vector<base::FileInfo> found;
    for (auto at = names_.lower_bound(prefix); at != names_.end(); ++at) {
      if (!at->first.starts_with(prefix)) break;
      const std::string name = at->first.substr(prefix.size());
      if (name.empty() || name.find('/') != std::string::npos) continue;
      const auto& node = at->second;
      found.push_back({.name = name,
                       .size_bytes = node == nullptr ? 0 : node->content.size(),
                       .is_folder = node == nullptr,
                       .changed_ns = 0,
                       .permissions = node == nullptr ? 0700 : node->permissions});
    }
    std::ranges::sort(found, {}, &base::FileInfo::name);
    return found;
  }
  base::Result<bool> exists(const std::string& path) override { return names_.contains(path); }
  base::Result<bool> is_network(const std::string&) override { return false; }

 private:
  struct Write {  // of bytes, or a change of size
    uint64_t offset;
    std::string bytes;
    bool is_truncation;
  };
  struct Node {
    std::string content, durable;
    std::vector<Write> pending;
    uint32_t permissions = 0600;

    static void put(std::string& target, uint64_t offset, std::string_view bytes) {
      if (target.size() < offset + bytes.size()) target.resize(offset + bytes.size());
      target.replace(offset, bytes.size(), bytes);
    }
    void write(uint64_t offset, std::string_view bytes) {
      put(content, offset, bytes);
      pending.push_back({offset, std::string(bytes), false});
    }
    void truncate(uint64_t size) {
      content.resize(size);
      pending.push_back({size, {}, true});
    }
    void sync() {
      durable = content;
      pending.clear();
    }
    void cut_power(FixedRandom& random) {
      constexpr size_t kSector = 512;
      // Most writes are lost or kept as a whole, some are torn.
      for (const Write& write : pending) {
        const uint64_t fate = random.below(3);
        if (fate == 0) continue;
        if (write.is_truncation) durable.resize(write.offset);
        for (size_t at = 0; at < write.bytes.size(); at += kSector) {
          if (fate == 1 || random.below(2) == 0) {
            put(durable, write.offset + at, std::string_view(write.bytes).substr(at, kSector));
          }
        }
      }
      pending.clear();
      content = durable;
    }
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;  // null: a folder
  struct NameChange {
    std::string from, to;  // either may be empty
    std::shared_ptr<Node> node;
    void apply(Names& names) const {
      if (!from.empty()) names.erase(from);
      if (!to.empty()) names[to] = node;
    }
  };

  class Open final : public base::File {
   public:
    Open(std::shared_ptr<Node> node, bool is_overwriting)
        : node_(std::move(node)), is_overwriting_(is_overwriting) {}
    base::Status write(std::span<const std::byte> data) override {
      const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
      node_->write(is_overwriting_ ? position_ : node_->content.size(), text);
      position_ += data.size();
      return {};
    }
    base::Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
      if (offset >= node_->content.size()) return size_t{0};
      const size_t size = std::min<size_t>(buffer.size(), node_->content.size() - offset);
      std::copy_n(reinterpret_cast<const std::byte*>(node_->content.data()) + offset, size,
                  buffer.begin());
      return size;
    }
    base::Status sync() override {
      node_->sync();
      return {};
    }
    base::Status truncate(uint64_t size_bytes) override {
      node_->truncate(size_bytes);
      return {};
    }
    base::Result<uint64_t> size() override { return node_->content.size(); }
    base::Status close() override { return {}; }
    int descriptor() const override { return -1; }

   private:
    std::shared_ptr<Node> node_;
    bool is_overwriting_;
    uint64_t position_ = 0;
  };

  static std::string parent_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
  }
  bool is_folder(const std::string& path) const {
    const auto at = names_.find(path);
    return at != names_.end() && at->second == nullptr;
  }
  static base::Status missing(const std::string& path) {
    return base::Error(base::Code::kNotFound, "There is no such file or folder.").at_file(path);
  }
  void change(NameChange change) {
    change.apply(names_);
    pending_.push_back(std::move(change));
  }

  Names names_, durable_names_;
  std::vector<NameChange> pending_;
};

}  // namespace mortise::tests
