// ustar, written and read here because a dozen lines of format are less to trust than a library
// that also knows links and devices. Layout: POSIX.1-1988, 512-byte blocks; a header (name 100,
// mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1, link 100, magic 6, version 2, owner
// 32, group 32, device 8 + 8, prefix 155), the content padded to a block, and two zero blocks at
// the end.
#include "pack/archive.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <set>
#include <vector>

#include "base/crypto.h"
#include "pack/copy.h"
#include "pack/manifest.h"
#include "pack/store.h"

namespace mortise::pack {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr size_t kBlock = 512;
using Block = std::array<char, kBlock>;

// Octal digits that fill the field but for its last byte, which stays NUL.
void put_octal(Block& block, size_t at, size_t size, uint64_t value) {
  for (size_t i = size - 1; i-- > 0;) {
    block[at + i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
}

uint64_t checksum(const Block& block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? uint64_t{' '} : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

Result<Block> make_header(const std::string& path, uint64_t size_bytes) {
  std::string name = path, prefix;
  if (name.size() > 100) {
    const size_t slash = path.find('/', path.size() - 101);
    if (slash == std::string::npos || slash > 155 || slash + 1 == path.size()) {
      return Error(Code::kInvalidArgument, "The path is too long for a pack archive.",
                   "Use at most 100 bytes for the name and 155 for its folders.")
          .at_file(path);
    }
    prefix = path.substr(0, slash);
    name = path.substr(slash + 1);
  }
  Block block{};
  std::memcpy(block.data(), name.data(), name.size());
  put_octal(block, 100, 8, 0644);
  put_octal(block, 108, 8, 0);
  put_octal(block, 116, 8, 0);
  put_octal(block, 124, 12, size_bytes);
  put_octal(block, 136, 12, 0);
  block[156] = '0';
  std::memcpy(block.data() + 257, "ustar\00000", 8);
  std::memcpy(block.data() + 345, prefix.data(), prefix.size());
  put_octal(block, 148, 7, checksum(block));
  block[155] = ' ';
  return block;
}

Status write_text(base::File& out, std::string_view text) {
  return out.write(base::as_bytes(text));
}

Status pad(base::File& out, uint64_t size_bytes) {
  const Block zero{};
  const size_t rest = size_bytes % kBlock;
  if (rest == 0) return {};
  return write_text(out, std::string_view(zero.data(), kBlock - rest));
}

Status write_header(base::File& out, const std::string& path, uint64_t size_bytes) {
  MORTISE_ASSIGN(const Block header, make_header(path, size_bytes));
  return write_text(out, std::string_view(header.data(), kBlock));
}

Status write_member(base::File& out, const std::string& path, const std::string& content) {
  MORTISE_TRY(write_header(out, path, content.size()));
  MORTISE_TRY(write_text(out, content));
  return pad(out, content.size());
}

Status write_all(base::FileOps& files, const std::string& root, base::File& out) {
  MORTISE_ASSIGN(const PackText text, read_pack_text(files, root));
  MORTISE_ASSIGN(Manifest manifest,
                 parse_manifest(text.manifest, base::join_path(root, "pack.json")));
  manifest.root = root;
  MORTISE_TRY(verify_files(files, manifest));
  MORTISE_TRY(write_member(out, "pack.json", text.manifest));
  if (!text.signature.empty()) MORTISE_TRY(write_member(out, "pack.json.sig", text.signature));
  for (const FileEntry& entry : listed_files(manifest)) {
    const std::string path = base::join_path(root, entry.path);
    MORTISE_ASSIGN(auto source, files.open(path, base::OpenMode::kRead));
    MORTISE_ASSIGN(const uint64_t size, source->size());
    MORTISE_TRY(write_header(out, entry.path, size));
    // The hash fits, so the size is the one that was just read.
    MORTISE_TRY(copy_hashed(files, path, out, entry.sha256));
    MORTISE_TRY(pad(out, size));
  }
  const Block zero{};
  for (int i = 0; i < 2; ++i) MORTISE_TRY(write_text(out, {zero.data(), kBlock}));
  return out.sync();
}

struct Header {
  std::string path;
  uint64_t size_bytes = 0;
};

// Digits up to a NUL or blank; nothing for another byte or an empty field.
std::optional<uint64_t> read_octal(const Block& block, size_t at, size_t size) {
  uint64_t value = 0;
  size_t digits = 0;
  for (size_t i = at; i < at + size; ++i) {
    const char c = block[i];
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<uint64_t>(c - '0');
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  return value;
}

std::string read_name(const Block& block, size_t at, size_t size) {
  return std::string(block.data() + at, ::strnlen(block.data() + at, size));
}

class Reader {
 public:
  Reader(base::FileOps& files, const std::string& archive, const std::string& root,
         const ArchiveLimits& limits)
      : files_(files), archive_(archive), root_(root), limits_(limits) {}

  Status run() {
    MORTISE_ASSIGN(file_, files_.open(archive_, base::OpenMode::kRead));
    MORTISE_ASSIGN(size_, file_->size());
    for (uint64_t count = 0;; ++count) {
      MORTISE_ASSIGN(const Block block, read_block());
      if (block == Block{}) return check_end(count);
      if (count == limits_.files_max) {
        return refuse(Code::kResourceExhausted,
                      "The archive has more than " + std::to_string(limits_.files_max) + " files.");
      }
      MORTISE_ASSIGN(const Header header, read_header(block));
      MORTISE_TRY(unpack(header));
    }
  }

 private:
  Error refuse(Code code, std::string message) const {
    return Error(code, std::move(message), "Fetch the archive again and compare its SHA-256.")
        .at_file(archive_)
        .at_byte(static_cast<int64_t>(header_at_));
  }

  Result<Block> read_block() {
    header_at_ = at_;
    Block block;
    MORTISE_ASSIGN(const size_t size,
                   file_->read_at(at_, std::as_writable_bytes(std::span(block))));
    if (size != kBlock) return refuse(Code::kDataLoss, "The archive ends in the middle.");
    at_ += kBlock;
    return block;
  }

  Result<Header> read_header(const Block& block) {
    const auto sum = read_octal(block, 148, 8);
    if (!sum || *sum != checksum(block)) {
      return refuse(Code::kDataLoss, "The header's checksum does not fit.");
    }
    if (std::memcmp(block.data() + 257, "ustar\00000", 8) != 0) {
      return refuse(Code::kInvalidArgument, "This is not a ustar archive.");
    }
    if (block[156] != '0') {
      return refuse(Code::kInvalidArgument,
                    "A pack archive holds plain files only; this member is of another type.");
    }
    const auto size = read_octal(block, 124, 12);
    if (!size) return refuse(Code::kInvalidArgument, "The member's size is not octal.");
    Header header{read_name(block, 0, 100), *size};
    if (const std::string prefix = read_name(block, 345, 155); !prefix.empty()) {
      header.path = prefix + "/" + header.path;
    }
    if (Status inside = base::check_relative_path(header.path); !inside.ok()) {
      return refuse(Code::kInvalidArgument, "The member \"" + header.path +
                                                "\" leaves the pack: " + inside.error().message);
    }
    if (!seen_.insert(header.path).second) {
      return refuse(Code::kAlreadyExists, "The member \"" + header.path + "\" is there twice.");
    }
    total_ += header.size_bytes;  // both are below 2^33 * files_max, so this cannot wrap
    if (total_ > limits_.size_bytes_max) {
      return refuse(
          Code::kResourceExhausted,
          "The contents have more than " + std::to_string(limits_.size_bytes_max) + " bytes.");
    }
    if (header.size_bytes > size_ - at_) {
      return refuse(Code::kDataLoss, "The archive ends in the middle of \"" + header.path + "\".");
    }
    return header;
  }

  Status unpack(const Header& header) {
    const std::string target = base::join_path(root_, header.path);
    MORTISE_TRY(base::make_folders(files_, target.substr(0, target.find_last_of('/'))));
    MORTISE_ASSIGN(auto out, files_.open(target, base::OpenMode::kCreateNew));
    std::vector<std::byte> buffer(1u << 20);
    for (uint64_t left = header.size_bytes; left > 0;) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(left, buffer.size()));
      MORTISE_ASSIGN(const size_t size, file_->read_at(at_, std::span(buffer).first(want)));
      if (size != want) return refuse(Code::kDataLoss, "The archive ends in the middle.");
      MORTISE_TRY(out->write(std::span<const std::byte>(buffer).first(size)));
      at_ += size;
      left -= size;
    }
    at_ += (kBlock - header.size_bytes % kBlock) % kBlock;
    MORTISE_TRY(out->sync());
    return out->close();
  }

  // The first zero block was read; a second follows and then nothing.
  Status check_end(uint64_t count) {
    if (count == 0) return refuse(Code::kInvalidArgument, "The archive is empty.");
    MORTISE_ASSIGN(const Block block, read_block());
    if (block != Block{} || at_ != size_) {
      return refuse(Code::kInvalidArgument, "There are bytes after the end of the archive.");
    }
    return {};
  }

  base::FileOps& files_;
  std::string archive_, root_;
  ArchiveLimits limits_;
  std::unique_ptr<base::File> file_;
  uint64_t size_ = 0, at_ = 0, header_at_ = 0, total_ = 0;
  std::set<std::string> seen_;
};

}  // namespace

Status write_archive(base::FileOps& files, const std::string& root, const std::string& archive) {
  MORTISE_ASSIGN(auto out, files.open(archive, base::OpenMode::kCreateNew));
  Status written = write_all(files, root, *out);
  if (written.ok()) written = out->close();
  if (!written.ok()) (void)files.remove(archive);
  return written;
}

Status read_archive(base::FileOps& files, const std::string& archive, const std::string& root,
                    const ArchiveLimits& limits) {
  MORTISE_ASSIGN(const bool there, files.exists(root));
  if (there) {
    MORTISE_ASSIGN(const auto entries, files.list(root));
    if (!entries.empty()) {
      return Error(Code::kAlreadyExists, "The folder to unpack into is not empty.").at_file(root);
    }
  }
  MORTISE_TRY(base::make_folders(files, root));
  Status unpacked = Reader(files, archive, root, limits).run();
  if (!unpacked.ok()) (void)base::remove_tree(files, root);
  return unpacked;
}

}  // namespace mortise::pack
