// See upload_plan.h. Layout of a bundle: POSIX.1-2017, pax interchange format.
#include "cli/upload_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/crypto.h"
#include "base/file_ops.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr size_t kBlock = 512;
constexpr size_t kNameMax = 100;  // of a header; a longer one stands in a pax record
constexpr uint64_t kPartAlign = 8u << 20;

// A plain file with its facts.
Result<UploadFile> look_at(std::string name, std::shared_ptr<const UploadSource> source) {
  UploadFile file{std::move(name), std::move(source)};
  const std::string path = file.path();
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) {
    return Error(errno == ENOENT ? Code::kNotFound : Code::kPermissionDenied,
                 std::string("It cannot be looked at: ") + std::strerror(errno) + ".",
                 "Give the path of a file, a folder or an archive.")
        .at_file(path);
  }
  if (!S_ISREG(facts.st_mode)) {
    return Error(Code::kInvalidArgument,
                 S_ISLNK(facts.st_mode)   ? "It is a symbolic link; links are not uploaded."
                 : S_ISDIR(facts.st_mode) ? "It is a folder where a file is wanted."
                                          : "It is a device, a pipe or a socket.",
                 "Put a plain file in its place, or take it out of the folder.")
        .at_file(path);
  }
  file.size_bytes = static_cast<uint64_t>(facts.st_size);
  file.modified_ns = facts.st_mtim.tv_sec * INT64_C(1'000'000'000) + facts.st_mtim.tv_nsec;
  return file;
}

Status list_below(const std::shared_ptr<const UploadSource>& root, const std::string& below,
                  std::vector<UploadFile>& out) {
  const std::string folder = below.empty() ? root->path : base::join_path(root->path, below);
  MORTISE_ASSIGN(const auto entries, base::posix_file_ops().list(folder));
  for (const base::FileInfo& entry : entries) {
    const std::string name = below.empty() ? entry.name : base::join_path(below, entry.name);
    if (entry.is_folder) {
      MORTISE_TRY(list_below(root, name, out));
    } else if (entry.is_plain) {  // looked at already
      out.push_back({name, root, entry.size_bytes, entry.modified_ns});
    } else {
      MORTISE_ASSIGN(out.emplace_back(), look_at(name, root));
    }
  }
  return {};
}

std::string header_block(const std::string& name, uint64_t size_bytes, char type) {
  std::string block(kBlock, '\0');
  const auto put = [&block](size_t at, std::string_view text) {
    block.replace(at, text.size(), text);
  };
  char octal[16];
  put(0, std::string_view(name).substr(0, kNameMax));
  put(100, "0000600");
  put(108, "0000000");
  put(116, "0000000");
  std::snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(size_bytes));
  put(124, octal);
  put(136, "00000000000");
  put(148, "        ");
  block[156] = type;
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(octal, sizeof octal, "%06o", sum);
  put(148, std::string_view(octal, 7));
  return block;
}

std::string padding(uint64_t size_bytes) {
  return std::string((kBlock - size_bytes % kBlock) % kBlock, '\0');
}

// What stands before the bytes of a file in a bundle.
std::string tar_header(const std::string& name, uint64_t size_bytes) {
  if (name.size() <= kNameMax) return header_block(name, size_bytes, '0');
  // "17 path=...\n": the number counts the record with its own digits.
  const size_t rest = name.size() + std::strlen(" path=\n");
  size_t size = rest + 1;
  while (std::to_string(size).size() + rest != size) ++size;
  const std::string record = std::to_string(size) + " path=" + name + "\n";
  return header_block("pax", record.size(), 'x') + record + padding(record.size()) +
         header_block(name, size_bytes, '0');
}

void add_entry(Transfer& bundle, const UploadFile& file) {
  bundle.stretches.push_back({&file, true, 0, file.size_bytes, bundle.size_bytes});
  bundle.size_bytes += tar_header(file.name, file.size_bytes).size() + file.size_bytes +
                       padding(file.size_bytes).size();
}

void add_bytes(Transfer& transfer, const UploadFile& file, uint64_t begin, uint64_t end) {
  transfer.stretches.push_back({&file, false, begin, end - begin, transfer.size_bytes});
  transfer.size_bytes += end - begin;
}

void plan_parts(const UploadFile& file, const PlanLimits& limits, std::vector<Transfer>& out) {
  const uint64_t even = (file.size_bytes + limits.parts - 1) / limits.parts;
  const uint64_t step = (even + kPartAlign - 1) / kPartAlign * kPartAlign;
  Transfer whole{.kind = Transfer::Kind::kWhole, .name = file.name};
  for (uint64_t begin = 0; begin < file.size_bytes; begin += step) {
    ++whole.part_count;
    Transfer part{.kind = Transfer::Kind::kPart, .name = file.name};
    add_bytes(part, file, begin, std::min(begin + step, file.size_bytes));
    out.push_back(std::move(part));
  }
  out.push_back(std::move(whole));
}

