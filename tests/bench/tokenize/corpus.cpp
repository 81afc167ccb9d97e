// Files are taken in an order that a fixed seed shuffles, so that no one package fills the corpus.
#include "tests/bench/tokenize/corpus.h"

#include <zlib.h>
#include <mortise/cpp/utf8.hpp>

#include <algorithm>
#include <filesystem>
#include <random>

namespace mortise::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDocumentBytesMax = 8192;

std::string text_of_files(const std::string& folder, const std::string& ending, size_t limit) {
  std::vector<std::string> paths;
  std::error_code ignored;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator walk(folder, options, ignored), end; walk != end;
       walk.increment(ignored)) {
    const std::string path = walk->path().string();
    if (walk->is_regular_file(ignored) && path.ends_with(ending)) paths.push_back(path);
  }
  std::ranges::sort(paths);
  std::mt19937_64 random(3);
  for (size_t i = paths.size(); i > 1; --i) std::swap(paths[i - 1], paths[random() % i]);
  std::string all;
  for (const std::string& path : paths) {
    if (all.size() >= limit) break;
    const std::string text = read_any(path);
    if (sdk::is_utf8(text) && text.find('\0') == text.npos) all += text;
  }
  return all;
}

std::string chinese_text(const std::vector<std::string>& words, size_t limit) {
  std::mt19937_64 random(7);
  std::string all;
  while (all.size() < limit && !words.empty()) {
    const uint64_t clauses = 1 + random() % 5;
    for (uint64_t clause = 0; clause < clauses; ++clause) {
      if (clause > 0) all += "，";
      for (uint64_t i = 3 + random() % 7; i > 0; --i) all += words[random() % words.size()];
    }
    all += "。\n";
  }
  return all;
}

Corpus cut(const std::string& kind, const std::string& text) {
  Corpus corpus{kind, {}, 0};
  std::string document;
  const auto close = [&] {
    corpus.size_bytes += document.size();
    if (!document.empty()) corpus.documents.push_back(std::move(document));
    document.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    if (document.size() + end - at > kDocumentBytesMax) close();
    if (end - at <= kDocumentBytesMax) document.append(text, at, end - at);
    at = end;
  }
  close();
  return corpus;
}

}  // namespace

std::string read_any(const std::string& path) {
  std::string content;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return content;
  char buffer[1 << 16];
  for (int got = gzread(file, buffer, sizeof(buffer)); got > 0;
       got = gzread(file, buffer, sizeof(buffer))) {
    content.append(buffer, static_cast<size_t>(got));
  }
  gzclose(file);
  return content;
}

std::vector<Corpus> mixed_corpus(const std::vector<std::string>& words, uint64_t size_bytes) {
  return {cut("prose", text_of_files("/usr/share/doc", "", size_bytes * 3 / 10)),
          cut("code", text_of_files("/usr/lib/python3", ".py", size_bytes * 2 / 10) +
                          text_of_files("/usr/lib/python3.11", ".py", size_bytes * 2 / 10)),
          cut("chinese", chinese_text(words, size_bytes * 3 / 10))};
}

}  // namespace mortise::bench
