// The rules of docs/ARCHITECTURE.md that a compiler does not know: direction of includes, one door
// a library, sizes, thread tags, maps that are true.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/tidy/source_tree.h"

namespace mortise::tidy {
namespace {

const std::string kRoot = MORTISE_SOURCE;
const std::vector<std::string> kCode = {".cpp", ".h", ".hpp", ".c"};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

// What each folder of host/ may include beside itself, as in docs/ARCHITECTURE.md.
const std::map<std::string, std::set<std::string>>& allowed_includes() {
  static const std::set<std::string> shared = {"base", "job", "pack", "store"};
  static const auto with = [](std::set<std::string> base, std::initializer_list<const char*> more) {
    base.insert(more.begin(), more.end());
    return base;
  };
  static const std::map<std::string, std::set<std::string>> rules = {
      {"base", {}},
      {"job", {"base"}},
      {"pack", {"base", "job"}},
      {"store", {"base", "job", "pack"}},
      {"hub", shared},
      {"run", with(shared, {"hub"})},
      {"server", with(shared, {"hub", "run"})},
      {"plugin", shared},
      {"ingest", with(shared, {"plugin"})},
      {"engine", with(shared, {"plugin", "ingest"})},
      {"evaluate", with(shared, {"plugin", "ingest", "engine"})},
      {"export", with(shared, {"plugin", "ingest", "engine"})},
      {"serve", with(shared, {"plugin", "ingest", "engine"})},
      {"cli", {"base", "job"}},
      {"app/mortised", with(shared, {"hub", "run", "server"})},
      {"app/mortise-worker",
       with(shared, {"plugin", "ingest", "engine", "evaluate", "export", "serve"})},
  };
  return rules;
}

std::string folder_of(const std::string& path) {  // "host/app/mortised/main.cpp" -> "app/mortised"
  std::vector<std::string> parts;
  std::stringstream stream(path);
  for (std::string part; std::getline(stream, part, '/');) parts.push_back(part);
  if (parts.size() < 3) return "";
  return parts[1] == "app" && parts.size() > 3 ? "app/" + parts[2] : parts[1];
}

TEST(Tidy, HostFoldersIncludeOnlyWhatStandsBefore) {
  std::vector<std::string> wrong;
  for (const SourceFile& file : files_below(kRoot, "host", kCode)) {
    const std::string own = folder_of(file.path);
    const auto rule = allowed_includes().find(own);
    if (rule == allowed_includes().end()) {
      wrong.push_back(file.path + ": the folder is not in the list of layers");
      continue;
    }
    for (const std::string& include : includes_of(file)) {
      const std::string target = include.substr(0, include.find('/'));
      const bool is_host = allowed_includes().contains(target) || target == "app";
      if (include[0] == '<' || !is_host || target == own || include.starts_with(own + "/"))
        continue;
      if (!rule->second.contains(target)) wrong.push_back(file.path + " includes " + include);
    }
  }
  EXPECT_TRUE(wrong.empty()) << joined(wrong);
}

TEST(Tidy, PacksIncludeTheSdkOnly) {
  std::vector<std::string> wrong;
  for (const SourceFile& file : files_below(kRoot, "plugins", kCode)) {
    for (const std::string& include : includes_of(file)) {
      const std::string target = include.substr(0, include.find('/'));
      if (include[0] != '<' && allowed_includes().contains(target)) {
        wrong.push_back(file.path + " includes " + include);
      }
    }
  }
  EXPECT_TRUE(wrong.empty()) << joined(wrong);
}

TEST(Tidy, ThirdPartyHeadersStayBehindTheirDoor) {
  // A header that matches the first may stand only in paths that match the second.
  static const std::pair<std::regex, std::regex> doors[] = {
      {std::regex("^<nlohmann/"), std::regex("^host/base/json")},
      {std::regex("^<simdjson"), std::regex("^host/base/json_read")},
      {std::regex("^<pcre2"), std::regex("^host/base/pattern|^plugins/tokenizers/pattern")},
      {std::regex("^<spdlog/"), std::regex("^host/base/log")},
      {std::regex("^<openssl/"), std::regex("^host/base/crypto")},
      {std::regex("^<zstd"), std::regex("^host/base/zstd")},
      {std::regex("^<boost/dll"), std::regex("^host/plugin/library")},
      {std::regex("^<sqlite3"), std::regex("^host/hub/database_sqlite")},
      {std::regex("^<libpq"), std::regex("^host/hub/database_postgres|^tests/support/postgres")},
      {std::regex("^<Poco/"), std::regex("^host/server/http|^host/cli/http")},
      {std::regex("^<archive"), std::regex("^host/cli/archive|^tests/unit/cli/archive")},
      {std::regex("^<(ATen|c10|torch)/"), std::regex("^host/engine/|^tests/(engine|external)/")},
      {std::regex("^<(dnnl|oneapi)"), std::regex("^plugins/builtin/device_cpu/|^tests/bench/")},
      {std::regex("^<(arrow|parquet)/"),
       std::regex("^plugins/builtin/format_parquet/|^tests/unit/(packs_parquet|ingest_catalog)/")},
      {std::regex("^<hdf5"),
       std::regex("^plugins/builtin/format_hdf5/|^tests/unit/(packs_hdf5|ingest_catalog)/")},
      {std::regex("^<(png|turbojpeg|webp/)"),
       std::regex("^host/ingest/image|^tests/|^plugins/builtin/format_")},
      {std::regex("^<sndfile"),
       std::regex("^host/ingest/audio|^tests/(unit/ingest|support|bench/read)/")},
      {std::regex("^<lib(av|sw)[a-z]*/"),
       std::regex("^host/ingest/video|^tests/(unit/ingest|support|bench/read)/")},
      {std::regex("^<(torch/torch|ATen/ATen|torch/extension)\\.h>"), std::regex("^never$")},
  };
  std::vector<std::string> wrong;
  for (const char* folder : {"host", "plugins", "sdk", "tests"}) {
    for (const SourceFile& file : files_below(kRoot, folder, kCode)) {
      for (const std::string& include : includes_of(file)) {
        for (const auto& [header, place] : doors) {
          if (std::regex_search(include, header) && !std::regex_search(file.path, place)) {
            wrong.push_back(file.path + " includes " + include);
          }
        }
      }
    }
  }
  EXPECT_TRUE(wrong.empty()) << joined(wrong);
}

TEST(Tidy, FunctionsHaveAtMostSeventyLines) {
  std::vector<std::string> wrong;
  for (const char* folder : {"host", "plugins", "sdk", "tests"}) {
    for (const SourceFile& file : files_below(kRoot, folder, kCode)) {
      for (const Function& function : functions_of(file)) {
        if (function.lines > 70) {
          wrong.push_back(file.path + ":" + std::to_string(function.line) + " " + function.name +
                          " has " + std::to_string(function.lines) + " lines");
        }
      }
    }
  }
  EXPECT_TRUE(wrong.empty()) << joined(wrong);
}

TEST(Tidy, FilesStayWithinTheirSize) {
  std::vector<std::string> wrong;
  for (const char* folder : {"host", "plugins", "sdk", "tests"}) {
    for (const SourceFile& file : files_below(kRoot, folder, kCode)) {
      // The released copy of the headers is data; its size was judged when it was cut.
      if (file.path.starts_with("tests/abi/frozen/")) continue;
      const bool is_abi = file.path.starts_with("sdk/include/") && file.path.ends_with(".h");
      const size_t limit = is_abi ? 150 : 600;
      if (file.lines.size() > limit) {
        wrong.push_back(file.path + " has " + std::to_string(file.lines.size()) + " lines, limit " +
                        std::to_string(limit));
      }
    }
  }
  EXPECT_TRUE(wrong.empty()) << joined(wrong);
}

TEST(Tidy, EverySlotOfTheAbiHasAThreadTag) {
  std::vector<std::string> missing;
  for (const SourceFile& file : files_below(kRoot, "sdk/include", {".h"})) {
    // Arrow and DLPack are other people's structs; their own specifications speak of threads.
    if (file.path.ends_with("/arrow.h") || file.path.ends_with("/dlpack.h")) continue;
    const auto found = slots_without_tag(file);
    missing.insert(missing.end(), found.begin(), found.end());
  }
  EXPECT_TRUE(missing.empty()) << joined(missing);
}

// Lines such as "base/      what it is" in a fenced tree name folders that exist, and every folder
// of the places listed is named: a map that misses a room is worse than none.
TEST(Tidy, TheTreeInTheReadmeIsTheRealOne) {
  namespace fs = std::filesystem;
  std::ifstream stream(kRoot + "/README.md");
  ASSERT_TRUE(stream.good()) << "README.md is missing";
  static const std::regex entry(R"(^( *)([\w.-]+)/(?:\s|$))");
  std::set<std::string> named;
  std::vector<std::string> wrong, path;
  bool in_tree = false;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("```")) {
      in_tree = line == "```tree";
      continue;
    }
    std::smatch match;
    if (!in_tree || !std::regex_search(line, match, entry)) continue;
    const size_t depth = match[1].str().size() / 2;
    path.resize(std::min(path.size(), depth));
    path.push_back(match[2]);
    std::string folder;
    for (const std::string& part : path) folder += (folder.empty() ? "" : "/") + part;
    named.insert(folder);
    if (!fs::is_directory(fs::path(kRoot) / folder)) wrong.push_back(folder + "/ does not exist");
  }
  ASSERT_FALSE(named.empty()) << "README.md has no ```tree block";
  for (const char* place : {"", "host", "plugins/builtin", "plugins/examples", "tests", "sdk"}) {
    if (!fs::exists(fs::path(kRoot) / place)) continue;
    for (const fs::directory_entry& found : fs::directory_iterator(fs::path(kRoot) / place)) {
      const std::string folder = fs::relative(found.path(), kRoot).string();
      const std::string name = found.path().filename().string();
      if (!found.is_directory() || name.starts_with("build") || name == ".git" || name == ".deps" ||
          name == ".cache" || name == "__pycache__") {
        continue;
      }
      if (!named.contains(folder)) wrong.push_back(folder + "/ is not in the tree of README.md");
    }
  }
  EXPECT_TRUE(wrong.empty()) << joined(wrong);
}

// The scanner itself: a rule that cannot fail is no rule.
TEST(Tidy, ScannerMeasuresFunctionsAndFindsMissingTags) {
  const SourceFile code{"x.cpp",
                        {"namespace a {", "int f(int x) {", "  if (x) {", "    return 1;", "  }",
                         "  return 0;", "}", "", "struct S {", "  void g() {", "  }", "};", "}"}};
  const auto functions = functions_of(code);
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].name, "f");
  EXPECT_EQ(functions[0].line, 2);
  EXPECT_EQ(functions[0].lines, 6);
  EXPECT_EQ(functions[1].name, "g");
  const SourceFile header{"x.h",
                          {"struct t {", "  /* Does it. [any] */", "  int (*one)(int a);",
                           "  /* Does it too. */", "  int (*two)(int a);", "};"}};
  EXPECT_EQ(slots_without_tag(header), std::vector<std::string>{"x.h: two"});
}

}  // namespace
}  // namespace mortise::tidy
