// See elf_file.h. The number of dynamic symbols comes from the section header of .dynsym.
#include "plugin/kit/elf_file.h"

#include <elf.h>

#include <cstring>

#include "base/file_ops.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

class Reader {
 public:
  Reader(std::string bytes, std::string path) : bytes_(std::move(bytes)), path_(std::move(path)) {}

  template <class T>
  Result<T> at(uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) {
      return broken("a structure lies outside of the file", offset);
    }
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  Result<std::string> text(uint64_t offset) const {
    if (offset >= bytes_.size()) return broken("a name lies outside of the file", offset);
    const size_t end = bytes_.find('\0', offset);
    if (end == std::string::npos) return broken("a name has no end", offset);
    return bytes_.substr(offset, end - offset);
  }
  Error broken(const std::string& why, uint64_t offset) const {
    return Error(Code::kInvalidArgument, "The library is no sound ELF file: " + why + ".",
                 "Build it again.")
        .at_file(path_)
        .at_byte(static_cast<int64_t>(offset));
  }

 private:
  std::string bytes_, path_;
};

Status read_symbols(const Reader& file, const Elf64_Shdr& symbols, const Elf64_Shdr& names,
                    ElfFacts& facts) {
  for (uint64_t i = 1; i < symbols.sh_size / sizeof(Elf64_Sym); ++i) {
    MORTISE_ASSIGN(const auto symbol,
                   file.at<Elf64_Sym>(symbols.sh_offset + i * sizeof(Elf64_Sym)));
    const int binding = ELF64_ST_BIND(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || binding == STB_LOCAL)
      continue;
    MORTISE_ASSIGN(std::string name, file.text(names.sh_offset + symbol.st_name));
    facts.exports.push_back(std::move(name));
  }
  return {};
}

Status read_dynamic(const Reader& file, const Elf64_Shdr& dynamic, const Elf64_Shdr& names,
                    ElfFacts& facts) {
  for (uint64_t i = 0; i < dynamic.sh_size / sizeof(Elf64_Dyn); ++i) {
    MORTISE_ASSIGN(const auto entry, file.at<Elf64_Dyn>(dynamic.sh_offset + i * sizeof(Elf64_Dyn)));
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_TEXTREL) facts.has_text_relocations = true;
    if (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL) != 0) {
      facts.has_text_relocations = true;
    }
    const bool is_path = entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH;
    if (entry.d_tag != DT_NEEDED && !is_path) continue;
    MORTISE_ASSIGN(std::string name, file.text(names.sh_offset + entry.d_un.d_val));
    (is_path ? facts.run_path : facts.needed).push_back(std::move(name));
  }
  return {};
}

Status read_sections(const Reader& file, const Elf64_Ehdr& head, ElfFacts& facts) {
  for (uint16_t i = 0; i < head.e_shnum; ++i) {
    MORTISE_ASSIGN(const auto section,
                   file.at<Elf64_Shdr>(head.e_shoff + uint64_t{i} * sizeof(Elf64_Shdr)));
    if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_DYNAMIC) continue;
    MORTISE_ASSIGN(const auto names, file.at<Elf64_Shdr>(head.e_shoff + uint64_t{section.sh_link} *
                                                                            sizeof(Elf64_Shdr)));
    if (section.sh_type == SHT_DYNSYM) MORTISE_TRY(read_symbols(file, section, names, facts));
    if (section.sh_type == SHT_DYNAMIC) MORTISE_TRY(read_dynamic(file, section, names, facts));
  }
  return {};
}

}  // namespace

Result<ElfFacts> read_elf(const std::string& path) {
  MORTISE_ASSIGN(std::string bytes, base::read_file(base::posix_file_ops(), path));
  const Reader file(std::move(bytes), path);
  MORTISE_ASSIGN(const auto head, file.at<Elf64_Ehdr>(0));
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
      head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_type != ET_DYN) {
    return file.broken("its head is not that of a 64-bit shared library", 0);
  }
  if (head.e_shnum == 0 || head.e_shentsize != sizeof(Elf64_Shdr)) {
    return file.broken("it has no section headers", 0);
  }
  ElfFacts facts;
  for (uint16_t i = 0; i < head.e_phnum; ++i) {
    MORTISE_ASSIGN(const auto part,
                   file.at<Elf64_Phdr>(head.e_phoff + uint64_t{i} * sizeof(Elf64_Phdr)));
    if (part.p_type == PT_GNU_STACK && (part.p_flags & PF_X) != 0) {
      facts.has_executable_stack = true;
    }
  }
  MORTISE_TRY(read_sections(file, head, facts));
  return facts;
}

}  // namespace mortise::plugin::kit
