// The fast reader against the slow one: the same values, the same refusals, byte for byte.
#include "base/json_read.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"

namespace mortise::base {
namespace {

// Random values that reach every kind, deep and wide, with keys that may repeat elsewhere.
class RandomJson {
 public:
  explicit RandomJson(uint64_t seed) : random_(seed) {}

  Json value(int depth = 0) {
    switch (random_() % (depth > 6 ? 6 : 8)) {
      case 0:
        return nullptr;
      case 1:
        return random_() % 2 == 0;
      case 2:
        return static_cast<int64_t>(random_() >> (random_() % 64));
      case 3:
        return UINT64_MAX - random_() % 1000;
      case 4:
        return std::ldexp(static_cast<double>(random_()), static_cast<int>(random_() % 200) - 100);
      case 5:
        return text();
      case 6: {
        Json array = Json::array();
        for (uint64_t n = random_() % 6; n > 0; --n) array.push_back(value(depth + 1));
        return array;
      }
      default: {
        Json object = Json::object();
        for (uint64_t n = random_() % 40; n > 0; --n) object[text()] = value(depth + 2);
        return object;
      }
    }
  }
  std::string text() {
    std::string out;
    for (uint64_t n = random_() % 8; n > 0; --n) {
      static constexpr char32_t kLimits[] = {0x20, 0x7F, 0x800, 0xD800};
      utf8_append(out, static_cast<char32_t>(random_() % kLimits[random_() % 4]));
    }
    return out;
  }
  std::mt19937_64 random_;
};

void expect_same(RowReader& reader, std::string_view row) {
  const auto fast = reader.parse(row);
  const auto slow = parse_json(row);
  ASSERT_EQ(fast.ok(), slow.ok()) << row;
  if (fast.ok()) {
    EXPECT_EQ(fast->dump(), slow->dump()) << row;
  } else {
    EXPECT_EQ(fast.error().text(), slow.error().text()) << row;
    EXPECT_EQ(fast.error().code, slow.error().code) << row;
  }
}

TEST(RowReader, ReadsWhatParseJsonReads) {
  constexpr uint64_t kSeed = 20261124;
  RandomJson random(kSeed);
  RowReader reader;
  for (int i = 0; i < 3000; ++i) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + " row " + std::to_string(i));
    expect_same(reader, random.value().dump(i % 2 == 0 ? -1 : 1));
  }
}

TEST(RowReader, RefusesWhatParseJsonRefuses) {
  constexpr uint64_t kSeed = 7;
  RandomJson random(kSeed);
  RowReader reader;
  for (int i = 0; i < 5000; ++i) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + " row " + std::to_string(i));
    std::string row = random.value(4).dump();
    const size_t at = random.random_() % (row.size() + 1);
    switch (random.random_() % 3) {
      case 0:
        row.resize(at);
        break;
      case 1:
        row.insert(at, 1, static_cast<char>(random.random_()));
        break;
      default:
        if (at < row.size()) row[at] = static_cast<char>(random.random_());
    }
    expect_same(reader, row);
  }
}

TEST(RowReader, AgreesWithParseJsonOnTheEdges) {
  RowReader reader;
  for (const char* row : {"",
                          " ",
                          "null",
                          "-0",
                          "-0.0",
                          "0e0",
                          "01",
                          "1.",
                          ".5",
                          "+1",
                          "1e400",
                          "-1e400",
                          "1e-400",
                          "18446744073709551615",
                          "18446744073709551616",
                          "-9223372036854775808",
                          "-9223372036854775809",
                          "123456789012345678901234567890",
                          "\"\\ud800\"",
                          "\"\\udc00\"",
                          "\"\\ud800\\u0041\"",
                          "\"\\ud83d\\ude00\"",
                          "\"\\u0000\"",
                          "\"\\x\"",
                          "\"\t\"",
                          "[1,]",
                          "{\"a\":1,}",
                          "{a:1}",
                          "'a'",
                          "{\"a\":1,\"a\":1}",
                          "{\"a\":1,\"\\u0061\":1}",
                          "[] []",
                          "[]]",
                          "nul",
                          "true1",
                          "\xEF\xBB\xBF[1]",
                          "\xFF",
                          "[\"\xC0\x80\"]",
                          "{\"\":{\"\":{}}}",
                          "/**/1",
                          "Infinity",
                          "NaN",
                          "\"unterminated"}) {
    SCOPED_TRACE(row);
    expect_same(reader, row);
  }
}

TEST(RowReader, AgreesWithParseJsonOnTheDepthLimit) {
  RowReader reader;
  for (const size_t depth : {126u, 127u, 128u, 129u, 1000u, 100'000u}) {
    expect_same(reader, std::string(depth, '[') + "1" + std::string(depth, ']'));
    expect_same(reader, std::string(depth, '['));
  }
}

TEST(RowReader, RefusesADuplicateAmongManyKeys) {
  RowReader reader;
  std::string row = "{";
  for (int i = 0; i < 100'000; ++i) row += "\"key" + std::to_string(i) + "\":0,";
  EXPECT_EQ(reader.parse(row + "\"last\":0}").value().size(), 100'001u);
  EXPECT_THAT(reader.parse(row + "\"key17\":0}").error().message,
              ::testing::HasSubstr("\"key17\" stands twice"));
}

TEST(RowReader, RefusesARowOverItsLimit) {
  RowReader reader(JsonLimits{.size_bytes_max = 10, .depth_max = 8});
  EXPECT_TRUE(reader.parse("\"12345678\"").ok());
  EXPECT_EQ(reader.parse("\"123456789\"").error().code, Code::kResourceExhausted);
  RowReader usual;
  const std::string ten_megabytes(10u << 20, 'x');
  EXPECT_EQ(usual.parse(json_quote(ten_megabytes)).error().code, Code::kResourceExhausted);
}

TEST(RowReader, NamesTheRowAndTheByteInTheFile) {
  RowReader reader;
  const auto row = reader.parse("{\"a\":\"\xFF\"}", 412, 88'000);
  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.error().row, 412);
  EXPECT_EQ(row.error().byte_offset, 88'006);
  EXPECT_TRUE(reader.parse("{}", 413, 88'010).ok());
}

}  // namespace
}  // namespace mortise::base
