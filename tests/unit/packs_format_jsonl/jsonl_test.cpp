// The JSONL pack through its C tables: rows, places of errors, shards, cursors, the writer.
#include <gtest/gtest.h>
#include <mortise/kind/format.h>
#include <mortise/kind/format_writer.h>
#include <mortise/cpp/arrow_build.hpp>
#include <mortise/cpp/arrow_read.hpp>

#include <random>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise {
namespace {

using packs_test::failure_of;
using sdk::text;

struct Row {
  std::string json;
  int64_t byte_offset = -1;
  bool operator==(const Row&) const = default;
};

class Jsonl : public testing::Test {
 protected:
  ~Jsonl() override { close(); }

  void close() {
    if (instance_ != nullptr) format().close(instance_);
    instance_ = nullptr;
  }

  const mortise_dataset_format& format() const {
    return pack_.get<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT);
  }

  sdk::Failure open(const std::vector<std::string>& names, const std::string& config = "{}") {
    close();
    std::vector<mortise_text> uris;
    for (const std::string& name : names) uris.push_back(text(name));
    return failure_of([&](mortise_error* error) {
      return format().open(uris.data(), static_cast<uint32_t>(uris.size()), text(config),
                           &instance_, error);
    });
  }

  uint32_t shards_count() {
    ArrowSchema schema{};
    mortise_format_facts facts{};
    facts.struct_size = sizeof(facts);
    EXPECT_EQ(format().describe(instance_, &schema, &facts, nullptr), MORTISE_STATUS_OK);
    schema.release(&schema);
    return facts.shards_count;
  }

  sdk::Failure scan(uint32_t shard, const std::string& cursor, uint64_t rows_max,
                    ArrowArrayStream* out) {
    mortise_scan_options options{};
    options.struct_size = sizeof(options);
    options.shard_index = shard;
    options.cursor = sdk::bytes(cursor);
    options.batch_rows_max = rows_max;
    return failure_of(
        [&](mortise_error* error) { return format().scan(instance_, &options, out, error); });
  }

  // Appends the next batch; false at the end or on an error, which stream_failure then tells.
  static bool next(ArrowArrayStream* stream, std::vector<Row>& rows) {
    ArrowArray batch{};
    if (stream->get_next(stream, &batch) != 0 || batch.release == nullptr) return false;
    const sdk::StructView view(&batch, 2);
    const auto texts = view.column<sdk::TextView>(0, "row");
    const auto offsets = view.column<sdk::NumberView<int64_t>>(1, "byte_offset");
    for (int64_t i = 0; i < view.size(); ++i) rows.push_back({std::string(texts[i]), offsets[i]});
    batch.release(&batch);
    return true;
  }

  sdk::Failure stream_failure(ArrowArrayStream* stream) {
    return failure_of(
        [&](mortise_error* error) { return format().stream_error(instance_, stream, error); });
  }

  std::string cursor_of(ArrowArrayStream* stream) {
    sdk::StringSink sink;
    EXPECT_EQ(format().cursor(instance_, stream, sink.raw(), nullptr), MORTISE_STATUS_OK);
    return sink.value();
  }

  // All rows of all shards; failure_ tells how the last shard ended.
  std::vector<Row> read_all(uint64_t rows_max = 0) {
    std::vector<Row> rows;
    for (uint32_t shard = 0; shard < shards_count(); ++shard) {
      ArrowArrayStream stream{};
      EXPECT_EQ(scan(shard, "", rows_max, &stream).code, MORTISE_STATUS_OK);
      while (next(&stream, rows)) {
      }
      failure_ = stream_failure(&stream);
      stream.release(&stream);
      if (failure_.code != MORTISE_STATUS_OK) break;
    }
    return rows;
  }

  std::vector<Row> read_text(const std::string& content, const std::string& config = "{}") {
    pack_.files.content["a.jsonl"] = content;
    EXPECT_EQ(open({"a.jsonl"}, config).code, MORTISE_STATUS_OK);
    return read_all();
  }

