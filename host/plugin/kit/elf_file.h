// Reads from a shared library, without loading it, what the load checks need: exported symbols,
// needed libraries, flags. 64-bit little-endian ELF only; every offset is checked, since the file
// may be hostile.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mortise::plugin::kit {

struct ElfFacts {
  std::vector<std::string> exports;   // defined global and weak symbols of .dynsym
  std::vector<std::string> needed;    // DT_NEEDED
  std::vector<std::string> run_path;  // DT_RPATH and DT_RUNPATH, as written
  bool has_text_relocations = false;
  bool has_executable_stack = false;
};

// Errors: NOT_FOUND; INVALID_ARGUMENT naming the byte where it stops being such a file.
base::Result<ElfFacts> read_elf(const std::string& path);

}  // namespace mortise::plugin::kit
