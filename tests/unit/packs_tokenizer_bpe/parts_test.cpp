// The parts of the tokenizer on their own: scanners, merging, added tokens, decoding, training.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "plugins/builtin/tokenizer_bpe/bpe_json.h"
#include "plugins/builtin/tokenizer_bpe/loader.h"
#include "plugins/builtin/tokenizer_bpe/trainer.h"
#include "plugins/tokenizers/byte_names.h"
#include "plugins/tokenizers/scanner.h"
#include "plugins/tokenizers/sha256.h"

namespace mortise::tokenizer_bpe {

using namespace tokenizers;

namespace {

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"a",
                                                  "B",
                                                  "\xC3\xA9",
                                                  "\xCE\xA3",
                                                  "\xE6\x88\x91",
                                                  "1",
                                                  "\xD9\xA3",
                                                  "\xC2\xBD",
                                                  " ",
                                                  "  ",
                                                  "\t",
                                                  "\n",
                                                  "\r\n",
                                                  "\xC2\xA0",
                                                  "\xE3\x80\x80",
                                                  "\xC2\x85",
                                                  "\xE1\xA0\x8E",
                                                  "'",
                                                  "'s",
                                                  "'LL",
                                                  "'re",
                                                  "'\xC5\xBF",
                                                  ".",
                                                  "!?",
                                                  "\xE3\x80\x82",
                                                  "\xF0\x9F\x9A\x80",
                                                  "\xE2\x80\x8D",
                                                  "e\xCC\x81"};
  std::string text;
  for (auto i = random() % 24; i > 0; --i) text += pieces[random() % pieces.size()];
  return text;
}

TEST(Scanner, CutsAsTheExpressionItStandsFor) {
  const unsigned seed = 5;
  std::mt19937 random(seed);
  for (const std::string_view expression :
       {kGpt2Expression, kQwen2Expression, kLlama3Expression, kO200kExpression}) {
    ASSERT_NE(find_scanner(expression), nullptr);
    const Pattern scanned = Pattern::expression(std::string(expression));
    // In parentheses it is no known expression, so the general matcher reads it.
    const Pattern matched = Pattern::expression("(?:" + std::string(expression) + ")");
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_text(random);
      const std::vector<Range> a = scanned.matches(text), b = matched.matches(text);
      ASSERT_EQ(a.size(), b.size()) << "seed " << seed << " round " << i << ": " << text;
      for (size_t k = 0; k < a.size(); ++k) {
        ASSERT_EQ(a[k].begin, b[k].begin);
        ASSERT_EQ(a[k].end, b[k].end);
      }
    }
  }
}

TEST(Pattern, RefusesWhatIsNoExpressionAndGivesUpOnEndlessWork) {
  EXPECT_THROW(Pattern::expression("(unclosed"), sdk::Failure);
  const Pattern hostile = Pattern::expression("(a|aa)+$");
  EXPECT_THROW(hostile.matches(std::string(200, 'a') + "c"), sdk::Failure);
}

// A model over the bytes with merges of x: xx, xxxx, ... and some others.
BpeModel small_model() {
  BpeRules rules;
  rules.byte_level = true;
  BpeModel model(rules);
  for (int byte = 0; byte < 256; ++byte) {
    model.add_token(byte_alphabet()[static_cast<size_t>(byte)], byte);
  }
  int64_t id = 256;
  for (const auto& [left, right] : std::vector<std::pair<std::string, std::string>>{{"b", "a"},
                                                                                    {"a", "b"},
                                                                                    {"ab", "a"},
                                                                                    {"x", "x"},
                                                                                    {"xx", "x"},
                                                                                    {"xx", "xx"},
                                                                                    {"ab", "ab"}}) {
    if (model.find(left + right) < 0) model.add_token(left + right, id++);
    model.add_merge(left, right);
  }
  model.seal();
  return model;
}

// Merging as the definition says it: lowest rank first, leftmost among equals, one at a time.
std::vector<int32_t> merge_by_definition(const BpeModel& model, const std::string& word) {
  std::vector<int32_t> ids;
  for (const char byte : word) ids.push_back(static_cast<uint8_t>(byte));
  while (true) {
    size_t best_rank = SIZE_MAX, best_at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t rank = 0; rank < model.merges().size() && rank < best_rank; ++rank) {
        if (model.merges()[rank] == std::make_pair(ids[i], ids[i + 1])) {
          best_rank = rank;
          best_at = i;
        }
      }
    }
    if (best_rank == SIZE_MAX) return ids;
    const std::string whole =
        *model.vocabulary().token(ids[best_at]) + *model.vocabulary().token(ids[best_at + 1]);
    ids[best_at] = model.find(whole);
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

