// WordPiece: BERT's rules over a small vocab.txt, and what is refused.
#include <gtest/gtest.h>

#include "plugins/builtin/tokenizer_wordpiece/loader.h"

namespace mortise::tokenizer_wordpiece {
namespace {

using Ids = std::vector<int32_t>;
using Files = std::map<std::string, std::string>;

constexpr const char* kVocab =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\naff\n,\n我\n想\ncafe\nA\n";

tokenizers::Tokenizer load(const Files& files, const std::string& uri, const std::string& config) {
  const sdk::JsonDocument document = sdk::JsonDocument::parse(config);
  return load_tokenizer(uri, document.root(),
                        [&](const std::string& name) -> std::optional<std::string> {
                          const auto file = files.find(name);
                          if (file == files.end()) return std::nullopt;
                          return file->second;
                        });
}

Ids encode(const tokenizers::Tokenizer& tokenizer, const std::string& text,
           tokenizers::EncodeOptions options = {}) {
  tokenizers::WordCache cache;
  return tokenizer.encode(text, options, cache).ids;
}

sdk::Failure failure_of(const Files& files, const std::string& uri,
                        const std::string& config = "{}") {
  try {
    load(files, uri, config);
  } catch (const sdk::Failure& failure) {
    return failure;
  }
  return sdk::Failure(MORTISE_STATUS_OK, "");
}

TEST(WordPiece, TakesTheLongestPiecesAndCutsAsBertDoes) {
  const auto tokenizer = load({{"b/vocab.txt", kVocab}}, "b", "{}");

  EXPECT_EQ(encode(tokenizer, "unaffable, aff"), (Ids{5, 6, 7, 9, 8}));
  EXPECT_EQ(encode(tokenizer, "UN Caf\xC3\xA9"), (Ids{5, 12}));
  EXPECT_EQ(encode(tokenizer, "我想aff"), (Ids{10, 11, 8}));
  EXPECT_EQ(encode(tokenizer, "un\tun\x01\xEF\xBF\xBD"), (Ids{5, 5}));
  EXPECT_EQ(encode(tokenizer, "unx aff"), (Ids{1, 8}));
  EXPECT_EQ(encode(tokenizer, "aff", {.add_special = true}), (Ids{2, 8, 3}));
  EXPECT_EQ(encode(tokenizer, "[MASK]", {.parse_special = true}), (Ids{4}));
}

TEST(WordPiece, WordsOfMoreThanAHundredCharactersAreUnknown) {
  std::string vocab = "[UNK]\na\n##a\n";
  const auto tokenizer = load({{"vocab.txt", vocab}}, "vocab.txt", "{}");

  EXPECT_EQ(encode(tokenizer, std::string(100, 'a')).size(), 100u);
  EXPECT_EQ(encode(tokenizer, std::string(101, 'a')), (Ids{0}));
}

TEST(WordPiece, ConfigurationWinsOverTheFileBesideIt) {
  const Files files = {{"b/vocab.txt", kVocab},
                       {"b/tokenizer_config.json", R"({"do_lower_case": false})"}};

  EXPECT_EQ(encode(load(files, "b", "{}"), "A"), (Ids{13}));
  EXPECT_EQ(encode(load(files, "b", R"({"lowercase": true})"), "A"), (Ids{1}));
}

TEST(WordPiece, DecodesWordsWithBlanksAndMarksWithout) {
  const auto tokenizer = load({{"b/vocab.txt", kVocab}}, "b", "{}");
  const Ids ids = {2, 5, 6, 7, 9, 8, 3};

  EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), true), "unaffable, aff");
}

TEST(WordPiece, RefusesByNameWhatItCannotRead) {
  EXPECT_EQ(failure_of({}, "nowhere").code, MORTISE_STATUS_NOT_FOUND);
  const sdk::Failure twice = failure_of({{"vocab.txt", "[UNK]\na\na\n"}}, "vocab.txt");
  EXPECT_EQ(twice.row, 3);
  EXPECT_EQ(twice.file, "vocab.txt");
  const sdk::Failure bytes = failure_of({{"vocab.txt", "[UNK]\n\xFF\n"}}, "vocab.txt");
  EXPECT_NE(bytes.message.find("byte 6"), std::string::npos) << bytes.message;
  const sdk::Failure unknown = failure_of({{"vocab.txt", "a\n"}}, "vocab.txt");
  EXPECT_NE(unknown.message.find("[UNK]"), std::string::npos) << unknown.message;
  const sdk::Failure bpe =
      failure_of({{"tokenizer.json", R"({"model": {"type": "BPE"}})"}}, "tokenizer.json");
  EXPECT_EQ(bpe.code, MORTISE_STATUS_UNIMPLEMENTED);
}

}  // namespace
}  // namespace mortise::tokenizer_wordpiece
