// How fast text becomes ids: encode_batch of the BPE pack through its C table, Qwen2's vocabulary,
// one thread, on prose, code and Chinese; processor time of the best of five. Beside it tiktoken
// and tokenizers of MORTISE_PEERS_ENV on the same documents in the same run. Prints one JSON line;
// fails when one id differs from tokenizers', or when it is not four times as fast as tiktoken.
#include <mortise/kind/tokenizer.h>
#include <sys/resource.h>
#include <mortise/cpp/arrow_build.hpp>
#include <mortise/cpp/arrow_read.hpp>
#include <mortise/cpp/utf8.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/bench/tokenize/corpus.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise::bench {
namespace {

constexpr uint64_t kCorpusBytes = 10'000'000;
constexpr int kRounds = 5;

double cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void check(const sdk::Failure& failure) {
  if (failure.code == MORTISE_STATUS_OK) return;
  std::fprintf(stderr, "%s\n", failure.message.c_str());
  std::exit(1);
}

class Bench {
 public:
  explicit Bench(const std::string& tokenizer_json) {
    pack_.files.content["tokenizer.json"] = tokenizer_json;
    check(packs_test::failure_of([&](mortise_error* error) {
      return table().create(sdk::text("tokenizer.json"), sdk::text("{}"), &instance_, error);
    }));
  }
  ~Bench() { table().destroy(instance_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Words of Chinese characters alone.
  std::vector<std::string> chinese_words() {
    ArrowArray out{};
    check(packs_test::failure_of(
        [&](mortise_error* error) { return table().vocab(instance_, &out, error); }));
    const sdk::TextView tokens(&out);
    std::vector<std::string> words;
    for (int64_t id = 0; id < tokens.size(); ++id) {
      const std::string_view token = tokens[id];
      bool is_chinese = !token.empty() && token.size() % 3 == 0 && sdk::is_utf8(token);
      for (size_t i = 0; is_chinese && i < token.size(); i += 3) {
        is_chinese = token[i] >= '\xE4' && token[i] <= '\xE9';
      }
      if (is_chinese) words.emplace_back(token);
    }
    out.release(&out);
    return words;
  }

  // The best time; the ids of all documents, -1 behind each, in *ids.
  double measure(const Corpus& corpus, std::vector<int32_t>* ids) {
    sdk::TextBuilder builder;
    for (const std::string& document : corpus.documents) builder.append(document);
    const sdk::Array texts = builder.finish();
    mortise_encode_options options{};
    options.struct_size = sizeof(options);
    double best = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      ArrowArray out{};
      const double begin = cpu_s();
      check(packs_test::failure_of([&](mortise_error* error) {
        return table().encode_batch(instance_, texts.get(), &options, &out, error);
      }));
      best = std::min(best, cpu_s() - begin);
      ids->clear();
      const sdk::StructView view(&out, 2);
      const auto lists = view.column<sdk::ListView<sdk::NumberView<int32_t>>>(0, "ids");
      for (int64_t row = 0; row < lists.size(); ++row) {
        const int32_t* data = lists.items().data();
        ids->insert(ids->end(), data + lists.begin(row), data + lists.end(row));
        ids->push_back(-1);
      }
      out.release(&out);
    }
    return best;
  }

 private:
  const mortise_tokenizer& table() const {
    return pack_.get<mortise_tokenizer>(MORTISE_KIND_TOKENIZER);
  }
  packs_test::PackUnderTest pack_{MORTISE_PACK_LIBRARY};
  mortise_tokenizer_instance* instance_ = nullptr;
};

void write_file(const std::string& path, const void* data, size_t size) {
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

void write_for_peer(const std::string& base, const Corpus& corpus,
                    const std::vector<int32_t>& ids) {
  std::string text;
  for (const std::string& document : corpus.documents) {
    if (!text.empty()) text += '\0';
    text += document;
  }
  write_file(base + ".txt", text.data(), text.size());
  write_file(base + ".ids", ids.data(), ids.size() * sizeof(int32_t));
}

// The peer's JSON line; empty when there is no peer here.
std::string run_peer(const std::string& folder) {
  const char* peers = std::getenv("MORTISE_PEERS_ENV");
  if (peers == nullptr) return {};
  const std::string command = "'" + std::string(peers) +
                              "/main/bin/python' -B '" MORTISE_PEER "' '" + folder +
                              "/tokenizer.json' '" + folder + "' prose code chinese";
  std::string line;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  for (int c = std::fgetc(pipe); c != EOF && c != '\n'; c = std::fgetc(pipe)) {
    line += static_cast<char>(c);
  }
  return ::pclose(pipe) == 0 ? line : std::string();
}

double number_of(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\": ");
  return at == json.npos ? 0 : std::atof(json.c_str() + at + name.size() + 4);
}

int run() {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) {
    std::printf("{\"skipped\": \"MORTISE_FIXTURES is not set, so there is no vocabulary\"}\n");
    return 0;
  }
  const std::string vocabulary =
      read_any(std::string(fixtures) + "/tokenizers/qwen2/tokenizer.assembled.json.gz");
  Bench bench(vocabulary);
  const tests::TempFolder folder;
  write_file(folder / "tokenizer.json", vocabulary.data(), vocabulary.size());
  double seconds = 0;
  uint64_t size = 0;
  std::ostringstream out;
  out.precision(4);
  for (const Corpus& corpus : mixed_corpus(bench.chinese_words(), kCorpusBytes)) {
    std::vector<int32_t> ids;
    const double best = bench.measure(corpus, &ids);
    seconds += best;
    size += corpus.size_bytes;
    out << "\"" << corpus.kind << "_bytes\": " << corpus.size_bytes << ", \"" << corpus.kind
        << "_mb_s\": " << static_cast<double>(corpus.size_bytes) / best / 1e6 << ", ";
    write_for_peer(folder / corpus.kind, corpus, ids);
  }
  const double mb_s = static_cast<double>(size) / seconds / 1e6;
  const std::string peer = run_peer(folder.path());
  const double of_tiktoken = peer.empty() ? 0 : mb_s / number_of(peer, "tiktoken_mb_s");
  out << "\"mb_s\": " << mb_s << ", \"of_tiktoken\": " << of_tiktoken
      << ", \"peer\": " << (peer.empty() ? "\"not here: set MORTISE_PEERS_ENV\"" : peer);
  std::printf("{%s}\n", out.str().c_str());
  const bool is_exact = number_of(peer, "documents") == number_of(peer, "documents_alike");
  return peer.empty() || (is_exact && of_tiktoken >= 4) ? 0 : 1;
}

}  // namespace
}  // namespace mortise::bench

int main() {
  return mortise::bench::run();
}