TEST(BpeModel, MergesShortAndLongWordsAsTheDefinitionSays) {
  const BpeModel model = small_model();
  const unsigned seed = 9;
  std::mt19937 random(seed);
  for (int round = 0; round < 400; ++round) {
    std::string word;
    for (auto i = 1 + random() % 60; i > 0; --i) word += "abx"[random() % 3];
    std::vector<Token> tokens;
    model.encode(word, tokens);
    std::vector<int32_t> ids;
    uint32_t at = 0;
    for (const Token& token : tokens) {
      EXPECT_EQ(token.begin, at);
      at = token.end;
      ids.push_back(token.id);
    }
    EXPECT_EQ(at, word.size());
    EXPECT_EQ(ids, merge_by_definition(model, word)) << "seed " << seed << ": " << word;
  }
}

// Merges in any order, some of whose parts come later, so that some models are walked and others
// are merged.
TEST(BpeModel, RandomModelsGiveWhatTheDefinitionSays) {
  const unsigned seed = 21;
  std::mt19937 random(seed);
  for (int round = 0; round < 400; ++round) {
    BpeRules rules;
    rules.byte_level = true;
    BpeModel model(rules);
    for (int byte = 0; byte < 256; ++byte) {
      model.add_token(byte_alphabet()[static_cast<size_t>(byte)], byte);
    }
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (auto i = 1 + random() % 24; i > 0; --i) {
      const std::string left = tokens[random() % tokens.size()];
      const std::string right = tokens[random() % tokens.size()];
      if (left.size() + right.size() > 9) continue;
      if (std::ranges::find(merges, std::pair(left, right)) != merges.end()) continue;
      merges.emplace_back(left, right);
      tokens.push_back(left + right);
    }
    if (round % 3 == 0) std::ranges::shuffle(merges, random);
    int64_t id = 256;
    for (const std::string& token : tokens) {
      if (model.find(token) < 0) model.add_token(token, id++);
    }
    for (const auto& [left, right] : merges) model.add_merge(left, right);
    model.seal();
    for (int i = 0; i < 30; ++i) {
      std::string word;
      for (auto k = 1 + random() % 60; k > 0; --k) word += "abc"[random() % 3];
      std::vector<Token> found;
      model.encode(word, found);
      std::vector<int32_t> ids;
      for (const Token& token : found) ids.push_back(token.id);
      ASSERT_EQ(ids, merge_by_definition(model, word))
          << "seed " << seed << " round " << round << ": " << word;
    }
  }
}

TEST(BpeModel, AWordOfAMegabyteIsNoAttack) {
  const BpeModel model = small_model();
  std::vector<Token> tokens;

  const auto begin = std::chrono::steady_clock::now();
  model.encode(std::string(1u << 20, 'x'), tokens);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);

  EXPECT_EQ(tokens.size(), (1u << 20) / 4);
  EXPECT_LT(seconds.count(), 20.0);
}

TEST(BpeModel, NamesTheMergeAndThePartThatIsMissing) {
  BpeModel model{BpeRules{}};
  model.add_token("a", 0);
  try {
    model.add_merge("a", "q");
    FAIL() << "the merge was taken";
  } catch (const sdk::Failure& failure) {
    EXPECT_NE(failure.message.find("\"q\""), std::string::npos) << failure.message;
  }
  EXPECT_THROW(model.add_token("b", 0), sdk::Failure);
  EXPECT_THROW(model.add_token("a", 1), sdk::Failure);
  EXPECT_THROW(model.add_token("c", -1), sdk::Failure);
}