  packs_test::PackUnderTest pack_{MORTISE_PACK_LIBRARY};
  mortise_format_instance* instance_ = nullptr;
  sdk::Failure failure_{MORTISE_STATUS_OK, ""};
};

TEST_F(Jsonl, GivesEachRowAsItStandsWithItsByte) {
  const std::vector<Row> rows = read_text("{\"a\": 1}\n{\"b\":\"x\\ny\"}\n");

  EXPECT_EQ(rows, (std::vector<Row>{{"{\"a\": 1}", 0}, {"{\"b\":\"x\\ny\"}", 9}}));
}

TEST_F(Jsonl, ReadsCarriageReturnsAByteOrderMarkBlankLinesAndAMissingLastLineEnd) {
  const std::vector<Row> rows =
      read_text("\xEF\xBB\xBF{\"a\":1}\r\n\r\n  \n {\"b\":2} \r\n{\"c\":3}");

  EXPECT_EQ(rows, (std::vector<Row>{{"{\"a\":1}", 3}, {"{\"b\":2}", 18}, {"{\"c\":3}", 28}}));
}

TEST_F(Jsonl, AnEmptyFileHasNoRowsAndIsNoError) {
  EXPECT_TRUE(read_text("").empty());
  EXPECT_EQ(failure_.code, MORTISE_STATUS_OK);
}

TEST_F(Jsonl, GivesTheRowsBeforeABadOneAndThenNamesItsRowAndByte) {
  const std::vector<Row> rows = read_text("{\"a\":1}\n\n{\"b\":2}\n{\"c\":}\n{\"d\":4}\n");

  EXPECT_EQ(rows.size(), 2u);
  EXPECT_EQ(failure_.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.file, "a.jsonl");
  EXPECT_EQ(failure_.row, 3);
  EXPECT_EQ(failure_.byte, 17 + 5);
}

TEST_F(Jsonl, RefusesWhatIsNoObjectATwofoldKeyBadUtf8AndTextBehindTheRow) {
  for (const std::string bad : {"[1]", "7", "\"x\"", "{\"a\":1,\"a\":2}", "{\"a\":\"\xFF\"}",
                                "{\"a\":1} {\"b\":2}", "{'a': 1}", "{\"a\":\"\xED\xA0\x80\"}"}) {
    EXPECT_TRUE(read_text(bad + "\n").empty()) << bad;
    EXPECT_EQ(failure_.code, MORTISE_STATUS_INVALID_ARGUMENT) << bad;
    EXPECT_EQ(failure_.row, 1) << bad;
  }
}

TEST_F(Jsonl, TellsTheByteOfBadUtf8) {
  read_text("{\"a\":1}\n{\"a\":\"ok\xC3(\"}\n");

  EXPECT_EQ(failure_.byte, 8 + 8);
}

TEST_F(Jsonl, RefusesALineOverTheLimitWithoutReadingItWhole) {
  const std::string line = "{\"a\":\"" + std::string(10u << 20, 'x') + "\"}";
  read_text("{\"b\":1}\n" + line + "\n");

  EXPECT_EQ(failure_.code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure_.row, 2);
  EXPECT_EQ(failure_.byte, 8);
  EXPECT_NE(failure_.message.find("8388608"), std::string::npos);
  EXPECT_EQ(failure_.hint, "Put large media in files of their own and name them in the row.");
}

TEST_F(Jsonl, SaysThatAJsonArrayIsAnotherFormat) {
  read_text("[\n{\"a\":1},\n{\"a\":2}\n]\n");

  EXPECT_NE(failure_.hint.find("format_json"), std::string::npos);
}

