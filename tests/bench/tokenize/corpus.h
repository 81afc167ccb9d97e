// A mixed corpus from what lies on the machine: prose (/usr/share/doc), code (Python's library) and
// Chinese (sentences of vocabulary words), cut into documents of at most 8 KiB at line ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mortise::bench {

struct Corpus {
  std::string kind;
  std::vector<std::string> documents;
  uint64_t size_bytes = 0;
};

// words: Chinese words to make sentences of. size_bytes: of the whole; 3 of 10 parts are prose, 4
// code, 3 Chinese. The same files give the same corpus.
std::vector<Corpus> mixed_corpus(const std::vector<std::string>& words, uint64_t size_bytes);

// gzip or plain; empty when it cannot be read.
std::string read_any(const std::string& path);

}  // namespace mortise::bench
