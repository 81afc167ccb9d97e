// The mapping language, form by form and word by word, over rows and surroundings made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "ingest/catalog/evaluate.h"
#include "ingest/catalog/literal.h"

namespace mortise::ingest::catalog {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using ::testing::HasSubstr;

class FakeLookup final : public Lookup {
 public:
  Result<std::string> find(std::string_view name) override { return std::string(name); }
  Result<std::vector<std::string>> list(std::string_view folder) override {
    if (folder != "v1") return Error(Code::kNotFound, "There are no files.");
    return std::vector<std::string>{"v1/1.jpg", "v1/2.jpg"};
  }
  Result<std::string> text(std::string_view name) override {
    if (name != "wav/u1.txt") return Error(Code::kNotFound, "There is no file.");
    return std::string("one\ntwo\n");
  }
  Result<std::string> line(std::string_view, int64_t number) override {
    return "line " + std::to_string(number);
  }
  Result<const Json*> table(std::string_view name) override {
    return name == "t" ? &table_ : nullptr;
  }
  Result<const Json*> row_of(std::string_view, std::string_view key,
                             const std::string& value) override {
    for (const Json& row : table_.items()) {
      if (text_of(row[key]) == value) return &row;
    }
    return Error(Code::kNotFound, "The table has no such row.");
  }
  Result<std::string> keep(std::string bytes) override { return "kept:" + bytes; }

