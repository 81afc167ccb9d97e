// See source_tree.h.
#include "tests/tidy/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

namespace mortise::tidy {
namespace {

bool ends_with_any(const std::string& path, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& ending) { return path.ends_with(ending); });
}

// The line without string and character literals and comments; `in_comment` goes from line to line.
std::string code_of(const std::string& line, bool& in_comment) {
  std::string code;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const std::string_view rest = std::string_view(line).substr(i);
    if (in_comment) {
      if (rest.starts_with("*/")) in_comment = false, ++i;
    } else if (quote != 0) {
      if (line[i] == '\\')
        ++i;
      else if (line[i] == quote)
        quote = 0;
    } else if (rest.starts_with("//")) {
      break;
    } else if (rest.starts_with("/*")) {
      in_comment = true, ++i;
    } else if (line[i] == '"' || (line[i] == '\'' && (i == 0 || !std::isalnum(line[i - 1])))) {
      quote = line[i];
    } else {
      code += line[i];
    }
  }
  return code;
}

}  // namespace

std::vector<SourceFile> files_below(const std::string& root, const std::string& folder,
                                    const std::vector<std::string>& endings) {
  namespace fs = std::filesystem;
  std::vector<SourceFile> found;
  if (!fs::exists(fs::path(root) / folder)) return found;
  auto walk = fs::recursive_directory_iterator(fs::path(root) / folder);
  for (const fs::directory_entry& entry : walk) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && (name.starts_with(".") || name.starts_with("build"))) {
      walk.disable_recursion_pending();
      continue;
    }
    const std::string path = fs::relative(entry.path(), root).string();
    if (!entry.is_regular_file() || !ends_with_any(path, endings)) continue;
    SourceFile file{path, {}};
    std::ifstream stream(entry.path());
    for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
    found.push_back(std::move(file));
  }
  std::sort(found.begin(), found.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return found;
}

std::vector<std::string> includes_of(const SourceFile& file) {
  std::vector<std::string> found;
  for (const std::string& line : file.lines) {
    if (!line.starts_with("#include ")) continue;
    const size_t open = line.find_first_of("\"<");
    const size_t close = line.find_first_of("\">", open + 1);
    if (open == std::string::npos || close == std::string::npos) continue;
    found.push_back(line[open] == '<' ? line.substr(open, close - open + 1)
                                      : line.substr(open + 1, close - open - 1));
  }
  return found;
}

// A function is what starts on a line that is not indented (or that is a member two columns in),
// opens a brace after a ")" and ends where this brace closes. Namespaces and types are entered.
std::vector<Function> functions_of(const SourceFile& file) {
  static const std::regex opens(R"(\)[^;={}]*(:[^;]*)?\{\s*$)");
  static const std::regex keyword(
      R"(^\s*(namespace|class|struct|union|enum|extern|if|for|while|switch|else|do|try|catch)\b)");
  std::vector<Function> found;
  bool in_comment = false;
  int begin = 0, depth = 0;
  std::string head;  // the statement so far
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string code = code_of(file.lines[i], in_comment);
    if (depth > 0) {
      for (const char c : code) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (depth == 0) found.back().lines = static_cast<int>(i) - begin + 1;
      continue;
    }
    if (code.starts_with('#')) continue;
    if (head.empty()) begin = static_cast<int>(i);
    head += code;
    const auto last = code.find_last_not_of(' ');
    if (last == std::string::npos) {
      head.clear();
      continue;
    }
    const bool opened = code[last] == '{';
    if (opened && std::regex_search(head, opens) && !std::regex_search(head, keyword)) {
      const size_t parenthesis = head.find('(');
      const size_t name = head.find_last_of(" *&", parenthesis);
      found.push_back({head.substr(name + 1, parenthesis - name - 1), begin + 1, 0});
      for (const char c : head) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    }
    if (opened || code[last] == ';' || code[last] == '}' || code[last] == ':') head.clear();
  }
  return found;
}

std::vector<std::string> slots_without_tag(const SourceFile& file) {
  static const std::regex slot(R"(^\s+(?:[A-Za-z_][\w \*]*)\(\*(\w+)\)\()");
  static const std::regex tag(R"(\[(any|serial|parallel|init)\])");
  std::vector<std::string> missing;
  std::string comment;
  bool inside = false;
  for (const std::string& line : file.lines) {
    if (line.find("/*") != std::string::npos && !inside) comment.clear(), inside = true;
    if (inside) comment += line;
    if (line.find("*/") != std::string::npos) inside = false;
    std::smatch match;
    if (std::regex_search(line, match, slot) && !std::regex_search(comment, tag)) {
      missing.push_back(file.path + ": " + match[1].str());
    }
    const bool is_comment = inside || line.find("*/") != std::string::npos;
    if (line.find(';') != std::string::npos && !is_comment) comment.clear();
  }
  return missing;
}

}  // namespace mortise::tidy