// One byte, which counts from the file's beginning, and what to do.
TEST_F(Jsonl, GivesEachCauseItsRemedy) {
  const std::string before = "{\"a\":1}\n";
  const struct {
    std::string line;
    int64_t byte;
    const char* message;
    const char* hint;
    const char* field;
  } kCases[] = {
      {"{\"a\":\"x\xFF\"}", 15, "not UTF-8", "Save the file as UTF-8.", ""},
      {R"({"a":1,"b":{"c":1,"c":2}})", 26, "\"c\" stands twice", "Keep one of the two.", "/b/c"},
      {"{\"a\":" + std::string(130, '[') + std::string(130, ']') + "}", 141, "128 levels",
       "as a text", ""},
      {R"({"a":"\ud83d"})", 20, "surrogate", "both halves", ""},
      {"{\"a\":\"one", 17, "does not end", "it was cut", ""},
      {"{\"a\":\"one\",", 19, "expected a key", "it was cut", ""},
      {"{'a':1}", 9, "expected a key", "double quotes", ""},
      {R"({"a":tru})", 13, "expected a value", "true, false, null", ""},
      {"[1]", 8, "not an object", "as an object", ""},
  };
  for (const auto& one : kCases) {
    read_text(before + one.line + "\n");

    EXPECT_EQ(failure_.row, 2) << one.line;
    EXPECT_EQ(failure_.byte, one.byte) << one.line;
    EXPECT_EQ(failure_.message.find("byte"), std::string::npos) << failure_.message;
    EXPECT_NE(failure_.message.find(one.message), std::string::npos) << failure_.message;
    EXPECT_NE(failure_.hint.find(one.hint), std::string::npos) << one.line << failure_.hint;
    EXPECT_EQ(failure_.field, one.field) << one.line;
  }
}

TEST_F(Jsonl, ShardsOfAnySizeTogetherGiveEachRowOnce) {
  const unsigned seed = 11;
  std::mt19937 random(seed);
  for (int round = 0; round < 40; ++round) {
    std::string content = round % 3 == 0 ? "\xEF\xBB\xBF" : "";
    for (int i = 0; i < 20; ++i) {
      content +=
          "{\"i\":" + std::to_string(i) + ",\"x\":\"" + std::string(random() % 30, 'x') + "\"}";
      content += random() % 2 == 0 ? "\n" : "\r\n";
      if (random() % 5 == 0) content += "\n";
    }
    const std::vector<Row> whole = read_text(content);
    ASSERT_EQ(whole.size(), 20u);
    const std::string size = std::to_string(1 + random() % 60);
    EXPECT_EQ(read_text(content, "{\"shard_bytes\":" + size + "}"), whole)
        << "seed " << seed << " round " << round << " shard_bytes " << size;
  }
}

