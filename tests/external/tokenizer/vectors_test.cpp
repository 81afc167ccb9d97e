// Real tokenizers against the ids that their owners' software gives. Reads the fixtures in place;
// see tokenizers/ in the fixtures' README.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "plugins/builtin/tokenizer_bpe/bpe_json.h"
#include "plugins/builtin/tokenizer_bpe/loader.h"

namespace mortise::tokenizer_bpe {

using namespace tokenizers;

namespace {

namespace fs = std::filesystem;

class TokenizerVectors : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("MORTISE_FIXTURES");
    if (folder == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set, so there are no vectors.";
    root_ = folder;
  }

  static std::optional<std::string> read(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    if (!file) return std::nullopt;
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
  }

  static std::string read_gzip(const fs::path& path) {
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

  Tokenizer load(const std::string& place, const std::string& config = "{}") const {
    const sdk::JsonDocument document = sdk::JsonDocument::parse(config);
    return load_tokenizer((root_ / place).string(), document.root(), read);
  }

  static std::vector<int32_t> encode(const Tokenizer& tokenizer, std::string_view text,
                                     EncodeOptions options = {}) {
    WordCache cache;
    return tokenizer.encode(text, options, cache).ids;
  }

  // The strings and the lines of ids of one vocabulary of llama.cpp.
  void check_vectors(const Tokenizer& tokenizer, const std::string& name) const {
    const std::string base = (root_ / "tokenizers/vectors/llama.cpp/ggml-vocab-").string() + name;
    const std::string mark = "\n__ggml_vocab_test__\n";
    const std::string input = read(base + ".gguf.inp").value();
    std::istringstream output(read(base + ".gguf.out").value());
    size_t count = 0;
    for (size_t at = 0; at <= input.size(); ++count) {
      const size_t end = input.find(mark, at);
      if (end == input.npos) break;
      std::string line;
      ASSERT_TRUE(std::getline(output, line));
      std::istringstream words(line);
      std::vector<int32_t> expected;
      for (int32_t id = 0; words >> id;) expected.push_back(id);
      const std::string text = input.substr(at, end - at);
      const std::vector<int32_t> ids = encode(tokenizer, text, {.parse_special = true});
      EXPECT_EQ(ids, expected) << name << " string " << count << ": " << text;
      at = end + mark.size();
    }
    EXPECT_GE(count, 40u);
  }

  fs::path root_;
};

TEST_F(TokenizerVectors, Gpt2FromVocabAndMergesGivesTheIdsOfLlamaCpp) {
  check_vectors(load("tokenizers/gpt2", R"({"pattern": "gpt2"})"), "gpt-2");
}

TEST_F(TokenizerVectors, Qwen2FromVocabAndMergesGivesTheIdsOfLlamaCpp) {
  check_vectors(load("tokenizers/qwen2"), "qwen2");
}

TEST_F(TokenizerVectors, Qwen2FromTokenizerJsonGivesTheIdsOfLlamaCpp) {
  const std::string text = read_gzip(root_ / "tokenizers/qwen2/tokenizer.assembled.json.gz");
  ASSERT_FALSE(text.empty());
  check_vectors(Tokenizer(read_tokenizer_json(text, "tokenizer.json")), "qwen2");
}

TEST_F(TokenizerVectors, Phi3GivesTheIdsOfLlamaCpp) {
  check_vectors(load("tokenizers/phi-3-mini"), "phi-3");
}

TEST_F(TokenizerVectors, EveryStringComesBackFromItsIds) {
  for (const char* place : {"tokenizers/qwen2", "tokenizers/phi-3-mini"}) {
    const Tokenizer tokenizer = load(place);
    for (const std::string text : {"Hello, y'all! \xF0\x9F\x98\x81", "  two  spaces \n\n\t x",
                                   "\xE6\x88\x91\xE6\x83\xB3\xE5\x9C\xA8", "\x01\x02 control"}) {
      const std::vector<int32_t> ids = encode(tokenizer, text);
      EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), false), text) << place;
    }
  }
}

TEST_F(TokenizerVectors, StoriesGreedyIdsDecodeToTheirText) {
  const Tokenizer tokenizer = load("weights/stories260K-hf");
  const auto expected = sdk::JsonDocument::parse(
      read((root_ / "weights/stories260K-hf/expected_greedy.json").string()).value());

  std::vector<int32_t> ids;
  expected.root()["greedy_ids"].for_each_item(
      [&](sdk::Json id) { ids.push_back(static_cast<int32_t>(id.as_integer())); });

  ASSERT_FALSE(ids.empty());
  EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), true),
            expected.root()["expected_text"].as_text());
}

TEST_F(TokenizerVectors, ReadsTheTokenizersOfClipAndTorchtune) {
  const Tokenizer clip(
      read_tokenizer_json(read_gzip(root_ / "tokenizers/clip/tokenizer.json.gz"), "clip"));
  const Tokenizer tiny = load("tokenizers/tiny-torchtune/tiny_bpe_tokenizer.json");
  const Tokenizer gemma = load("tokenizers/tiny-torchtune/tokenizer_gemma_cropped.json");

  EXPECT_EQ(encode(clip, "a photo of a cat", {.add_special = true}),
            (std::vector<int32_t>{49406, 320, 1125, 539, 320, 2368, 49407}));
  EXPECT_EQ(tiny.id_count(), 2003);
  EXPECT_GT(gemma.id_count(), 80);
}

}  // namespace
}  // namespace mortise::tokenizer_bpe
