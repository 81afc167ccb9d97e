// The repository's text files for the rules of tidy_test.cpp: which files there are, their lines,
// what they include, how long their functions are. A scanner of braces, not a compiler: it counts
// on clang-format having laid the code out.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace mortise::tidy {

struct SourceFile {
  std::string path;  // relative to the root, "host/base/json.cpp"
  std::vector<std::string> lines;
};

struct Function {
  std::string name;
  int line = 0;  // of its first line, from 1
  int lines = 0;
};

// Files with one of the endings below `folder`, sorted by path; build folders and dot-folders are
// left out.
std::vector<SourceFile> files_below(const std::string& root, const std::string& folder,
                                    const std::vector<std::string>& endings);
std::vector<std::string> includes_of(const SourceFile& file);  // "base/json.h" or "<vector>"
std::vector<Function> functions_of(const SourceFile& file);
// Function-pointer slots of an ABI header without a thread tag in the comment above or beside.
std::vector<std::string> slots_without_tag(const SourceFile& file);

}  // namespace mortise::tidy