TEST_F(Jsonl, TellsTheRowOfAnErrorInALaterShard) {
  pack_.files.content["a.jsonl"] = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{bad\n";
  ASSERT_EQ(open({"a.jsonl"}, R"({"shard_bytes": 8})").code, MORTISE_STATUS_OK);

  read_all();

  EXPECT_EQ(failure_.row, 4);
  EXPECT_EQ(failure_.byte, 24 + 1);
}

TEST_F(Jsonl, GoesOnFromEveryCursorWithTheSameBatches) {
  std::string content;
  for (int i = 0; i < 25; ++i) content += "{\"i\":" + std::to_string(i) + "}\n";
  const std::vector<Row> whole = read_text(content, R"({"shard_bytes": 100})");
  for (uint32_t shard = 0; shard < shards_count(); ++shard) {
    std::vector<Row> expected, rows;
    ArrowArrayStream stream{};
    ASSERT_EQ(scan(shard, "", 2, &stream).code, MORTISE_STATUS_OK);
    while (next(&stream, expected)) {
    }
    stream.release(&stream);
    std::string cursor;
    do {  // a stream of its own for each batch
      ASSERT_EQ(scan(shard, cursor, 2, &stream).code, MORTISE_STATUS_OK);
      const bool more = next(&stream, rows);
      cursor = cursor_of(&stream);
      stream.release(&stream);
      if (!more) break;
    } while (true);
    EXPECT_EQ(rows, expected) << "shard " << shard;
  }
  EXPECT_EQ(whole.size(), 25u);
}

TEST_F(Jsonl, RefusesACursorThatIsDamagedOrOfOtherFiles) {
  read_text("{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n");
  ArrowArrayStream stream{};
  ASSERT_EQ(scan(0, "", 1, &stream).code, MORTISE_STATUS_OK);
  std::vector<Row> rows;
  ASSERT_TRUE(next(&stream, rows));
  std::string cursor = cursor_of(&stream);
  stream.release(&stream);

  std::string damaged = cursor;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  EXPECT_EQ(scan(0, damaged, 1, &stream).code, MORTISE_STATUS_DATA_LOSS);
  EXPECT_EQ(scan(0, "x", 1, &stream).code, MORTISE_STATUS_DATA_LOSS);
  pack_.files.content["a.jsonl"] += "{\"i\":4}\n";
  ASSERT_EQ(open({"a.jsonl"}).code, MORTISE_STATUS_OK);
  EXPECT_EQ(scan(0, cursor, 1, &stream).code, MORTISE_STATUS_DATA_LOSS);
}

TEST_F(Jsonl, NamesAFileThatIsNotThere) {
  const sdk::Failure failure = open({"missing.jsonl"});

  EXPECT_EQ(failure.code, MORTISE_STATUS_NOT_FOUND);
  EXPECT_NE(failure.message.find("missing.jsonl"), std::string::npos);
}

TEST_F(Jsonl, ProbeKnowsItsOwnAndLeavesOthers) {
  const auto score = [this](const std::string& name, const std::string& head) {
    mortise_format_sample sample{};
    sample.struct_size = sizeof(sample);
    sample.name = text(name);
    sample.head = sdk::bytes(head);
    sample.size_bytes = head.size();
    uint32_t result = 101;
    sdk::StringSink reason;
    EXPECT_EQ(format().probe(&sample, &result, reason.raw(), nullptr), MORTISE_STATUS_OK);
    EXPECT_FALSE(reason.value().empty());
    return result;
  };
  EXPECT_EQ(score("a.jsonl", "{\"a\":1}\n{\"a\":2}\n"), 100u);
  EXPECT_GE(score("a.txt", "{\"a\":1}\n{\"a\":2}\n"), 80u);
  EXPECT_LE(score("a.json", "{\"images\":[]}"), 50u);
  EXPECT_EQ(score("a.json", "[\n{\"a\":1}\n]"), 0u);
  EXPECT_EQ(score("a.csv", "a,b\n1,2\n"), 0u);
}

TEST_F(Jsonl, ProbeTakesABrokenFileOfItsNameSoThatTheReaderCanSayWhatIsWrong) {
  const auto score = [this](const std::string& name, const std::string& head) {
    mortise_format_sample sample{};
    sample.struct_size = sizeof(sample);
    sample.name = text(name);
    sample.head = sdk::bytes(head);
    sample.size_bytes = head.size();
    uint32_t result = 101;
    sdk::StringSink reason;
    EXPECT_EQ(format().probe(&sample, &result, reason.raw(), nullptr), MORTISE_STATUS_OK);
    return result;
  };
  for (const std::string& broken :
       {std::string("{\"a\":1,\"a\":2}\n"), std::string("{\"a\":\"\xff\"}\n"),
        std::string("{\"a\":1}\n{\"a\":"), std::string("{\"a\":1}\nnot json\n{\"a\":2}\n"),
        std::string("{\n  \"a\": 1\n}\n"), std::string("[{\"a\":1}]\n"), std::string("7\n"),
        std::string("\xFF\xFE{\0\n\0", 6)}) {
    EXPECT_EQ(score("a.jsonl", broken), 85u) << broken << "; format_json gives 80 at most";
    EXPECT_EQ(score("a.ndjson", broken), 85u) << broken;
    EXPECT_EQ(score("a.txt", broken), 0u) << broken;
  }
}

TEST_F(Jsonl, SaysWhatAFileInAnotherEncodingOrASpreadDocumentIs) {
  const struct {
    std::string text;
    int64_t row, byte;
    const char* hint;
  } kCases[] = {
      {std::string("\xFF\xFE{\0\"\0a\0", 8), 1, 0, "looks like UTF-16"},
      {std::string("\0{\0\"\0a", 6), 1, 0, "looks like UTF-16"},
      {"{\n  \"a\": 1\n}\n", 1, 1, "one JSON document"},
      {"{\"a\": 1,\n \"b\": 2}\n", 1, 8, "spread over several lines"},
      {"{\"a\":1}\n\xEF\xBB\xBF{\"a\":2}\n", 2, 8, "byte order mark stands inside the file"},
      {"{\"a\":1}\n\"text\"\n", 2, 8, "Write each row as an object"},
  };
  for (const auto& one : kCases) {
    read_text(one.text);

    EXPECT_EQ(failure_.code, MORTISE_STATUS_INVALID_ARGUMENT) << one.text;
    EXPECT_EQ(failure_.row, one.row) << one.text;
    EXPECT_EQ(failure_.byte, one.byte) << one.text;
    EXPECT_NE(failure_.hint.find(one.hint), std::string::npos) << failure_.hint;
  }
}

class JsonlWriter : public Jsonl {
 protected:
  const mortise_dataset_format_writer& writer() const {
    return pack_.get<mortise_dataset_format_writer>(MORTISE_KIND_DATASET_FORMAT_WRITER);
  }

  sdk::Failure begin(const std::string& name, sdk::Schema schema) {
    return failure_of([&](mortise_error* error) {
      return writer().open(text(name), schema.get(), text("{}"), &out_, error);
    });
  }

  sdk::Failure append(const std::vector<std::string>& rows) {
    sdk::TextBuilder builder;
    for (const std::string& row : rows) builder.append(row);
    const sdk::Array batch =
        sdk::struct_array(static_cast<int64_t>(rows.size()), sdk::make_vector(builder.finish()));
    return failure_of(
        [&](mortise_error* error) { return writer().append(out_, batch.get(), error); });
  }

  static sdk::Schema row_schema() {
    return sdk::struct_schema(sdk::make_vector(sdk::make_schema("u", "row")));
  }

  mortise_format_writer_instance* out_ = nullptr;
};

TEST_F(JsonlWriter, WritesWhatTheReaderReads) {
  ASSERT_EQ(begin("out.jsonl", row_schema()).code, MORTISE_STATUS_OK);
  ASSERT_EQ(append({"{\"a\":1}", " {\n \"b\": [1,\n2]}"}).code, MORTISE_STATUS_OK);
  ASSERT_EQ(append({"{}"}).code, MORTISE_STATUS_OK);
  EXPECT_EQ(pack_.files.content.count("out.jsonl"), 0u);
  ASSERT_EQ(writer().commit(out_, nullptr), MORTISE_STATUS_OK);

  ASSERT_EQ(open({"out.jsonl"}).code, MORTISE_STATUS_OK);
  const std::vector<Row> rows = read_all();

  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].json, "{  \"b\": [1, 2]}");
}

