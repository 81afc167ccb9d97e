// The example packs of the build through the typed wrappers, with every check of the guard on.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pack_folder.h"
#include "plugin/registry.h"

namespace mortise::plugin {
namespace {

using base::Json;
using test::TemporaryFolder;

class Packs : public testing::Test {
 protected:
  Packs() : registry_(search(), services_, guarded()) { forget_violations(); }
  ~Packs() override {
    for (const Violation& violation : violations_of("")) {
      ADD_FAILURE() << violation.pack << " " << violation.slot << ": " << violation.text;
    }
  }

  static pack::Search search() {
    pack::Search search;
    search.places.push_back({pack::Tier::kSystem, MORTISE_TEST_PACKS});
    return search;
  }
  static LoadOptions guarded() {
    LoadOptions options;
    options.is_guarded = true;
    return options;
  }

  HostServices services_;
  Registry registry_;
};

// Rows of a whole shard from a cursor on, with the cursor after each batch.
struct Scanned {
  std::vector<std::string> rows;
  std::vector<std::string> cursors;
};

Scanned scan(const Format& format, const std::string& cursor) {
  ScanOptions options;
  options.cursor = cursor;
  options.batch_rows_max = 1;
  auto stream = format.scan(options).value();
  Scanned scanned;
  while (auto rows = stream.next_rows().value()) {
    for (const FormatRow& row : *rows) scanned.rows.push_back(row.json);
    scanned.cursors.push_back(stream.cursor().value());
  }
  return scanned;
}

TEST_F(Packs, FormatResumesFromEveryCursor) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/a.dsv") << "question|answer\na|b\nc|d\ne|f\n";
  ASSERT_TRUE(services_.grant("", folder.path()).ok());
  auto format = registry_.open_format("com.example.format_delimited", {"a.dsv"},
                                      Json::object({{"delimiter", "|"}}));
  ASSERT_TRUE(format.ok()) << format.error().text();

  const Scanned whole = scan(*format, "");

  ASSERT_EQ(whole.rows.size(), 3u);
  EXPECT_NE(whole.rows[1].find("\"c\""), std::string::npos) << whole.rows[1];
  ASSERT_EQ(whole.cursors.size(), 3u);
  for (size_t i = 0; i < whole.cursors.size(); ++i) {
    const Scanned rest = scan(*format, whole.cursors[i]);
    EXPECT_EQ(rest.rows, std::vector<std::string>(whole.rows.begin() + static_cast<long>(i) + 1,
                                                  whole.rows.end()));
  }
}

TEST_F(Packs, FormatNamesAFileThatIsNotGranted) {
  auto format = registry_.open_format("com.example.format_delimited", {"secret.dsv"},
                                      Json::object({{"delimiter", "|"}}));

  ASSERT_FALSE(format.ok());
  EXPECT_EQ(format.error().code, base::Code::kNotFound);
  EXPECT_NE(format.error().text().find("secret.dsv"), std::string::npos);
}

TEST_F(Packs, TokenizerRoundTripsAndDecodesPieceByPiece) {
  auto tokenizer = registry_.open_tokenizer("com.example.tokenizer_bytes", "", Json());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  const std::vector<std::string> texts = {"h\u00e9llo", "", "\u4e2d\u6587"};

  const auto ids = tokenizer->encode_batch(texts).value();
  std::string pieces;
  auto decoder = tokenizer->decoder().value();
  for (const int32_t id : ids[2]) pieces += decoder.push(id).value();
  pieces += decoder.flush().value();

  EXPECT_EQ(tokenizer->decode_batch(ids).value(), texts);
  EXPECT_EQ(pieces, texts[2]);
  EXPECT_EQ(tokenizer->vocab().value().size(), tokenizer->facts().vocab_count);
}

TEST_F(Packs, TokenizerRefusesAnUnknownIdWithItsRow) {
  auto tokenizer = registry_.open_tokenizer("com.example.tokenizer_bytes", "", Json()).value();

  const auto text = tokenizer.decode_batch(std::vector<std::vector<int32_t>>{{1}, {1'000'000}});

  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, base::Code::kOutOfRange);
}

TEST_F(Packs, MetricMergesFromAnyPartition) {
  auto metric = registry_.open_metric("com.example.exact_match", Json()).value();
  ASSERT_EQ(metric.requires_columns().format, "+s");
  Json row = Json::object();
  for (const Column& column : metric.requires_columns().children) {
    row[column.name] = column.format == "u" ? Json("same") : Json::array({"same"});
  }
  auto other = registry_.open_metric("com.example.exact_match", Json()).value();

  ASSERT_TRUE(metric.update(std::vector<Json>(2, row)).ok());
  ASSERT_TRUE(other.update(std::vector<Json>(3, row)).ok());
  ASSERT_TRUE(metric.merge(other.save().value()).ok());

  EXPECT_EQ(metric.finalize().value()[0].rows_count, 5u);
  EXPECT_FALSE(metric.merge("garbage").ok());
}

}  // namespace
}  // namespace mortise::plugin