void plan_bundles(const std::vector<const UploadFile*>& files, const PlanLimits& limits,
                  std::vector<Transfer>& out) {
  Transfer bundle{.kind = Transfer::Kind::kBundle};
  const auto end = [&] {
    bundle.size_bytes += 2 * kBlock;
    out.push_back(std::move(bundle));
    bundle = Transfer{.kind = Transfer::Kind::kBundle};
  };
  for (const UploadFile* file : files) {
    add_entry(bundle, *file);
    const bool is_full = bundle.stretches.size() >= limits.bundle_files;
    if (is_full || bundle.size_bytes >= limits.bundle_bytes) end();
  }
  if (!bundle.stretches.empty()) end();
}

// The part of `text` that lies at [offset, ...) of a buffer that begins at `from`.
void copy_text(const std::string& text, uint64_t offset, uint64_t from,
               std::span<std::byte> buffer) {
  const uint64_t begin = std::max(offset, from);
  const uint64_t end = std::min(offset + text.size(), from + buffer.size());
  if (begin < end) {
    std::memcpy(buffer.data() + (begin - from), text.data() + (begin - offset), end - begin);
  }
}

Status read_file_at(const Stretch& stretch, uint64_t offset, std::span<std::byte> buffer) {
  const UploadFile& from = *stretch.file;
  if (from.source->unpacked != nullptr) {
    return from.source->unpacked->read_at(from.begin_bytes + stretch.begin_bytes + offset, buffer);
  }
  const std::string path = from.path();
  MORTISE_ASSIGN(auto file, base::posix_file_ops().open(path, base::OpenMode::kRead));
  MORTISE_ASSIGN(const uint64_t size, file->size());
  const auto changed = [&] {
    return Error(Code::kDataLoss, "The file changed while it was sent.",
                 "Leave it alone and run the command again.")
        .at_file(path);
  };
  if (size != from.size_bytes) return changed();
  for (size_t done = 0; done < buffer.size();) {
    MORTISE_ASSIGN(const size_t got,
                   file->read_at(stretch.begin_bytes + offset + done, buffer.subspan(done)));
    if (got == 0) return changed();
    done += got;
  }
  return {};
}

}  // namespace

Result<UploadFile> file_at(const std::string& path, std::string name) {
  return look_at(std::move(name), std::make_shared<UploadSource>(path));
}

Result<std::vector<UploadFile>> files_below(const std::string& folder) {
  std::vector<UploadFile> found;
  MORTISE_TRY(list_below(std::make_shared<UploadSource>(folder, true), "", found));
  std::sort(found.begin(), found.end(),
            [](const UploadFile& a, const UploadFile& b) { return a.name < b.name; });
  return found;
}

Status Transfer::read_at(uint64_t offset, std::span<std::byte> buffer) const {
  const uint64_t end = offset + buffer.size();
  if (end > size_bytes) return Error(Code::kOutOfRange, "The transfer ends before it.");
  std::fill(buffer.begin(), buffer.end(), std::byte{0});  // what no stretch fills
  auto at = std::upper_bound(stretches.begin(), stretches.end(), offset,
                             [](uint64_t wanted, const Stretch& s) { return wanted < s.at_bytes; });
  if (at != stretches.begin()) --at;
  for (; at != stretches.end() && at->at_bytes < end; ++at) {
    uint64_t data_at = at->at_bytes;
    if (at->is_entry) {
      const std::string header = tar_header(at->file->name, at->size_bytes);
      copy_text(header, data_at, offset, buffer);
      data_at += header.size();
    }
    const uint64_t from = std::max(offset, data_at);
    const uint64_t to = std::min(end, data_at + at->size_bytes);
    if (from < to) {
      MORTISE_TRY(read_file_at(*at, from - data_at, buffer.subspan(from - offset, to - from)));
    }
  }
  return {};
}

std::vector<Transfer> plan_transfers(const std::vector<UploadFile>& files,
                                     const PlanLimits& limits) {
  std::vector<const UploadFile*> small, single;
  std::vector<Transfer> plan;
  for (const UploadFile& file : files) {
    if (file.size_bytes > limits.large_bytes) {
      plan_parts(file, limits, plan);
    } else {
      (file.size_bytes <= limits.small_bytes ? small : single).push_back(&file);
    }
  }
  if (small.size() < limits.bundle_from) {
    single.insert(single.end(), small.begin(), small.end());
  } else {
    plan_bundles(small, limits, plan);
  }
  for (const UploadFile* file : single) {
    Transfer one{.name = file->name};
    add_bytes(one, *file, 0, file->size_bytes);
    plan.push_back(std::move(one));
  }
  return plan;
}

}  // namespace mortise::cli