TEST_F(JsonlWriter, LeavesNothingAfterAbort) {
  ASSERT_EQ(begin("out.jsonl", row_schema()).code, MORTISE_STATUS_OK);
  ASSERT_EQ(append({"{}"}).code, MORTISE_STATUS_OK);

  writer().abort(out_);

  EXPECT_TRUE(pack_.files.content.empty());
}

TEST_F(JsonlWriter, RefusesARowThatIsNoObjectAndAColumnWithoutAPlace) {
  ASSERT_EQ(begin("out.jsonl", row_schema()).code, MORTISE_STATUS_OK);
  const sdk::Failure bad_row = append({"{}", "[1]"});
  writer().abort(out_);
  const sdk::Failure bad_column =
      begin("out.jsonl", sdk::struct_schema(sdk::make_vector(sdk::make_schema("u", "row"),
                                                             sdk::make_schema("l", "height"))));

  EXPECT_EQ(bad_row.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(bad_row.row, 2);
  EXPECT_EQ(bad_column.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(bad_column.field, "height");
}

TEST_F(JsonlWriter, RefusesANameThatIsTaken) {
  pack_.files.content["out.jsonl"] = "{}\n";

  EXPECT_EQ(begin("out.jsonl", row_schema()).code, MORTISE_STATUS_ALREADY_EXISTS);
}

}  // namespace
}  // namespace mortise
