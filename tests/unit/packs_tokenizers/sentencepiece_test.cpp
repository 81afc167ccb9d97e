// SentencePiece: both models, the normaliser, bytes, pieces of the user, and broken files.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "plugins/builtin/tokenizer_sentencepiece/loader.h"

namespace mortise::tokenizer_sentencepiece {
namespace {

using Ids = std::vector<int32_t>;

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string number_field(int number, uint64_t value) {
  return varint(static_cast<uint64_t>(number) << 3) + varint(value);
}
std::string text_field(int number, const std::string& text) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(text.size()) + text;
}
std::string piece(const std::string& text, float score, int type = 1) {
  std::string raw(4, '\0');
  std::memcpy(raw.data(), &score, 4);
  return text_field(
      1, text_field(1, text) + '\x15' + raw + number_field(3, static_cast<uint64_t>(type)));
}

const std::string kBlank = "\xE2\x96\x81";

// 0 <unk>, 1 <s>, 2 </s>, 3 ▁, 4 a, 5 b, 6 ab, 7 ▁a, 8 abb, 9 <x> of the user
std::string model(int type, const std::string& normalizer = "", const std::string& trainer = "") {
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece(kBlank, -3) +
         piece("a", -4) + piece("b", -5) + piece("ab", -2) + piece(kBlank + "a", -1) +
         piece("abb", -8.5F) + piece("<x>", 0, 4) +
         text_field(2, number_field(3, static_cast<uint64_t>(type)) + trainer) +
         text_field(3, normalizer);
}

tokenizers::Tokenizer load(const std::string& bytes, const std::string& config = "{}") {
  const sdk::JsonDocument document = sdk::JsonDocument::parse(config);
  return load_tokenizer("t.model", document.root(),
                        [&](const std::string& name) -> std::optional<std::string> {
                          if (name != "t.model") return std::nullopt;
                          return bytes;
                        });
}

Ids encode(const tokenizers::Tokenizer& tokenizer, const std::string& text,
           tokenizers::EncodeOptions options = {}) {
  tokenizers::WordCache cache;
  return tokenizer.encode(text, options, cache).ids;
}

sdk::Failure failure_of(const std::string& bytes) {
  try {
    load(bytes);
  } catch (const sdk::Failure& failure) {
    return failure;
  }
  return sdk::Failure(MORTISE_STATUS_OK, "");
}

TEST(SentencePiece, UnigramTakesTheLikeliestCut) {
  const auto tokenizer = load(model(1));

  EXPECT_EQ(encode(tokenizer, "ab"), (Ids{3, 6}));      // -5 beats ▁a b: -6
  EXPECT_EQ(encode(tokenizer, "abb"), (Ids{3, 6, 5}));  // -10 beats ▁ abb: -11.5, ▁a b b: -11
  EXPECT_EQ(encode(tokenizer, "  a   a "), (Ids{7, 7}));
  EXPECT_EQ(encode(tokenizer, "aqqb"), (Ids{7, 0, 5}));  // unknown ones are one token
  EXPECT_EQ(encode(tokenizer, "a", {.add_special = true}), (Ids{1, 7}));
  EXPECT_EQ(encode(tokenizer, ""), Ids{});
}

TEST(SentencePiece, BpeJoinsTheBestScoreFirst) {
  const auto tokenizer = load(model(2));

  EXPECT_EQ(encode(tokenizer, "ab"), (Ids{7, 5}));  // ▁a scores -1, ab -2
  EXPECT_EQ(encode(tokenizer, "bab"), (Ids{3, 5, 6}));
  EXPECT_EQ(encode(tokenizer, "a<x>b"), (Ids{7, 9, 5}));
}

TEST(SentencePiece, NormaliserRulesAreThoseOfTheFile) {
  const auto plain = load(model(2, number_field(3, 0) + number_field(4, 0)));

  EXPECT_EQ(encode(plain, " a  b"), (Ids{7, 3, 3, 5}));
  EXPECT_EQ(encode(plain, "a"), (Ids{4}));
}

TEST(SentencePiece, UnknownCharactersBecomeBytes) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    bytes += piece(name, 0, 6);
  }
  const auto tokenizer = load(model(2, "", number_field(35, 1)) + bytes);

  const Ids ids = encode(tokenizer, "a\xC3\xA9");
  EXPECT_EQ(ids, (Ids{7, 10 + 0xC3, 10 + 0xA9}));
  EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), false), "a\xC3\xA9");
  const sdk::Failure missing = failure_of(model(2, "", number_field(35, 1)));
  EXPECT_NE(missing.message.find("bytes"), std::string::npos) << missing.message;
}

TEST(SentencePiece, NamesTheByteThatIsBroken) {
  const std::string whole = model(1);
  const sdk::Failure cut = failure_of(whole.substr(0, 20));
  EXPECT_EQ(cut.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(cut.file, "t.model");
  EXPECT_NE(cut.message.find("beyond the end"), std::string::npos) << cut.message;
  const sdk::Failure huge = failure_of("\x0A" + varint(~uint64_t{0}));
  EXPECT_NE(huge.message.find("beyond the end"), std::string::npos) << huge.message;
  EXPECT_NE(failure_of(whole + piece("a", 0)).code, MORTISE_STATUS_OK);
  EXPECT_NE(failure_of(whole + piece("u", 0, 2)).code, MORTISE_STATUS_OK);
  EXPECT_NE(failure_of(whole + piece("\xFF", 0)).code, MORTISE_STATUS_OK);
  EXPECT_NE(failure_of("").code, MORTISE_STATUS_OK);
  EXPECT_EQ(failure_of(model(3)).code, MORTISE_STATUS_UNIMPLEMENTED);
  const std::string map = text_field(2, std::string("\xF0\xFF\xFF\xFF", 4));
  EXPECT_NE(failure_of(model(1, map)).message.find("character map"), std::string::npos);
}

// Whatever the bytes are: a tokenizer that ends, or a failure.
TEST(SentencePiece, BrokenFilesNeverCrash) {
  const unsigned seed = 13;
  std::mt19937 random(seed);
  std::string map(4, '\0');
  map[1] = 4;  // 1,024 bytes of units
  for (int i = 0; i < 1100; ++i) map += static_cast<char>(random());
  const std::string whole = model(1, text_field(2, map));
  for (size_t size = 0; size < whole.size(); ++size) failure_of(whole.substr(0, size));
  for (int round = 0; round < 3000; ++round) {
    std::string broken = whole;
    for (auto i = 1 + random() % 4; i > 0; --i) {
      broken[random() % broken.size()] = static_cast<char>(random());
    }
    try {
      encode(load(broken), "ab a<x> \xC3\xA9\xE6\x88\x91 b");
    } catch (const sdk::Failure&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace mortise::tokenizer_sentencepiece
