// See table_files.h.
#include "store/table_files.h"

namespace mortise::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error read_only(const std::string& path) {
  return Error(Code::kPermissionDenied, "Sealed files are only read here.").at_file(path);
}

std::string name_below(const std::string& path) {
  const size_t begin = path.find_first_not_of('/');
  return begin == std::string::npos ? std::string() : path.substr(begin);
}

class ObjectFile final : public base::File {
 public:
  ObjectFile(ObjectReader reader, std::string name)
      : reader_(std::move(reader)), name_(std::move(name)) {}
  Status write(std::span<const std::byte>) override { return read_only(name_); }
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    return reader_.read_at(offset, buffer);
  }
  Status sync() override { return {}; }
  Status truncate(uint64_t) override { return read_only(name_); }
  Result<uint64_t> size() override { return reader_.size_bytes(); }
  Status close() override { return {}; }
  int descriptor() const override { return -1; }

 private:
  ObjectReader reader_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<base::File>> TableFiles::open(const std::string& path, base::OpenMode mode) {
  const std::string name = name_below(path);
  if (mode != base::OpenMode::kRead) return read_only(name);
  MORTISE_ASSIGN(const auto ref, table_.find(name));
  if (!ref) return Error(Code::kNotFound, "There is no file of this name.").at_file(name);
  MORTISE_ASSIGN(ObjectReader reader, domain_->open_object(*ref));
  return std::unique_ptr<base::File>(new ObjectFile(std::move(reader), name));
}

Result<std::vector<base::FileInfo>> TableFiles::list(const std::string& path) {
  std::string prefix = name_below(path);
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty()) prefix += '/';
  std::vector<base::FileInfo> found;
  MORTISE_ASSIGN(uint64_t index, table_.after(prefix));
  while (index < table_.count()) {
    MORTISE_ASSIGN(const NamedObject entry, table_.at(index));
    if (!entry.name.starts_with(prefix)) break;
    const size_t slash = entry.name.find('/', prefix.size());
    base::FileInfo info;
    info.name = entry.name.substr(prefix.size(), slash - prefix.size());
    info.is_folder = slash != std::string::npos;
    if (!info.is_folder) info.size_bytes = entry.ref.size_bytes;
    found.push_back(std::move(info));
    ++index;
    // "0" comes after "/": the next name that is not below this folder.
    if (slash != std::string::npos) {
      MORTISE_ASSIGN(index, table_.after(entry.name.substr(0, slash) + '/' + "\xff\xff\xff\xff"));
    }
  }
  if (found.empty() && !prefix.empty()) {
    return Error(Code::kNotFound, "There is no folder of this name.").at_file(prefix);
  }
  return found;
}

Result<bool> TableFiles::exists(const std::string& path) {
  MORTISE_ASSIGN(const auto ref, table_.find(name_below(path)));
  if (ref) return true;
  return list(path).ok();
}

Status TableFiles::rename(const std::string& from, const std::string&) {
  return read_only(from);
}
Status TableFiles::link(const std::string& from, const std::string&) {
  return read_only(from);
}
Status TableFiles::remove(const std::string& path) {
  return read_only(path);
}
Status TableFiles::make_folder(const std::string& path) {
  return read_only(path);
}
Status TableFiles::sync_folder(const std::string&) {
  return {};
}

}  // namespace mortise::store