 private:
  Json table_ = base::parse_json(R"([{"id":1,"c":"x"},{"id":2,"c":"y"}])").value();
};

Result<std::vector<Json>> run(const std::string& row, const Json& sources,
                              const std::string& task = "pretrain") {
  MORTISE_ASSIGN(const Mapping mapping, parse_mapping("demo", task, sources));
  FakeLookup lookup;
  const Json value = base::parse_json(row).value();
  Scene scene;
  scene.row = &value;
  scene.rows_file = "data/train_1.json";
  scene.row_number = 3;
  scene.lookup = &lookup;
  return evaluate(mapping, scene);
}

// The value of one source, as JSON text; each row's value after the other. An error's message.
std::string value(const std::string& row, const std::string& source,
                  const std::string& target = "label") {
  const auto rows = run(row, Json::object({{"text", "const(\"x\")"}, {target, source}}));
  if (!rows.ok()) return rows.error().message;
  std::string out;
  for (const Json& each : *rows) out += (out.empty() ? "" : " ") + each[target].dump();
  return out;
}

TEST(MappingForms, MembersIndexesAndSlices) {
  const std::string row = R"({"a":{"b":[1,2,3]},"Image Index":"i","t:FILE":"f","s":"abcd"})";
  EXPECT_EQ(value(row, "a.b"), "[1,2,3]");
  EXPECT_EQ(value(row, "a.b[0]"), "1");
  EXPECT_EQ(value(row, "a.b[-1]"), "3");
  EXPECT_EQ(value(row, "a.b[1:3]"), "[2,3]");
  EXPECT_EQ(value(row, "a.b[::2]"), "[1,3]");
  EXPECT_EQ(value(row, "s[0:2]"), "\"ab\"");
  EXPECT_EQ(value(row, "Image Index"), "\"i\"");
  EXPECT_EQ(value(row, "t:FILE"), "\"f\"");
  EXPECT_EQ(value(row, "none ?? a.b[1]"), "2");
  EXPECT_EQ(value(row, "[s,const(\"k\")]"), "[\"abcd\",\"k\"]");
  EXPECT_EQ(value(row, "a.none[3].x"), "null");
}

TEST(MappingForms, ItemsMakeRowsTogetherOrGather) {
  const std::string row = R"({"q":["a","b"],"n":[{"m":[1,2]},{"m":[3]}],"d":{"k":5,"l":6}})";
  EXPECT_EQ(value(row, "q[]"), "\"a\" \"b\"");
  EXPECT_EQ(value(row, "n[].m[]"), "1 2 3");
  EXPECT_EQ(value(row, "d.*"), "5 6");
  EXPECT_EQ(value(row, "d.*.key()"), "\"k\" \"l\"");
  EXPECT_EQ(value(row, "joined(q[],\"+\")"), "\"a+b\"");
  EXPECT_EQ(value(row, "n[].m[]", "options"), "[1,2,3]");
  EXPECT_EQ(value(row, "file(\"{q[]}.png\")", "images"), R"(["a.png","b.png"])");

  const auto parallel = run(row, Json::object({{"text", "q[]"}, {"label", "n[].m[0]"}}));
  ASSERT_TRUE(parallel.ok());
  EXPECT_EQ((*parallel)[1].dump(), R"({"text":"b","label":3})");
}

TEST(MappingForms, ListsOfDifferentLengthDoNotAdvanceTogether) {
  const auto rows =
      run(R"({"q":["a","b"],"a":["x"]})", Json::object({{"text", "q[]"}, {"label", "a[]"}}));
  ASSERT_FALSE(rows.ok());
  EXPECT_THAT(rows.error().message, HasSubstr("a[] has 1 items, q[] has 2"));
  EXPECT_THAT(rows.error().message, HasSubstr("demo, task pretrain, target label"));
  EXPECT_THAT(value("{}", "q[]"), HasSubstr("The row has no list q[]"));
  EXPECT_THAT(value(R"({"q":"[1]"})", "q[]"), HasSubstr("taken of a string"));
}

TEST(MappingForms, TextsWithHoles) {
  EXPECT_EQ(value(R"({"n":7,"s":"a"})", "file(\"p/{s}_{n:03d}.jpg\")"), "\"p/a_007.jpg\"");
  EXPECT_EQ(value(R"({"n":"7"})", "file(\"{split}/{n}\")"), "\"train/7\"");
  EXPECT_EQ(value(R"({"c":"u/b.jpg"})", "file(\"x.{split(c,'.')[-1]}\")"), "\"x.jpg\"");
  EXPECT_EQ(value("{}", "file(\"{gone}.jpg\")"), "null");
  EXPECT_EQ(value("{}", "stem"), "\"train_1\"");
}

TEST(MappingWords, ColumnsAndLines) {
  EXPECT_EQ(value(R"({"col1":"a","col2":"b"})", "col(2)"), "\"b\"");
  EXPECT_THAT(value(R"({"col1":"a"})", "col(2)"), HasSubstr("The row has 1 cells, and no 2."));
  EXPECT_EQ(value(R"("u1  two words")", "col(1)"), "\"u1\"");
  EXPECT_EQ(value(R"("u1  two words")", "rest(line)"), "\"two words\"");
  EXPECT_EQ(value(R"("u1\ttwo words\tx")", "rest(line)"), "\"two words\\tx\"");
  EXPECT_EQ(value(R"("a b c d")", "rest(line,3)"), "\"c d\"");
  EXPECT_EQ(value("{}", "line(\"f.txt\")"), "\"line 3\"");
  EXPECT_EQ(value(R"({"key":"k1"})", "key()"), "\"k1\"");
}

TEST(MappingWords, FilesAndNeighbours) {
  const std::string row = R"({"audio_path":"wav/u1.wav","b":"QUI="})";
  EXPECT_EQ(value(row, "@file"), "\"wav/u1.wav\"");
  EXPECT_EQ(value(row, "dirname()"), "\"wav\"");
  EXPECT_THAT(value(row, "dirname(2)"), HasSubstr("no such folder"));
  EXPECT_EQ(value(row, "sibling(\"a.png\")"), "\"wav/a.png\"");
  EXPECT_EQ(value(row, "text(\"{stem}.txt\")"), "\"one\\ntwo\"");
  EXPECT_EQ(value(row, "text(\"{stem}.txt\",2)"), "\"two\"");
  EXPECT_THAT(value(row, "text(\"no.txt\")"), HasSubstr("There is no file"));
  EXPECT_EQ(value(row, "frames(const(\"v1\"))"), R"(["v1/1.jpg","v1/2.jpg"])");
  EXPECT_EQ(value(row, "pages(\"v1.pdf\")"), R"(["v1/1.jpg","v1/2.jpg"])");
  EXPECT_THAT(value(row, "pages(\"v2.pdf\")"), HasSubstr("There are no pages of v2"));
  EXPECT_EQ(value(row, "base64(b)"), "\"kept:AB\"");
  EXPECT_THAT(value(row, "base64(audio_path)"), HasSubstr("no base64"));
  EXPECT_EQ(value(R"({"jpg":"1.jpg"})", "member(\"jpg\")"), "\"1.jpg\"");
  EXPECT_EQ(value(R"({"image":"1.webp","text":"t"})", "member(\"webp\")"), "\"1.webp\"");
  EXPECT_EQ(value(R"({"image":"1.webp","text":"t"})", "member(\"txt\")"), "\"t\"");
}

TEST(MappingWords, TextsBetweenPictures) {
  const std::string row = R"({"t":["a","b"],"p":["2.jpg","1.jpg"],"n":[1,0],"u":[null,"x"]})";
  EXPECT_EQ(value(row, "interleave(t,n)"), R"("<image>\na\n<image>\nb")");
  EXPECT_EQ(value(row, "interleave(t,u)"), R"("a\n<image>\nb")");
  EXPECT_EQ(value(row, "joined(ordered(p,n),\" \")"), "\"1.jpg 2.jpg\"");
  EXPECT_THAT(value(R"({"t":["a","b"],"u":["x"]})", "interleave(t,u)"), HasSubstr("as many"));
  EXPECT_THAT(value(R"({"t":["a","b"],"u":[1]})", "ordered(t,u)"), HasSubstr("as many"));
  EXPECT_EQ(value(R"({"c":"-1"})", "differs(c,\"-1\")"), "0");
  EXPECT_EQ(value(R"({"c":"12 3"})", "differs(c,\"-1\")"), "1");
}

TEST(MappingWords, ChoosingJoiningAndReading) {
  const std::string row =
      R"({"l":["a","b","b"],"i":1,"v":2,"p":"['x', \"y's\", None]","j":"{\"k\":[4]}","h":"<answer>7</answer>"})";
  EXPECT_EQ(value(row, "pick(l,i)"), "\"b\"");
  EXPECT_EQ(value(row, "pick(l,\"A\")"), "\"a\"");
  EXPECT_THAT(value(row, "pick(l,\"9\")"), HasSubstr("no \"9\""));
  EXPECT_EQ(value(row, "majority(l)"), "\"b\"");
  EXPECT_EQ(value(row, "first(l)"), "\"a\"");
  EXPECT_EQ(value(row, "split(joined(l,\"|\"),\"|\")[1]"), "\"b\"");
  EXPECT_EQ(value(row, "parse(p)"), R"(["x","y's",null])");
  EXPECT_EQ(value(row, "json(j).k[0]"), "4");
  EXPECT_EQ(value(row, "inner(h,\"answer\")"), "\"7\"");
  EXPECT_EQ(value(row, "join(t.id=v).c"), "\"y\"");
  EXPECT_THAT(value(row, "join(t.id=h).c"), HasSubstr("no such row"));
  EXPECT_EQ(value(row, "pick(t,i).c"), "\"y\"");
  EXPECT_EQ(value(R"({"A":1,"B":"1.0","C":-1,"D":"","E":"n"})", "positives(row)"), R"(["A","B"])");
  EXPECT_EQ(value(R"({"A":1,"C":-1})", "positives(row,\"-1\")"), R"(["C"])");
}

TEST(MappingWords, BoxesTurnsAndParts) {
  EXPECT_EQ(value(R"({"b":[1,2,3,4]})", "xyxy(b)"), "[1.0,2.0,4.0,6.0]");
  EXPECT_THAT(value(R"({"b":[1,2,-3,4]})", "xyxy(b)"), HasSubstr("negative"));
  EXPECT_THAT(value(R"({"b":[1,2]})", "xyxy(b)"), HasSubstr("x, y, width and height"));
  EXPECT_EQ(value(R"({"q":"a","r":"b"})", "turns(q,r)"),
            R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"}])");
  EXPECT_THAT(value(R"({"q":["a"],"r":["b","c"]})", "turns(q,r)"), HasSubstr("1 questions"));
  const auto part = run(R"({"v":"a.mp4","s":"00:01:02.5","e":70})",
                        Json::object({{"text", "v"}, {"video", "seg(v,s,e)"}}));
  ASSERT_TRUE(part.ok()) << part.error().text();
  EXPECT_EQ((*part)[0]["start_seconds"].as_double(), 62.5);
  EXPECT_EQ((*part)[0]["end_seconds"].as_double(), 70);
  EXPECT_THAT(value(R"({"v":"a","s":5,"e":4})", "seg(v,s,e)"), HasSubstr("ends before"));
}

TEST(MappingRefusals, NameSetTaskTargetAndByte) {
  const auto refused = parse_mapping(
      "demo", "caption", Json::object({{"image_path", "a"}, {"output", "joined(fill(b),\",\")"}}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnimplemented);
  EXPECT_EQ(refused.error().message,
            "demo, task caption, target output, byte 7 of `joined(fill(b),\",\")`: \"fill\" is no "
            "word of the mapping language.");
  EXPECT_EQ(refused.error().field, "output");
}

TEST(MappingRefusals, EverythingThatIsNotOfTheLanguage) {
  const auto refused = [](const std::string& source) { return !parse_source(source).ok(); };
  for (const char* source :
       {"", "a.", "a[", "a[x]", "a b(", "join(t)", "\"open", "\"{a\"", "[a,b", "a)", "col()",
        "col(1,2)", "a[0:3:0]", "a.key()", "x = 1", "a ?? ", "\"{x:099d}\""}) {
    EXPECT_TRUE(refused(source)) << source;
  }
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "first(";
  EXPECT_THAT(parse_source(deep).error().message, HasSubstr("nested too deeply"));
  EXPECT_THAT(parse_source(std::string(9000, 'a')).error().message, HasSubstr("longer than"));
  EXPECT_EQ(parse_source("a[x]").error().byte_offset, 2);
}

TEST(MappingRefusals, ARequiredFieldWithoutASource) {
  const auto refused =
      parse_mapping("demo", "retrieval", Json::object({{"image_path", "a"}, {"audio_path", "b"}}));
  EXPECT_THAT(refused.error().message, HasSubstr("no source for \"output\""));
  EXPECT_FALSE(parse_mapping("demo", "no_task", Json::object()).ok());
}

TEST(MappingRefusals, AddressesAndCommandsAreNoMedia) {
  const Json sources = Json::object({{"text", "const(\"x\")"}, {"images", "u"}});
  const auto address = run(R"({"u":"https://example.invalid/a.jpg"})", sources);
  EXPECT_EQ(address.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(address.error().hint, HasSubstr("Nothing is ever fetched"));
  EXPECT_THAT(run(R"({"u":"sox a.wav -t wav - |"})", sources).error().message,
              HasSubstr("is a command"));
}

TEST(PythonLiteral, IsReadAndNeverRun) {
  EXPECT_EQ(parse_literal(R"([1, -2.5, ('a',), {'k': True}, '\u00e9\n'])").value().dump(),
            R"([1,-2.5,["a"],{"k":true},"é\n"])");
  for (const char* text : {"", "[1", "f(1)", "1+1", "{1:2}", "'open", "[1] x", "'\\ud800'", "-"}) {
    EXPECT_FALSE(parse_literal(text).ok()) << text;
  }
  EXPECT_FALSE(parse_literal(std::string(100, '[')).ok());
}

}  // namespace
}  // namespace mortise::ingest::catalog