TEST(AddedTokenFinder, TakesTheLeftmostThenTheLongest) {
  AddedTokenFinder finder;
  finder.add({.id = 1, .content = "ab"}, "ab");
  finder.add({.id = 2, .content = "abc"}, "abc");
  finder.add({.id = 3, .content = "<s>", .special = true}, "<s>");
  finder.seal();

  const std::vector<Piece> pieces = finder.split("xabcab<s>", true);
  const std::vector<Piece> plain = finder.split("<s>", false);

  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[1].id, 2);
  EXPECT_EQ(pieces[2].id, 1);
  EXPECT_EQ(pieces[3].id, 3);
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain[0].id, -1);
}

TEST(AddedTokenFinder, StripsSpacesAndAsksForWholeWords) {
  AddedTokenFinder finder;
  finder.add({.id = 1, .content = "<x>", .lstrip = true, .rstrip = true}, "<x>");
  finder.add({.id = 2, .content = "word", .single_word = true}, "word");
  finder.seal();

  const std::vector<Piece> stripped = finder.split("a  <x> \n b", true);
  ASSERT_EQ(stripped.size(), 3u);
  EXPECT_EQ(stripped[1].range.begin, 1u);
  EXPECT_EQ(stripped[1].range.end, 9u);
  EXPECT_EQ(finder.split("swords", true).size(), 1u);
  EXPECT_EQ(finder.split("a word.", true).size(), 3u);
}

TEST(Sha256, OfTheExamplesOfFips180) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Tokenizer trained(const std::vector<std::string>& texts, int64_t vocab_size) {
  Trainer trainer(vocab_size, {"<|end|>"}, "qwen2");
  WordCounts counts;
  for (const std::string& text : texts) trainer.count(text, counts);
  trainer.add(counts);
  return Tokenizer(read_tokenizer_json(trainer.finish(), "tokenizer.json"));
}

TEST(Trainer, GivesATokenizerThatLosesNothing) {
  const Tokenizer tokenizer = trained({"the theatre, the other\n", "the the <|end|>"}, 270);
  const unsigned seed = 3;
  std::mt19937 random(seed);

  EXPECT_LE(tokenizer.id_count(), 270);
  EXPECT_GE(tokenizer.parts().model->vocabulary().find("\xC4\xA0the"), 0);
  EXPECT_EQ(*tokenizer.token(0), "<|end|>");
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_text(random);
    WordCache cache;
    const Encoding encoding = tokenizer.encode(text, {.offsets = true}, cache);
    EXPECT_EQ(tokenizer.decode(encoding.ids.data(), encoding.ids.size(), false), text)
        << "seed " << seed << " round " << i;
    int64_t at = 0;
    for (size_t k = 0; k < encoding.ids.size(); ++k) {
      EXPECT_EQ(encoding.offsets[2 * k], at);
      at = encoding.offsets[2 * k + 1];
    }
    EXPECT_EQ(at, static_cast<int64_t>(text.size()));
  }
}

TEST(Trainer, DependsOnTheTextsAsAMultisetOnly) {
  const std::vector<std::string> texts = {"abab abab", "cdcd", "abcd abcd", "ab", "cd", "zz zz"};
  const std::vector<std::string> reversed(texts.rbegin(), texts.rend());
  Trainer pieces(300, {"<|end|>"}, "qwen2");
  for (const std::string& text : texts) {
    WordCounts counts;
    pieces.count(text, counts);
    pieces.add(counts);
  }

  const std::string fingerprint = trained(texts, 300).parts().fingerprint;

  EXPECT_EQ(trained(reversed, 300).parts().fingerprint, fingerprint);
  EXPECT_EQ(read_tokenizer_json(pieces.finish(), "x").fingerprint, fingerprint);
  EXPECT_EQ(pieces.finish(), pieces.finish());
  EXPECT_NE(trained(texts, 258).parts().fingerprint, fingerprint);
}

TEST(Trainer, RefusesAVocabularyWithoutRoomAndTokensThatClash) {
  EXPECT_THROW(Trainer(256, {"<s>"}, "gpt2"), sdk::Failure);
  EXPECT_THROW(Trainer(400, {"<s>", "<s>"}, "gpt2"), sdk::Failure);
  EXPECT_THROW(Trainer(400, {""}, "gpt2"), sdk::Failure);
  EXPECT_THROW(Trainer(400, {"a"}, "gpt2"), sdk::Failure);
  EXPECT_THROW(Trainer(400, {}, "(("), sdk::Failure);
}

}  // namespace
}  // namespace mortise::tokenizer_bpe
